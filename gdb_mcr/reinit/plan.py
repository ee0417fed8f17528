"""From an alignment to the placement plan for N's start, and from N's start to the pairs for the state transfer.

O runs on between the two, so that a place may be lost in the meantime: `find_lost_places` tells.
Source: DESIGN section 6, Placement.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from gdb_mcr.model.placement import AllocationPair, LostPlace, PlanEntry
from gdb_mcr.model.startup_log import Allocation
from gdb_mcr.reinit.alignment import Alignment, LogSide, align


@dataclass(frozen=True, slots=True)
class LiveChunks:
    """O's live chunks as columns sorted by address."""

    addresses: Sequence[int]
    capacities: Sequence[int]

    def capacity(self, address: int) -> int:
        """Bytes available at the live chunk `address`, 0 if there is none."""
        index = bisect_left(self.addresses, address)
        found = index < len(self.addresses) and self.addresses[index] == address
        return self.capacities[index] if found else 0


@dataclass(frozen=True, slots=True)
class Pairing:
    """What N's start made of the plan."""

    pairs: tuple[AllocationPair, ...]
    diverged: tuple[int, ...]
    """seqs in N's log that asked for another size than in the rehearsal and found no certain counterpart again."""


def make_plan(old: LogSide, new: LogSide, alignment: Alignment, live: LiveChunks) -> tuple[PlanEntry, ...]:
    """The plan, sorted as libmcr wants it.

    An allocation of O that has been freed takes no part. Nor does one of N that N itself frees in its start-up: its
    place would be free, and O's chunk is not.
    """
    keys = [thread.key for thread in new.threads]
    entries = []
    for seq, old_seq in alignment.old_of.items():
        mine, theirs = new.allocations[seq], old.allocations[old_seq]
        capacity = 0 if theirs.is_freed else live.capacity(theirs.address)
        if mine.is_freed or not capacity:
            continue
        fits = max(mine.first_size, mine.size) <= capacity
        place = (theirs.address, capacity) if fits else (0, 0)
        entries.append(PlanEntry(keys[mine.thread], mine.stack_id, mine.nth, old_seq, mine.first_size, *place))
    return tuple(sorted(entries))


def make_pairs(old: LogSide, new: LogSide) -> Pairing:
    """The pairs of allocations that are live on both sides, by what N's log says of the plan.

    Where N diverged from the rehearsal both logs are aligned once more; a pair found so was not placed.
    """
    pairs, diverged = [], []
    for mine in new.allocations:
        if mine.is_diverged:
            diverged.append(mine)
        elif mine.plan >= 0 and (pair := _pair(old, mine, mine.plan)) is not None:
            pairs.append(pair)
    if not diverged:
        return Pairing(tuple(pairs), ())
    again = align(old, new).old_of
    taken = {pair.address for pair in pairs}
    lost = []
    for mine in diverged:
        found = _pair(old, mine, again[mine.seq]) if mine.seq in again else None
        if found is not None and found.address not in taken:
            pairs.append(found)
            taken.add(found.address)
        elif mine.seq not in again:
            lost.append(mine.seq)
    return Pairing(tuple(pairs), tuple(lost))


def find_lost_places(old: LogSide, new: LogSide, live: LiveChunks) -> tuple[LostPlace, ...]:
    """Allocations of N that stand where O, which ran on, has now another live chunk: the plan is out of date."""
    lost = []
    for mine in new.allocations:
        if not mine.is_placed or mine.is_freed or mine.plan < 0:
            continue
        theirs = old.allocations[mine.plan]
        is_still_its_place = not theirs.is_freed and theirs.address == mine.address
        if not is_still_its_place and live.capacity(mine.address):
            lost.append(LostPlace(mine.seq, mine.plan, mine.address))
    return tuple(lost)


# None if either is not live.
def _pair(old: LogSide, mine: Allocation, old_seq: int) -> AllocationPair | None:
    theirs = old.allocations[old_seq]
    if mine.is_freed or theirs.is_freed:
        return None
    return AllocationPair(theirs.address, mine.address, mine.size, theirs.base_address, theirs.base_size)
