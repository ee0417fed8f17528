"""What this GDB lends to its verbs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import gdb

from gdb_mcr.commands.beside import Beside
from gdb_mcr.errors import UsageError
from gdb_mcr.model.results import RunResult, ShellResult
from gdb_mcr.plugin.hand_over import HandOver
from gdb_mcr.update.api import LiveUpdater


@dataclass(slots=True)
class GdbServices:
    """The current inferior, the hand-over of the one that GDB traces, and servers started beside GDB."""

    updater: Callable[[], LiveUpdater]
    hand_over: HandOver
    beside: Beside = field(default_factory=lambda: Beside(interpreter()))

    def current_pid(self) -> int | None:
        """The process of the current inferior; without one the only server there is."""
        self.beside.reap()
        if gdb.selected_inferior().pid:
            return gdb.selected_inferior().pid
        servers = self.updater().servers()
        return servers[0] if len(servers) == 1 else None

    def lend(self, pid: int) -> None:
        """Detach from the server, if this GDB is attached to it."""
        self.hand_over.lend(pid)

    def take_back(self, pid: int | None) -> None:
        """Attach to what serves now, if something was lent."""
        self.hand_over.take_back(pid)

    def run_server(self, command: Sequence[str], updater: LiveUpdater, profile: Path | None) -> RunResult:
        """Beside GDB, not under it."""
        return self.beside.start(command, profile)

    def run_beside(self, command: Sequence[str]) -> RunResult:
        """Beside GDB."""
        return self.beside.start(command)

    def shell(self) -> ShellResult:
        """GDB is one already."""
        raise UsageError("in GDB the verbs are commands already")

    def gdbinit(self) -> Path:
        """It has been sourced."""
        raise UsageError("gdb_mcr is loaded already")


def interpreter() -> str:
    """The Python that has gdb_mcr installed; GDB's own ``sys.executable`` is a guess of GDB's.

    A file of this package's environment, else whatever Python there is.
    """
    try:
        site_packages = Path(str(distribution("gdb_mcr").locate_file("")))
    except PackageNotFoundError:
        return shutil.which("python3") or sys.executable
    own = site_packages.parents[2] / "bin" / "python3"
    return str(own) if own.exists() else shutil.which("python3") or sys.executable
