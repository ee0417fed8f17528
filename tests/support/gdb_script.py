"""Runs commands in a GDB that has the plugin, on a fake updater; the verbs do no work but all else is real."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 60.0

# The names that scripts may use in `python` lines: u, the fake updater; context, the front end's state.
PRELUDE = """
import sys
sys.path[:0] = {path!r}
import gdb
from dataclasses import replace
from gdb_mcr.plugin.load import load
from tests.support import fake_updater
from tests.support.fake_updater import FakeUpdater
u = FakeUpdater()
context = load(lambda: u)
"""


@dataclass(frozen=True, slots=True)
class GdbRun:
    """What a GDB said and how it ended."""

    status: int
    out: str
    errors: str


def run_gdb(arguments: Sequence[str], directory: Path) -> GdbRun:
    """One GDB, started with no file of the user's own."""
    words = ["gdb", "--nx", "--quiet", "-batch", "-iex", "set debuginfod enabled off", *arguments]
    done = subprocess.run(
        words, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    return GdbRun(done.returncode, done.stdout, done.stderr)


def run_script(script: str, directory: Path) -> GdbRun:
    """A file of commands, which ends at the first that fails."""
    (directory / "prelude.py").write_text(PRELUDE.format(path=[one for one in sys.path if one]))
    (directory / "script.gdb").write_text(script)
    return run_gdb(["-x", "prelude.py", "-x", "script.gdb"], directory)
