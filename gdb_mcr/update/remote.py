"""System calls that N's libmcr makes for the controller, by name. Numbers are those of x86-64."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterable, Sequence

from gdb_mcr.errors import UpdateFailed
from gdb_mcr.runtime_abi.channel import Channel, RemoteCall
from gdb_mcr.tracing.epoll import EpollChange
from gdb_mcr.units import Range

PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC = 0, 1, 2, 4
_MAP_PRIVATE, _MAP_FIXED, _MAP_ANONYMOUS, _MAP_FIXED_NOREPLACE = 0x2, 0x10, 0x20, 0x100000
_SYS_CLOSE, _SYS_MMAP, _SYS_MPROTECT, _SYS_MUNMAP, _SYS_MADVISE = 3, 9, 10, 11, 28
_MADV_DONTNEED = 4
_SYS_EPOLL_CTL, _SYS_EPOLL_CREATE1, _SYS_DUP3 = 233, 291, 292
_EPOLL_CLOEXEC = 0x80000


def map_over(channel: Channel, ranges: Iterable[Range]) -> None:
    """Puts zeroed, writable memory over the ranges, whatever is there. :raises UpdateFailed: no memory."""
    flags = _MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_FIXED
    _run(channel, [_map(one, flags) for one in ranges], "map memory at the old server's addresses")


def map_free(channel: Channel, place: Range) -> bool:
    """Puts zeroed, writable memory at a free range; False if something stands there."""
    (result,) = channel.syscalls([_map(place, _MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_FIXED_NOREPLACE)])
    return result.value == place.start


def protect(channel: Channel, ranges: Iterable[Range], protection: int) -> None:
    """Sets the protection of mapped ranges."""
    calls = [RemoteCall(_SYS_MPROTECT, (one.start, one.size, protection), True) for one in ranges]
    _run(channel, calls, "protect memory")


def discard(channel: Channel, ranges: Iterable[Range]) -> None:
    """Makes private memory read as zero again."""
    calls = [RemoteCall(_SYS_MADVISE, (one.start, one.size, _MADV_DONTNEED), True) for one in ranges]
    _run(channel, calls, "give back memory")


def unmap(channel: Channel, ranges: Iterable[Range]) -> None:
    """Takes mapped ranges away."""
    _run(channel, [RemoteCall(_SYS_MUNMAP, (one.start, one.size), True) for one in ranges], "unmap memory")


def close_fds(channel: Channel, numbers: Iterable[int]) -> None:
    """Closes descriptors; one that is closed already is no error."""
    channel.syscalls([RemoteCall(_SYS_CLOSE, (number,)) for number in numbers])


def make_epoll(channel: Channel, numbers: Iterable[int]) -> None:
    """Fresh epoll instances at these numbers."""
    for number in numbers:
        (made,) = channel.syscalls([RemoteCall(_SYS_EPOLL_CREATE1, (_EPOLL_CLOEXEC,))])
        if made.value not in (number,) and made.value >= 0:
            moved = RemoteCall(_SYS_DUP3, (made.value, number, os.O_CLOEXEC), True)
            _run(channel, [moved, RemoteCall(_SYS_CLOSE, (made.value,))], "make an epoll instance")
        elif made.value < 0:
            raise UpdateFailed(f"the new process cannot make an epoll instance: {os.strerror(-made.value)}")


def change_epoll(channel: Channel, changes: Sequence[EpollChange]) -> None:
    """Makes the changes in N's epoll instances.

    :raises UpdateFailed: the kernel refuses one of them.
    """
    calls = [
        RemoteCall(
            _SYS_EPOLL_CTL,
            (one.instance, int(one.action), one.fd, struct.pack("<IQ", one.events, one.data & (1 << 64) - 1)),
        )
        for one in changes
    ]
    for change, result in zip(changes, channel.syscalls(calls), strict=True):
        if result.value < 0:
            reason = errno.errorcode.get(-result.value, str(-result.value))
            raise UpdateFailed(
                f"epoll instance {change.instance} of the new process refuses descriptor {change.fd}: {reason}"
            )


def _map(place: Range, flags: int) -> RemoteCall:
    return RemoteCall(_SYS_MMAP, (place.start, place.size, PROT_READ | PROT_WRITE, flags, -1, 0), True)


def _run(channel: Channel, calls: Sequence[RemoteCall], doing: str) -> None:
    for call, result in zip(calls, channel.syscalls(calls), strict=True):
        if -4095 <= result.value < 0 and call.stop_on_error:
            raise UpdateFailed(f"the new process cannot {doing}: {os.strerror(-result.value)}")
