"""Threads are got out of blocking calls, so that they go on to their next quiescent points.

Where and how, a user says in the profile. In O libmcr does it, as everything that happens in O; N, which nobody uses
yet, gets its signals from us.
Source: seed, "quiescence point detection": annotated signals, injected descriptor events.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping

from gdb_mcr.errors import TargetError
from gdb_mcr.model.process import Task
from gdb_mcr.model.profile import Unblocking
from gdb_mcr.proc.descriptors import descriptors
from gdb_mcr.proc.files import read_text
from gdb_mcr.proc.status import parse_status
from gdb_mcr.proc.tasks import tasks
from gdb_mcr.proc.thread_signals import signal_thread
from gdb_mcr.proc.unix_peers import unix_peers
from gdb_mcr.runtime_abi.control import request_unblock, unblock_state
from gdb_mcr.runtime_abi.layout import UnblockRequest
from gdb_mcr.update.recorded import RecordedProcess

SERVE_S, _LOOK_S = 0.02, 0.0005
"""Seconds in which a held thread serves a request: it looks every two milliseconds."""

_EVENTFD = "anon_inode:[eventfd]"
_READS = frozenset({0, 19, 45, 47})  # read, readv, recvfrom, recvmsg


def unblock_old(server: RecordedProcess, ways: Mapping[int, Unblocking]) -> None:
    """Asks O's libmcr to get each of these threads out of its call; nothing where that cannot be.

    :param ways: by tid.
    """
    for tid, way in ways.items():
        for request, target, argument in _requests(server.pid, tid, way):
            request_unblock(server.memory, server.control_address, request, target, argument)
            _await_served(server)


def unblock_new(server: RecordedProcess, ways: Mapping[int, Unblocking]) -> None:
    """Signals N's threads. Events are left to O: what would have to be written to may be shared with it."""
    for tid, way in ways.items():
        for request, _, number in _requests(server.pid, tid, way):
            if request is UnblockRequest.SIGNAL:
                signal_thread(server.pid, tid, number)


def _await_served(server: RecordedProcess) -> None:
    deadline = time.monotonic() + SERVE_S
    while unblock_state(server.memory, server.control_address)[0] is not UnblockRequest.NONE:
        if time.monotonic() > deadline:
            request_unblock(server.memory, server.control_address, UnblockRequest.NONE, 0, 0)
            return
        time.sleep(_LOOK_S)


def _requests(pid: int, tid: int, way: Unblocking) -> Iterator[tuple[UnblockRequest, int, int]]:
    if not way.signal:
        yield from _event(pid, tasks(pid).get(tid))
    elif _takes(pid, tid, way.signal):
        yield UnblockRequest.SIGNAL, tid, way.signal


# A signal without a handler would end the program.
def _takes(pid: int, tid: int, number: int) -> bool:
    try:
        signals = parse_status(read_text(pid, "task", str(tid), "status")).signals
    except TargetError:
        return False
    bit = 1 << (number - 1)
    return bool(signals.caught & bit) and not signals.blocked & bit


# The thread reads an eventfd, or one end of a pipe or of a socket pair whose other end the process has as well.
def _event(pid: int, task: Task | None) -> Iterator[tuple[UnblockRequest, int, int]]:
    if task is None or task.syscall not in _READS:
        return
    open_now = descriptors(pid)
    mine = open_now.get(task.arguments[0] & 0xFFFFFFFF)
    if mine is None:
        return
    if mine.target == _EVENTFD:
        yield UnblockRequest.EVENT, mine.number, 8
        return
    peers = {f"socket:[{inode}]": f"socket:[{peer}]" for inode, peer in unix_peers().items()}
    wanted = peers.get(mine.target, mine.target)
    for one in open_now.values():
        is_other_end = one.number != mine.number and one.target == wanted
        if is_other_end and one.flags & os.O_ACCMODE != os.O_RDONLY and not one.target.startswith("/"):
            yield UnblockRequest.EVENT, one.number, 1
            return
