"""Everything that front ends can ask for: implements `update.api.LiveUpdater`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from gdb_mcr.model.results import UpdateResult
from gdb_mcr.update import history
from gdb_mcr.update.analysis import build_of
from gdb_mcr.update.api import Progress, UpdateOptions
from gdb_mcr.update.recorded import find_recorded
from gdb_mcr.update.run import prepare_run
from gdb_mcr.update.session import Session
from gdb_mcr.update.whole import run_update


class Updater:
    """The real thing. It holds nothing between two calls."""

    def prepare_run(self, command: Sequence[str]) -> Callable[[], NoReturn]:
        """Prepare a server to run under libmcr; the answer execs it."""
        return prepare_run(command)

    def update(self, pid: int, new: Path, options: UpdateOptions, progress: Progress) -> UpdateResult:
        """The whole update."""
        process = find_recorded(pid)
        history.check_room()
        session = Session(process)
        try:
            result = run_update(session, new, options, progress)
        finally:
            session.close()
        if session.analysis is not None:
            history.record(result, build_of(session.analysis.old), build_of(session.analysis.new))
        return result

    def open_session(self, pid: int) -> Session:
        """Begin a step-wise update."""
        return Session(find_recorded(pid))
