"""Which of O's descriptors N gets, and when (DESIGN section 6, Global inheritance).

Before N's start-up it gets all that O has open, so that its own descriptors come to stand elsewhere. O runs on
meanwhile; once it is at rest, what is new or another file by now is sent again, and what is gone is closed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from gdb_mcr.model.process import Descriptor
from gdb_mcr.model.startup_log import LoggedOperation, OperationFlag, OperationKind

GAP = 64
"""Numbers above O's highest that N's own start-up leaves free for what O opens while N starts."""

_CLOSING = frozenset((OperationKind.CLOSE, OperationKind.FCLOSE))


@dataclass(frozen=True, slots=True)
class Inheritance:
    """O's open descriptors without libmcr's own, by what they are; numbers ascending."""

    startup: tuple[Descriptor, ...]
    """Made in O's start-up and still the same object: N's start-up may claim them."""
    runtime: tuple[Descriptor, ...]
    """All others: connections, files opened since."""

    @property
    def all(self) -> tuple[Descriptor, ...]:
        """Both, numbers ascending: what the first messages deliver."""
        return tuple(sorted((*self.startup, *self.runtime), key=lambda one: one.number))


@dataclass(frozen=True, slots=True)
class DescriptorChanges:
    """What happened to O's descriptors between two looks; numbers ascending."""

    send: tuple[Descriptor, ...] = ()
    """New, or another open file than before."""
    close: tuple[int, ...] = ()
    """Closed; their numbers are free in O."""
    retag: tuple[Descriptor, ...] = ()
    """The same open file, but close-on-exec has been changed."""


def startup_numbers(operations: Iterable[LoggedOperation]) -> dict[int, int]:
    """The descriptor numbers that start-up objects have, and the seq of the operation that made each.

    An object that was closed, or whose number was reused, is none any more (DESIGN section 6, Global separability). A
    connection is none either: where one comes before the start-up is over, it is the log's last entry, but N's start-up
    accepts nothing.
    """
    makers: dict[int, LoggedOperation] = {}
    for one in operations:
        if one.kind in _CLOSING and not one.error:
            makers.pop(one.args[_descriptor_argument(one.kind)], None)
        makers.update(dict.fromkeys(one.descriptors, one))
        if one.kind is OperationKind.ACCEPT:
            makers.pop(one.result, None)
    return {number: one.seq for number, one in makers.items() if not one.flags & OperationFlag.GONE}


def inheritance(
    descriptors: Mapping[int, Descriptor], operations: Iterable[LoggedOperation], private: Collection[int] = ()
) -> Inheritance:
    """Sorts O's open descriptors. :param private: numbers that are libmcr's own in O."""
    made = startup_numbers(operations)
    kept = [one for number, one in sorted(descriptors.items()) if number not in private]
    return Inheritance(
        startup=tuple(one for one in kept if one.number in made),
        runtime=tuple(one for one in kept if one.number not in made),
    )


def kept_numbers(open_now: Iterable[int], highest_seen: int, limit: int) -> int:
    """The end of the numbers that N's start-up may not take by itself: they are O's now, or may be soon.

    :param highest_seen: the highest number that O has ever used.
    :param limit: O's soft RLIMIT_NOFILE. N's start-up may set it as O's did and then needs numbers below it, so some
        of those that are free stay N's.
    """
    highest = max(open_now, default=0)
    left_to_new = min(GAP, max(0, limit - 1 - highest) // 2)
    return max(highest + 1, min(max(highest, highest_seen) + GAP, limit - left_to_new))


def changes(
    sent: Mapping[int, Descriptor], now: Mapping[int, Descriptor], is_same: Callable[[int], bool]
) -> DescriptorChanges:
    """What must be done so that N has what O has now.

    :param is_same: whether O's number is still the open file that was sent, by `runtime_abi.kcmp` on the copy that
        the controller kept. Asked only if everything that /proc shows agrees.
    """
    kept = {number for number in sent.keys() & now.keys() if _looks_same(sent[number], now[number]) and is_same(number)}
    return DescriptorChanges(
        send=tuple(now[number] for number in sorted(now.keys() - kept)),
        close=tuple(sorted(sent.keys() - now.keys())),
        retag=tuple(now[number] for number in sorted(kept) if is_cloexec(sent[number]) != is_cloexec(now[number])),
    )


def is_cloexec(descriptor: Descriptor) -> bool:
    """Whether it is closed on exec."""
    return bool(descriptor.flags & os.O_CLOEXEC)


def _looks_same(one: Descriptor, other: Descriptor) -> bool:
    return (one.target, one.inode) == (other.target, other.inode)


def _descriptor_argument(kind: OperationKind) -> int:
    return 1 if kind is OperationKind.FCLOSE else 0
