"""O is asked for the descriptor that tells which of its pages are written, so that its heap can be copied early.

Without it everything is copied while O stands still: slower, and just as right.
"""

from __future__ import annotations

import time

from gdb_mcr.errors import McrError, TargetError
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.proc.status import status
from gdb_mcr.proc.write_tracking import AllWritten, PageTracker, WriteTracker
from gdb_mcr.runtime_abi.control import request_tracker, tracker_state
from gdb_mcr.runtime_abi.layout import TrackerRequest
from gdb_mcr.update.recorded import RecordedProcess

PATIENCE_S = 1.2
"""Seconds until some thread must have come to a wait: most servers have a timer that fires every second."""

_LOOK_S = 0.001


def track_writes(process: RecordedProcess, pidfd: Pidfd) -> PageTracker:
    """A tracker for the running process."""
    try:
        if status(process.pid).seccomp:
            return AllWritten()  # a filter may kill it for a system call that it never makes by itself
        return _open(process, pidfd)
    except McrError:
        return AllWritten()


def _open(process: RecordedProcess, pidfd: Pidfd) -> WriteTracker:
    try:
        tracker = WriteTracker(process.pid, pidfd.getfd(_ask(process)))
    finally:
        request_tracker(process.memory, process.control_address, TrackerRequest.CLOSE)
    try:
        _wait(process, TrackerRequest.NONE)  # N must not inherit it
    except McrError:
        tracker.close()
        raise
    return tracker


def _ask(process: RecordedProcess) -> int:
    request_tracker(process.memory, process.control_address, TrackerRequest.OPEN)
    descriptor = _wait(process, TrackerRequest.OPENED)
    if descriptor < 0:
        raise TargetError(f"the kernel tells process {process.pid} nothing about its writes")
    return descriptor


# NONE is always an end: the kernel may have refused.
def _wait(process: RecordedProcess, done: TrackerRequest) -> int:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        state, descriptor = tracker_state(process.memory, process.control_address)
        if state in (done, TrackerRequest.NONE):
            return descriptor
        time.sleep(_LOOK_S)
    raise TargetError(f"no thread of process {process.pid} came to a wait in time")
