"""`scripts/build-server`: build a server, print the path of its binary."""

from __future__ import annotations

import argparse
import sys

from gdb_mcr.errors import McrError
from scripts.servers.builds import open_workshop
from scripts.servers.recipes import RECIPES
from scripts.servers.sources import VARIANTS
from scripts.servers.tools import ServerError, say


def main() -> int:
    """Do what the command line says; exit status 0, or 1 when the server cannot be had."""
    parser = argparse.ArgumentParser(prog="scripts/build-server", description=__doc__)
    parser.add_argument("server", choices=sorted(RECIPES))
    parser.add_argument("version", help="a Debian version, epoch optional; with upstream also a bare upstream version")
    parser.add_argument(
        "variant", nargs="?", default="debian", choices=VARIANTS, help="which patches (default: debian)"
    )
    parser.add_argument("--nearest", action="store_true", help="if it cannot be had, take the nearest version that can")
    arguments = parser.parse_args()
    workshop = open_workshop()
    make = workshop.build_nearest if arguments.nearest else workshop.build
    print(make(arguments.server, arguments.version, arguments.variant).binary)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ServerError, McrError) as error:
        say(str(error))
        sys.exit(1)
