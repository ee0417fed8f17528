"""COMMIT: the one step that cannot be undone, and what must be true right before it. Source: DESIGN section 3."""

from __future__ import annotations

import signal

from gdb_mcr.debugger.base import Debugger
from gdb_mcr.errors import McrError, UpdateFailed
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.proc.status import status
from gdb_mcr.proc.tasks import tasks
from gdb_mcr.update.new_server import NewServer

_STOPPED = ("t", "T")
_UNSENDABLE = (signal.SIGKILL, signal.SIGSTOP)


def require_still(pid: int, debugger: Debugger) -> None:
    """That every thread of O stands still under our debugger.

    :raises UpdateFailed: one runs: the debugger died, and O serves on.
    """
    if status(pid).tracer != debugger.pid or any(one.state not in _STOPPED for one in tasks(pid).values()):
        raise UpdateFailed("the old server runs again: its debugger is gone", hint="try again")


def commit_new(new: NewServer, old: Pidfd) -> list[str]:
    """N ends O and serves. Signals that were still to be delivered to O reach N. Answers warnings."""
    pending = status(old.pid).signals.pending
    new.process.channel.commit([old.fileno()])
    warnings = []
    try:
        _pass_on(pending, new.pid)
    except McrError as error:
        warnings.append(f"a signal that waited for the old server was lost: {error}")
    new.process.committed()
    return warnings


def _pass_on(pending: int, pid: int) -> None:
    numbers = [number for number in range(1, 65) if pending >> (number - 1) & 1 and number not in _UNSENDABLE]
    if not numbers:
        return
    with Pidfd(pid) as process:
        for number in numbers:
            process.send_signal(signal.Signals(number))
