"""Start-up allocations that no call stack pairs, paired by what points to them.

A function that was renamed, split or inlined otherwise changes the call stack ID of all that it allocates. Where a
paired object of O and its counterpart in N hold, at the same place, the exact starts of two allocations that are both
unpaired and both of one origin, these two are each other's counterparts; what they hold is looked at in turn.
Source: FACTS-E2E obstacle 3: pairs found along pointers alone are fragile, hence the demand for one origin.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass

from gdb_mcr.model.startup_log import Allocation
from gdb_mcr.units import WORD

MAX_BYTES = 1 << 20
"""Only the first so many bytes of a holder are looked at."""

ReadBytes = Callable[[int, int], bytes | None]
"""(address, size) to the bytes there at the end of start-up, None if they are not known."""


@dataclass(frozen=True, slots=True)
class HolderSide:
    """One side: its allocations at the end of its start-up."""

    allocations: dict[int, Allocation]
    """By seq; those that lived then."""
    address: Callable[[Allocation], int]
    size: Callable[[Allocation], int]
    origin: Callable[[Allocation], Hashable]
    """Who allocated it and as what, equal on both sides if the same; None = unknown."""
    read: ReadBytes

    def starts(self) -> dict[int, Allocation]:
        """Allocations by their address."""
        return {self.address(one): one for one in self.allocations.values()}


@dataclass(frozen=True, slots=True)
class Holder:
    """Memory of O and its counterpart in N that may point to allocations: `size` bytes on either side."""

    old_address: int
    new_address: int
    size: int


def pair_by_holders(
    old: HolderSide, new: HolderSide, old_of: dict[int, int], roots: Iterable[Holder]
) -> dict[int, int]:
    """More pairs: seq in N's log to seq in O's log.

    :param old_of: the pairs that are known.
    :param roots: variables that have a counterpart.
    """
    found: dict[int, int] = {}
    taken_old, taken_new = set(old_of.values()), set(old_of)
    old_starts, new_starts = old.starts(), new.starts()
    work = [*roots, *_holders(old, new, old_of)]
    while work:
        holder = work.pop()
        for at_old, at_new in _words(old.read, new.read, holder):
            one, other = old_starts.get(at_old), new_starts.get(at_new)
            if one is None or other is None or one.seq in taken_old or other.seq in taken_new:
                continue
            origin = old.origin(one)
            if origin is None or origin != new.origin(other):
                continue
            found[other.seq] = one.seq
            taken_old.add(one.seq)
            taken_new.add(other.seq)
            work.append(_holder(old, new, one, other))
    return found


def _holders(old: HolderSide, new: HolderSide, old_of: dict[int, int]) -> Iterator[Holder]:
    for new_seq, old_seq in old_of.items():
        one, other = old.allocations.get(old_seq), new.allocations.get(new_seq)
        if one is not None and other is not None:
            yield _holder(old, new, one, other)


def _holder(old: HolderSide, new: HolderSide, one: Allocation, other: Allocation) -> Holder:
    return Holder(old.address(one), new.address(other), min(old.size(one), new.size(other), MAX_BYTES))


# Words that differ or not: an address in O and one in N are different places even when equal as numbers.
def _words(read_old: ReadBytes, read_new: ReadBytes, holder: Holder) -> Iterator[tuple[int, int]]:
    first = -holder.old_address % WORD
    size = (holder.size - first) // WORD * WORD
    if size <= 0:
        return
    theirs = read_old(holder.old_address + first, size)
    ours = read_new(holder.new_address + first, size)
    if theirs is None or ours is None:
        return
    length = min(len(theirs), len(ours)) // WORD * WORD
    for pair in zip(array("Q", theirs[:length]), array("Q", ours[:length]), strict=True):
        if pair[0] and pair[1]:
            yield pair
