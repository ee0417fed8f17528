"""/proc/PID/fd and /proc/PID/fdinfo. Source: proc(5), epoll(7)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from gdb_mcr.model.process import Descriptor, EpollWatch
from gdb_mcr.proc.files import numbers, opened, read_at, read_text

EPOLL = "anon_inode:[eventpoll]"
"""What an epoll instance's link says."""

_WATCH = re.compile(
    r"^tfd:\s*(\d+)\s+events:\s*([0-9a-f]+)\s+data:\s*([0-9a-f]+)\s+pos:\S*\s*ino:([0-9a-f]+)\s+sdev:([0-9a-f]+)",
    re.MULTILINE,
)


def descriptors(pid: int) -> dict[int, Descriptor]:
    """The process's open descriptors by number. One that is closed meanwhile is left out.

    :raises TargetError: there is no such process, or it may not be looked at.
    """
    with opened(pid, "fd") as links, opened(pid, "fdinfo") as details:
        return {one.number: one for number in numbers(pid, "fd") for one in _descriptor(links, details, number)}


def targets(pid: int, wanted: Iterable[int] | None = None) -> dict[int, str]:
    """What each open descriptor is, by number: the link's target alone, which is much quicker than `descriptors`.

    :param wanted: the numbers that are asked about; None = all.

    :raises TargetError: there is no such process, or it may not be looked at.
    """
    found = {}
    with opened(pid, "fd") as links:
        for number in numbers(pid, "fd") if wanted is None else wanted:
            with suppress(FileNotFoundError):
                found[number] = os.readlink(str(number), dir_fd=links)
    return found


def watches(pid: int, number: int) -> tuple[EpollWatch, ...]:
    """What the epoll instance ``number`` watches, by descriptor number.

    :raises TargetError: there is no such process or descriptor, or it may not be looked at.
    """
    return _sorted_watches(read_text(pid, "fdinfo", str(number)))


def descriptor_numbers(pid: int) -> tuple[int, ...]:
    """The numbers of the open descriptors, in order.

    :raises TargetError: there is no such process, or it may not be looked at.
    """
    return numbers(pid, "fd")


def parse_descriptor(number: int, target: str, fdinfo: str) -> Descriptor:
    """The value of a link's target and the fdinfo beside it (kernels before 5.14 give no inode: 0)."""
    fields = dict(line.split(":", 1) for line in fdinfo.splitlines() if ":" in line and not line.startswith("tfd:"))
    return Descriptor(
        number=number,
        target=target,
        inode=int(fields.get("ino", "0")),
        position=int(fields["pos"]),
        flags=int(fields["flags"], 8),
        watches=_sorted_watches(fdinfo) if target == EPOLL else (),
    )


def parse_watches(fdinfo: str) -> Iterator[EpollWatch]:
    """The registrations in an epoll instance's fdinfo. Everything but the number is hexadecimal there."""
    for fd, events, data, inode, device in _WATCH.findall(fdinfo):
        yield EpollWatch(int(fd), int(events, 16), int(data, 16), int(inode, 16), int(device, 16))


def _sorted_watches(fdinfo: str) -> tuple[EpollWatch, ...]:
    return tuple(sorted(parse_watches(fdinfo), key=lambda one: (one.fd, one.data)))


def _descriptor(links: int, details: int, number: int) -> Iterator[Descriptor]:
    try:
        target = os.readlink(str(number), dir_fd=links)
        fdinfo = read_at(details, str(number))
    except FileNotFoundError:
        return
    yield parse_descriptor(number, target, fdinfo)
