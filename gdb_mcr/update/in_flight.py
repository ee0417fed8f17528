"""Events that one thread of a server has sent to another, and that nobody has taken yet.

A server whose threads all wait is not at rest while such an event lies in a pipe, an eventfd or a pair of sockets of
its own: the sender has done its part, and a thread that is held would take it. What comes from outside may lie there:
it is the next event, and the new server takes it.
Source: DESIGN section 5; pipe(7), eventfd(2), unix(7), poll(2).
"""

from __future__ import annotations

import os
import select
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from gdb_mcr.errors import McrError
from gdb_mcr.model.process import Descriptor, Task
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.proc.unix_peers import unix_peers

_EVENTFD = "anon_inode:[eventfd]"
_PIPE, _SOCKET = "pipe:", "socket:"
_NO_DESCRIPTORS = frozenset({35, 230, 202, 128, 130, 34, 65, 220, 61, 247})
"""nanosleep, clock_nanosleep, futex, sigtimedwait, sigsuspend, pause, semop, semtimedop, wait4, waitid."""

_OF_ONE = frozenset({0, 19, 45, 47, 299, 43, 288, 232, 281, 441})
"""read, readv, recvfrom, recvmsg, recvmmsg, accept, accept4, epoll_wait, epoll_pwait, epoll_pwait2."""

_OF_TABLE = frozenset({7, 271})
"""poll, ppoll."""

_POLLFD = struct.Struct("<ihh")
_MOST_FDS = 1 << 16


class Reader(Protocol):
    """The memory of the process."""

    def read(self, address: int, size: int) -> bytes:
        """Bytes."""
        ...


class EventsInFlight:
    """Of a process that stands still."""

    def __init__(self, handle: Pidfd, descriptors: Mapping[int, Descriptor]) -> None:
        """:param descriptors: what the process has open."""
        self._handle = handle
        self._descriptors = descriptors
        self._pending = {
            _key(descriptors[number]): f"an event of the server's own lies in its {name} (descriptor {number})"
            for number, name in _own_channels(descriptors)
            if _is_readable(handle, number)
        }

    def anywhere(self) -> str:
        """Where one lies, "" if there is none."""
        return next(iter(self._pending.values()), "")

    def awaited_by(self, wait: Task, memory: Reader) -> str:
        """Where one lies for which this system call waits; "" if none does."""
        if not self._pending or wait.syscall in _NO_DESCRIPTORS:
            return ""
        if wait.syscall in _OF_ONE:
            return self._in(wait.arguments[0] & 0xFFFFFFFF)
        if wait.syscall not in _OF_TABLE:
            return self.anywhere()
        address, count = wait.arguments[:2]
        try:
            table = memory.read(address, _POLLFD.size * min(count, _MOST_FDS))
        except McrError:
            return self.anywhere()
        return next(filter(None, (self._in(number) for number, _, _ in _POLLFD.iter_unpack(table))), "")

    def _in(self, number: int) -> str:
        one = self._descriptors.get(number)
        if one is None:
            return ""
        if not one.is_epoll:
            return self._pending.get(_key(one), "")
        if not _is_readable(self._handle, number):
            return ""
        return next(filter(None, (self._in(watch.fd) for watch in one.watches if watch.fd != number)), "")


# All eventfds have the same name.
def _key(one: Descriptor) -> str:
    return str(one.number) if one.target == _EVENTFD else one.target


# Each once, however many descriptors lead to it: those whose other end the process has as well.
def _own_channels(descriptors: Mapping[int, Descriptor]) -> Iterator[tuple[int, str]]:
    targets = {one.target for one in descriptors.values()}
    writable = {one.target for one in descriptors.values() if one.flags & os.O_ACCMODE != os.O_RDONLY}
    peers = _peers(targets)
    seen: set[str] = set()
    for number, one in descriptors.items():
        if one.target in seen or one.flags & os.O_ACCMODE == os.O_WRONLY:
            continue
        if one.target == _EVENTFD:
            yield number, "eventfd"
        elif one.target.startswith(_PIPE) and one.target in writable:
            seen.add(one.target)
            yield number, "pipe"
        elif peers.get(one.target) in targets:
            seen.add(one.target)
            yield number, "socket pair"


def _peers(targets: Iterable[str]) -> Mapping[str, str]:
    if not any(one.startswith(_SOCKET) for one in targets):
        return {}
    return {f"{_SOCKET}[{inode}]": f"{_SOCKET}[{peer}]" for inode, peer in unix_peers().items()}


def _is_readable(handle: Pidfd, number: int) -> bool:
    copy = handle.getfd(number)
    try:
        poller = select.poll()
        poller.register(copy, select.POLLIN)
        return any(event & select.POLLIN for _, event in poller.poll(0))
    finally:
        os.close(copy)
