"""COMMIT: the one step that cannot be undone, and what must be true right before it. Source: DESIGN section 3."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from contextlib import suppress

from gdb_mcr.debugger.base import Debugger
from gdb_mcr.debugger.target_process import is_alive
from gdb_mcr.errors import McrError, TargetError, UpdateFailed
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.proc.status import is_doomed, status
from gdb_mcr.proc.tasks import tasks
from gdb_mcr.update.interrupts import deferred_interrupts
from gdb_mcr.update.new_server import NewServer

STOP_S = 0.2
"""Seconds that N may take to come to its stop: an order that is under way is carried out within them or never."""

_STOPPED = ("t", "T")
_UNSENDABLE = (signal.SIGKILL, signal.SIGSTOP)


def require_still(pid: int, debugger: Debugger) -> None:
    """That every thread of O stands still under our debugger.

    :raises UpdateFailed: one runs: the debugger died, and O serves on.
    """
    if status(pid).tracer != debugger.pid or any(one.state not in _STOPPED for one in tasks(pid).values()):
        raise UpdateFailed("the old server runs again: its debugger is gone", hint="try again")


def commit_new(new: NewServer, old: Pidfd, children: Sequence[tuple[NewServer, Pidfd]] = ()) -> list[str]:
    """N ends O and serves. Signals that were still to be delivered to O reach N. Answers warnings.

    :param children: the forked processes of N, each with its counterpart. They serve when the first process does.
    :raises McrError: it did not come to that: O is alive and N is not.
    """
    pairs = ((new, old), *children)
    pending = [status(pidfd.pid).signals.pending for _, pidfd in pairs]
    warnings = []
    with deferred_interrupts():
        try:
            new.process.channel.commit([pidfd.fileno() for _, pidfd in pairs])
        except McrError as error:
            if not _took_over(new, old.pid):
                raise
            warnings.append(f"the new server did not confirm that it took over, though it did: {error}")
        new.process.committed()
        for child, _ in children:
            warnings += _commit_child(child)
    for (process, _), signals in zip(pairs, pending, strict=True):
        try:
            _pass_on(signals, process.pid)
        except McrError as error:
            warnings.append(f"a signal that waited for the old server was lost: {error}")
    return warnings


# Its parent has committed for it: it serves even if it is not told.
def _commit_child(child: NewServer) -> list[str]:
    try:
        child.process.channel.commit([])
    except McrError as error:
        return [f"process {child.pid} of the new server did not confirm that it serves: {error}"]
    finally:
        child.process.committed()
    return []


# Without a good answer the order may still be on its way. N is stopped, so that what is seen then stays true.
def _took_over(new: NewServer, old_pid: int) -> bool:
    _signal(new.pid, signal.SIGSTOP)
    gone = _is_ended(old_pid)
    if not is_alive(new.pid):
        if gone:
            raise UpdateFailed("the new server ended right after it had ended the old one")
        return False
    _signal(new.pid, signal.SIGCONT if gone else signal.SIGKILL)
    return gone


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(TargetError), Pidfd(pid) as process:
        process.send_signal(number)


# A server with much memory may be dying for longer than we wait: it must count as ended.
def _is_ended(pid: int) -> bool:
    deadline = time.monotonic() + STOP_S
    while not is_doomed(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def _pass_on(pending: int, pid: int) -> None:
    numbers = [number for number in range(1, 65) if pending >> (number - 1) & 1 and number not in _UNSENDABLE]
    if not numbers:
        return
    with Pidfd(pid) as process:
        for number in numbers:
            process.send_signal(signal.Signals(number))
