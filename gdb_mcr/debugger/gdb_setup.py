"""How a child GDB is started and what it is told first. Each setting has its reason beside it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from gdb_mcr.errors import InstallationError
from gdb_mcr.paths import native_library

NOWHERE = "/nonexistent"

SETTINGS = (
    "-gdb-set confirm off",
    "-gdb-set pagination off",
    "-gdb-set width 0",
    "-gdb-set mi-async off",  # an attach then ends with all threads stopped, and input waits for it
    # Otherwise GDB 13 writes an int3 into ld.so's text *while it attaches*: it takes the threads that it has not yet
    # looked at for running ones, which is when breakpoints get inserted. A GDB killed then would kill the server.
    '-interpreter-exec console "maint set target-non-stop off"',
    # No library is found by way of the link map, so GDB knows no place for its internal breakpoint at all, and reads no
    # symbols while the process stands still: they are placed beforehand (modules.py).
    f"-gdb-set sysroot {NOWHERE}",
    "-gdb-set auto-solib-add off",
    "-gdb-set exec-file-mismatch off",
    # libthread_db would make GDB read libc's debug file, 80 ms, in the pause. (Without an argument: the default again.)
    f"-gdb-set libthread-db-search-path {NOWHERE}",
    # A child GDB starts no program; if somebody makes it, the shim must not come along.
    '-interpreter-exec console "unset environment LD_PRELOAD"',
    "-gdb-set startup-with-shell off",
    "-gdb-set unwindonsignal on",
)


def command() -> list[str]:
    """The command line. No init files, no scripts of the debuggee, no downloads."""
    early = ("set debuginfod enabled off", "set auto-load off")
    options = [word for setting in early for word in ("-iex", setting)]
    return ["gdb", "--nx", "--quiet", "--interpreter=mi3", *options]


def environment() -> dict[str, str]:
    """This process's environment without what would lead GDB's own Python astray, and with the shim if it was built.

    GDB 13 writes too short a register area on CPUs with AMX; `libmcr_gdbshim.so` mends that.
    """
    dropped = ("PYTHON", "LD_PRELOAD", "DEBUGINFOD")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    kept["LC_ALL"] = "C.UTF-8"
    with suppress(InstallationError):  # only CPUs with AMX need it
        kept["LD_PRELOAD"] = str(native_library("libmcr_gdbshim.so"))
    return kept


def load_commands() -> str:
    """The MI command that makes `mi_commands` known to GDB's Python, which does not see this one's packages."""
    parent = str(Path(__file__).resolve().parents[2])
    module = "gdb_mcr.debugger.mi_commands"
    steps = (
        "import sys",
        f"sys.path.insert(0, {parent!r})",
        f"import {module}",
        f"sys.path.remove({parent!r})",
        f"{module}.install()",
    )
    return console(f"python {'; '.join(steps)}")


def console(line: str) -> str:
    """The MI command that runs one line of GDB's command language."""
    return f"-interpreter-exec console {quoted(line)}"


def quoted(word: str) -> str:
    """A word as MI's C string. Source: GDB manual, "GDB/MI Input Syntax"."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
