"""The ``mcr`` program."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version


def main() -> int:
    """Parse the command line, answer, and return the exit status."""
    parser = argparse.ArgumentParser(prog="mcr", description="Replace a running C server by a new build of itself.")
    parser.add_argument("--version", action="version", version=f"mcr {version('gdb_mcr')}")
    parser.parse_args()
    parser.print_help()
    return 0


if __name__ == "__main__":
    sys.exit(main())
