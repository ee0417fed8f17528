"""GDB sources this file. It finds the environment that gdb_mcr is installed in and loads the plugin.

It runs before anything of the package can be imported, possibly under a Python that is too old for the package.
"""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterator
from pathlib import Path

import gdb

OLDEST = (3, 11)


def _site_directories() -> Iterator[Path]:
    package = Path(__file__).resolve().parents[1]
    yield package.parent  # an installed package stands beside what it needs
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for environment in (package.parent / ".venv", Path(os.environ.get("VIRTUAL_ENV", "/nonexistent"))):
        yield environment / "lib" / version / "site-packages"
        # What gdb_mcr needs is pure Python, so that another Python's directory serves as well.
        yield from sorted(environment.glob("lib/python3*/site-packages"), reverse=True)


# Before the system's own directories, which may hold older versions of the same packages.
def _add(directory: Path) -> None:
    known = list(sys.path)
    site.addsitedir(str(directory))
    added = [one for one in sys.path if one not in known]
    sys.path[:] = [*added, *known]


# Of a sourced file GDB shows every exception with its stack, and goes on; a sentence serves better.
def _load() -> None:
    directories = list(_site_directories())
    found = [one for one in directories if (one / "pygdbmi").is_dir()]
    if sys.version_info < OLDEST:
        needed, present = (".".join(map(str, one[:2])) for one in (OLDEST, sys.version_info))
        _complain(f"it needs a GDB with Python {needed} or newer; this one has {present}")
    elif not found:
        _complain(
            "its environment was not found. Run scripts/setup, or set VIRTUAL_ENV to the environment in which it is "
            "installed. Looked in\n  " + "\n  ".join(dict.fromkeys(map(str, directories)))
        )
    else:
        _add(found[0])
        from gdb_mcr.plugin.load import load

        load()


def _complain(text: str) -> None:
    gdb.write(f"gdb_mcr is not loaded: {text}\n", gdb.STDERR)


_load()
