"""Which of O's descriptors N gets, and when. Source: seed, "global inheritance"; DESIGN sections 6 and 12."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from gdb_mcr.model.process import Descriptor
from gdb_mcr.proc.descriptors import descriptors
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.runtime_abi.channel import PassedFd
from gdb_mcr.runtime_abi.settings import Inherited

GAP = 64
"""Numbers above O's highest that N's own start-up leaves free for what O opens while N starts."""

_REBUILT = frozenset({"anon_inode:[eventpoll]"})


def inheritable(pid: int) -> dict[int, Descriptor]:
    """O's descriptors that N gets as they are. Epoll instances are not among them: N has fresh ones."""
    return {number: one for number, one in descriptors(pid).items() if one.target not in _REBUILT}


def as_inherited(found: Mapping[int, Descriptor]) -> tuple[Inherited, ...]:
    """For N's settings."""
    return tuple(Inherited(number, bool(one.flags & os.O_CLOEXEC)) for number, one in sorted(found.items()))


@contextmanager
def taken(pidfd: Pidfd, found: Mapping[int, Descriptor]) -> Iterator[list[PassedFd]]:
    """Our own copies of these descriptors of O, closed behind the block."""
    copies: list[PassedFd] = []
    try:
        for number, one in sorted(found.items()):
            copies.append(PassedFd(number, bool(one.flags & os.O_CLOEXEC), pidfd.getfd(number)))
        yield copies
    finally:
        for copy in copies:
            os.close(copy.descriptor)


def is_same(one: Descriptor, other: Descriptor) -> bool:
    """Whether two looks at a number saw the same open file, as far as /proc tells."""
    return (one.target, one.inode) == (other.target, other.inode)


def changed_since(before: Mapping[int, Descriptor], now: Mapping[int, Descriptor]) -> dict[int, Descriptor]:
    """Descriptors that were opened, or whose number was reused, since `before`.

    Anonymous objects (eventfds, timers) look alike, so all that are not sockets or files are sent again: a number
    that changes hands costs nothing.
    """
    return {
        number: one
        for number, one in now.items()
        if number not in before or not is_same(before[number], one) or one.target.startswith("anon_inode:")
    }


def gone_since(before: Mapping[int, Descriptor], now: Mapping[int, Descriptor]) -> Sequence[int]:
    """Numbers that were open and no longer are."""
    return sorted(set(before) - set(now))
