"""Real servers to test with, built from Debian source packages: `scripts/build-server`, `tests/support/servers.py`."""
