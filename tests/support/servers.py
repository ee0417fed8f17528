"""Real servers for tests, built from Debian's sources and cached (`scripts/build-server`)."""

from __future__ import annotations

from pathlib import Path

from scripts.servers.builds import Build, open_workshop


def server_binary(name: str, version: str, variant: str = "debian") -> Path:
    """The binary of exactly this version, built now if the cache has none.

    :param variant: ``debian``, ``nocve`` (without the security patches) or ``upstream``.
    :raises ServerError: it cannot be had; the test that needs it fails with the reason.
    """
    return open_workshop().build(name, version, variant).binary


def nearest_server(name: str, version: str, variant: str = "debian") -> Build:
    """The build of this version or of the nearest that can be had; its ``version`` says which it is."""
    return open_workshop().build_nearest(name, version, variant)
