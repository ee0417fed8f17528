"""A front end without a terminal: its verbs run on a `FakeUpdater`, its output is a list of lines."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gdb_mcr.commands.context import Context
from gdb_mcr.commands.driver import Outcome, execute
from gdb_mcr.commands.registry import FrontEnd
from gdb_mcr.commands.table import find
from gdb_mcr.model.results import RunResult, ShellResult
from gdb_mcr.update.api import LiveUpdater
from tests.support.fake_updater import FakeUpdater


@dataclass(slots=True)
class FakeServices:
    """What a front end lends, as values."""

    pid: int | None = None
    lent: list[int | None] = field(default_factory=list)
    """Pids that were lent, and, negative, those that were taken back."""

    def current_pid(self) -> int | None:
        return self.pid

    def run_server(self, command: Sequence[str], updater: LiveUpdater, profile: Path | None) -> RunResult:
        updater.prepare_run(command, profile)
        return RunResult(123, tuple(command))

    def run_beside(self, command: Sequence[str]) -> RunResult:
        return RunResult(123, tuple(command))

    def lend(self, pid: int) -> None:
        self.lent.append(pid)

    def take_back(self, pid: int | None) -> None:
        self.lent.append(None if pid is None else -pid)

    def shell(self) -> ShellResult:
        return ShellResult(2, 0)

    def gdbinit(self) -> Path:
        return Path("/somewhere/gdbinit.py")


@dataclass(slots=True)
class FakeFrontEnd:
    """Types command lines and keeps what they print."""

    front_end: FrontEnd = FrontEnd.SHELL
    updater: FakeUpdater = field(default_factory=FakeUpdater)
    services: FakeServices = field(default_factory=FakeServices)
    printed: list[str] = field(default_factory=list)
    context: Context = field(init=False)

    def __post_init__(self) -> None:
        self.context = Context(lambda: self.updater, self.front_end, self.services)

    def type(self, line: str) -> Outcome:
        """Run one command line.

        :raises McrError: as the verb does.
        """
        name, *words = shlex.split(line)
        return execute(find(name, self.front_end), words, self.context, self.printed.append)

    @property
    def text(self) -> str:
        """All that was printed."""
        return "\n".join(self.printed)
