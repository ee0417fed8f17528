"""Where the file is that GDB is to source. Needs no GDB."""

from __future__ import annotations

from pathlib import Path

from gdb_mcr.errors import InstallationError


def gdbinit_file() -> Path:
    """The file for GDB's `source`. It stands in the package, so it is there however gdb_mcr was installed.

    :raises InstallationError: it is not there.
    """
    path = Path(__file__).resolve().with_name("gdbinit.py")
    if not path.is_file():
        raise InstallationError(path.name, (path,))
    return path
