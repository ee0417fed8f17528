"""What a front end lends to the verbs it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gdb_mcr.commands.registry import FrontEnd
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.inspection import SessionStatus
from gdb_mcr.model.results import RunResult, ShellResult
from gdb_mcr.model.steps import SessionState
from gdb_mcr.update.api import LiveUpdater, NoProgress, Progress, UpdateSession


class Services(Protocol):
    """What only the front end itself can do."""

    def current_pid(self) -> int | None:
        """The server that a verb without PID means, None if there is none."""
        ...

    def lend(self, pid: int) -> None:
        """Give up a server that the front end itself traces; nothing if it does not.

        :raises AlreadyTraced: the user wants to keep it.
        """
        ...

    def take_back(self, pid: int | None) -> None:
        """Trace again what serves now in the place of what was lent; nothing if nothing was.

        :param pid: what serves now, None = what was lent.
        """
        ...

    def run_server(self, command: Sequence[str], updater: LiveUpdater, profile: Path | None) -> RunResult:
        """Start a server under libmcr beside this process, or prepare this process to become it.

        :param profile: as for `LiveUpdater.prepare_run`.
        """
        ...

    def run_beside(self, command: Sequence[str]) -> RunResult:
        """Start a server under libmcr beside this process, whatever `run_server` does."""
        ...

    def shell(self) -> ShellResult:
        """Run `mcr shell` until it ends."""
        ...

    def gdbinit(self) -> Path:
        """The file that GDB is to source."""
        ...


@dataclass(slots=True)
class Context:
    """The state of one front end. It is passed to every verb and is nobody's global."""

    make_updater: Callable[[], LiveUpdater]
    """Called when the first verb needs it, so that help works whatever is wrong."""
    front_end: FrontEnd
    services: Services
    progress: Progress = field(default_factory=NoProgress)
    session: UpdateSession | None = None
    """The update that is open."""
    annotation_files: tuple[Path, ...] = ()
    """What `annotations` set for the verbs that follow."""
    finding_ids: tuple[str, ...] = ()
    """Of the last answer that had findings; for completion."""
    _updater: LiveUpdater | None = None

    @property
    def updater(self) -> LiveUpdater:
        """What does the work.

        :raises McrError: it cannot be had.
        """
        if self._updater is None:
            self._updater = self.make_updater()
        return self._updater

    @property
    def state(self) -> SessionState:
        """How far the open update has come, IDLE if there is none."""
        return self.session.state if self.session is not None else SessionState.IDLE

    @property
    def session_status(self) -> SessionStatus | None:
        """The open update as a value."""
        if self.session is None:
            return None
        return SessionStatus(self.session.state, self.session.old_pids, self.session.new_pids)

    def note_findings(self, findings: Sequence[Finding]) -> None:
        """Remember what `--yes-to` may name next."""
        self.finding_ids = tuple(one.id for one in findings)

    def forget_ended_session(self) -> None:
        """Let go of a session that was committed or rolled back or released."""
        if self.session is not None and self.session.state in (SessionState.IDLE, SessionState.COMMITTED):
            self.session.close()
            self.session = None

    def close(self) -> None:
        """The front end ends: roll back what is open."""
        if self.session is not None:
            self.session.close()
            self.session = None
