"""Everything that front ends can ask for: implements `update.api.LiveUpdater`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from gdb_mcr.debugger.child_gdb import ChildGdb
from gdb_mcr.errors import McrError
from gdb_mcr.model.inspection import (
    AnnotationsResult,
    DiffResult,
    FdsResult,
    HistoryResult,
    LogResult,
    ObjectResult,
    StatusResult,
    SuggestionResult,
    ThreadsResult,
)
from gdb_mcr.model.profile import ProfileResult
from gdb_mcr.model.results import Build, CheckResult, UpdateResult
from gdb_mcr.update import explaining, history, inspection
from gdb_mcr.update.analysis import build_of
from gdb_mcr.update.api import ProfileOptions, ProgramRef, Progress, UpdateOptions
from gdb_mcr.update.profiling import profile
from gdb_mcr.update.recorded import find_recorded
from gdb_mcr.update.run import prepare_run
from gdb_mcr.update.session import Session
from gdb_mcr.update.tree_session import open_session
from gdb_mcr.update.whole import run_update


class Updater:
    """The real thing. It holds nothing between two calls but an open session's tracer."""

    def __init__(self) -> None:
        self._session: Session | None = None

    def prepare_run(self, command: Sequence[str], profile: Path | None = None) -> Callable[[], NoReturn]:
        """Prepare a server to run under libmcr; the answer execs it."""
        return prepare_run(command, profile=profile)

    def profile(self, pid: int, options: ProfileOptions) -> ProfileResult:
        """Watch the threads of a server that was started for this."""
        return profile(pid, options)

    def check(self, old: ProgramRef, new: Path, options: UpdateOptions) -> CheckResult:
        """The static findings; nothing is touched."""
        return inspection.check(old, new, options)

    def update(self, pid: int, new: Path, options: UpdateOptions, progress: Progress) -> UpdateResult:
        """The whole update."""
        process = find_recorded(pid)
        history.check_room()
        old_path = str(process.executable.readlink())
        session = open_session(process)
        try:
            result = run_update(session, new, options, progress)
        finally:
            session.close()
        return self._recorded(session, result, old_path)

    def open_session(self, pid: int) -> Session:
        """Begin a step-wise update."""
        self._session = open_session(find_recorded(pid))
        return self._session

    def servers(self) -> tuple[int, ...]:
        """The pids of this user's servers that run under libmcr."""
        return inspection.servers()

    def status(self, pid: int | None) -> StatusResult:
        """One server, or all that run under libmcr."""
        return inspection.status(pid, self._own_debuggers())

    # The user's GDB, if this runs in it, hands its process over; the other holds O for the open update.
    def _own_debuggers(self) -> tuple[int, ...]:
        holder = self._session.holder if self._session is not None else None
        return (os.getpid(),) if holder is None else (os.getpid(), holder)

    def threads(self, pid: int) -> ThreadsResult:
        """The threads of the server."""
        if self._session is not None and self._session.holds(pid):
            return self._session.threads()
        with ChildGdb() as debugger:
            return inspection.threads(pid, debugger)

    def fds(self, pid: int) -> FdsResult:
        """The descriptors of the server."""
        return inspection.fds(pid)

    def log(self, pid: int) -> LogResult:
        """The start-up log."""
        return inspection.log(pid)

    def diff(self, old: ProgramRef, new: Path, annotations: tuple[Path, ...]) -> DiffResult:
        """All differences between two builds."""
        return inspection.diff(old, new, annotations)

    def explain(self, pid: int, expression: str, new: Path | None, options: UpdateOptions) -> ObjectResult:
        """What the object at an address or path is."""
        return explaining.explain(find_recorded(pid), expression, new, options)

    def history(self, pid: int | None) -> HistoryResult:
        """Past updates."""
        return inspection.history(pid)

    def suggest(self, old: ProgramRef, new: Path, annotations: tuple[Path, ...]) -> SuggestionResult:
        """What annotations could settle the findings of `check`."""
        return inspection.suggest(old, new, annotations)

    def annotations(self, files: tuple[Path, ...], old: ProgramRef | None, new: Path | None) -> AnnotationsResult:
        """Parse the files, and check them if both programs are given."""
        return inspection.check_annotations(files, old, new)

    # The update is over: a history that cannot be written is no reason to call it failed.
    def _recorded(self, session: Session, result: UpdateResult, old_path: str) -> UpdateResult:
        if session.analysis is None:
            return result
        old = Build(old_path, session.analysis.old.build_id)
        try:
            history.record(result, old, build_of(session.analysis.new))
        except McrError as error:
            session.warnings.append(f"the update is not in the history: {error}")
            return session.result(result.verdict, result.failure, result.new_pids)
        return result
