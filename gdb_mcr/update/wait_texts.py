"""Blocking calls that are no quiescent points, as people read them. Source: syscalls(2), proc_locks(5)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from gdb_mcr.errors import McrError
from gdb_mcr.model.process import Task
from gdb_mcr.proc.descriptors import targets
from gdb_mcr.proc.sockets import sockets
from gdb_mcr.proc.status import status

_NAMES = {
    **{0: "read", 1: "write", 7: "poll", 18: "pwrite64", 19: "readv", 20: "writev", 23: "select", 34: "pause"},
    **{35: "nanosleep", 40: "sendfile", 42: "connect", 43: "accept", 44: "sendto", 45: "recvfrom", 46: "sendmsg"},
    **{47: "recvmsg", 61: "wait4", 65: "semop", 69: "msgsnd", 70: "msgrcv", 72: "fcntl", 73: "flock", 74: "fsync"},
    **{75: "fdatasync", 128: "rt_sigtimedwait", 130: "rt_sigsuspend", 202: "futex", 208: "io_getevents"},
    **{230: "clock_nanosleep", 232: "epoll_wait", 242: "mq_timedsend", 243: "mq_timedreceive", 247: "waitid"},
    **{257: "openat", 270: "pselect6", 271: "ppoll", 281: "epoll_pwait", 288: "accept4", 426: "io_uring_enter"},
    441: "epoll_pwait2",
}
"""x86-64 system calls that may block."""

_WRITES, _READS = frozenset({1, 18, 20, 40, 44, 46}), frozenset({0, 19, 43, 45, 47, 288})
_CONNECT, _WAIT4, _FCNTL, _FLOCK = 42, 61, 72, 73
_QUEUES = frozenset({69, 70})


def call_name(number: int) -> str:
    """A system call by its number."""
    return _NAMES.get(number, f"system call {number}")


def what_it_waits_for(pid: int, task: Task) -> str:
    """A clause about what a thread needs that is blocked in a call in which no update is legal, "" if unknown."""
    describe = _DETAILS.get(task.syscall)
    return describe(pid, task) if describe is not None else ""


def _written(pid: int, task: Task) -> str:
    return f"{_descriptor(pid, task)} takes no more until somebody reads there"


def _read(pid: int, task: Task) -> str:
    return f"libmcr knows nothing of this read from {_descriptor(pid, task)}"


def _connected(pid: int, task: Task) -> str:
    return f"nobody has answered yet on {_descriptor(pid, task)}"


def _waited_for(pid: int, task: Task) -> str:
    child = task.arguments[0] & 0xFFFFFFFF
    with suppress(McrError):
        return f"process {child} ({status(child).name}) has not ended"
    return ""


def _queue(pid: int, task: Task) -> str:
    return f"it needs a change of message queue {task.arguments[0]}"


def _locked(pid: int, task: Task) -> str:
    holder = _lock_holder(pid, task)
    return f"{holder or 'somebody'} has locked {_descriptor(pid, task)}"


_DETAILS: Mapping[int, Callable[[int, Task], str]] = {
    **dict.fromkeys(_WRITES, _written),
    **dict.fromkeys(_READS, _read),
    **dict.fromkeys(_QUEUES, _queue),
    _CONNECT: _connected,
    _WAIT4: _waited_for,
    _FCNTL: _locked,
    _FLOCK: _locked,
}


def _descriptor(pid: int, task: Task) -> str:
    number = task.arguments[0] & 0xFFFFFFFF
    try:
        target = targets(pid).get(number, "")
        end = sockets(pid).get(int(target.partition("[")[2].rstrip("]") or 0)) if target.startswith("socket:") else None
    except McrError:
        target, end = "", None
    if end is not None:
        target = " - ".join(filter(None, (f"{end.protocol} {end.local or 'unnamed'}", end.remote)))
    return f"descriptor {number} ({target})" if target else f"descriptor {number}"


# `1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF`; an arrow marks those that wait.
def _lock_holder(pid: int, task: Task) -> str:
    number = task.arguments[0] & 0xFFFFFFFF
    try:
        inode = Path(f"/proc/{pid}/fd/{number}").stat().st_ino
        rows = [line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" not in line]
    except OSError:
        return ""
    holders = [int(row[4]) for row in rows if row[5].rpartition(":")[2] == str(inode) and int(row[4]) > 0]
    for holder in holders:
        with suppress(OSError):
            name = os.fsdecode(Path(f"/proc/{holder}/comm").read_bytes()).strip()
            return f"process {holder} ({name})"
    return ""
