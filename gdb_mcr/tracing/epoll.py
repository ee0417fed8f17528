"""What to change in N's fresh epoll instances so that they watch what O's watch.

N's instance for a matched start-up descriptor already has N's own registrations, with data words that mean something to
N; everything else comes from O with its data words translated. O's instances stay untouched, so rollback is free.
Source: DESIGN section 12; epoll(7), proc(5) on fdinfo.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum


class EpollAction(IntEnum):
    """EPOLL_CTL_*, sys/epoll.h."""

    ADD = 1
    DEL = 2
    MOD = 3


@dataclass(frozen=True, slots=True)
class Watch:
    """One registration: a `tfd:` line of fdinfo."""

    fd: int
    events: int
    """EPOLLIN… as the kernel shows it; a disarmed EPOLLONESHOT shows as 0x40000000."""
    data: int
    inode: int


@dataclass(frozen=True, slots=True)
class EpollChange:
    """One epoll_ctl call in N."""

    instance: int
    action: EpollAction
    fd: int
    events: int
    data: int


@dataclass(frozen=True, slots=True)
class LostWatch:
    """A registration that cannot be carried: its file is closed, or open under another number (R9)."""

    instance: int
    watch: Watch
    reason: str


Watches = Mapping[int, Sequence[Watch]]
"""Epoll descriptor to its registrations."""


def rebuild(
    old: Watches,
    new: Watches,
    old_inodes: Mapping[int, int],
    startup_fds: frozenset[int],
    translate: Callable[[int], int],
) -> tuple[list[EpollChange], list[LostWatch]]:
    """Plans N's registrations.

    :param old_inodes: inode of each descriptor that O has open now.
    :param startup_fds: matched start-up descriptors: N keeps its own data word for them.
    :param translate: where a pointer of O points in N, 0 if its target is lost.
    """
    changes: list[EpollChange] = []
    lost: list[LostWatch] = []
    for instance, watches in sorted(old.items()):
        own = {watch.fd: watch for watch in new.get(instance, ())}
        for watch in watches:
            reason = _why_lost(watch, old_inodes)
            if reason:
                lost.append(LostWatch(instance, watch, reason))
                continue
            change = _change(instance, watch, own.pop(watch.fd, None), startup_fds, translate)
            if change is not None:
                changes.append(change)
        changes += [EpollChange(instance, EpollAction.DEL, fd, 0, 0) for fd in sorted(own) if fd in startup_fds]
    return changes, lost


def _why_lost(watch: Watch, old_inodes: Mapping[int, int]) -> str:
    inode = old_inodes.get(watch.fd)
    if inode is None:
        return "its descriptor is closed, but a duplicate keeps the registration"
    if inode != watch.inode:
        return "its descriptor number now belongs to another file"
    return ""


def _change(
    instance: int,
    watch: Watch,
    own: Watch | None,
    startup_fds: frozenset[int],
    translate: Callable[[int], int],
) -> EpollChange | None:
    if own is None:
        return EpollChange(instance, EpollAction.ADD, watch.fd, watch.events, translate(watch.data))
    data = own.data if watch.fd in startup_fds else translate(watch.data)
    if (own.events, own.data) == (watch.events, data):
        return None
    return EpollChange(instance, EpollAction.MOD, watch.fd, watch.events, data)
