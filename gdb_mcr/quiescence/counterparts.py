"""Whether each thread of O has its counterpart in N, and whether that one waits at the equivalent point.

N's threads go on from where N's own start-up has brought them, with O's memory. So a thread of O that N lacks would be
lost with its work; and one that waits in the middle of work, with functions on its stack that its counterpart has not
on its own, would never come back to them. Points are compared by names, so that the builds may differ: two are
equivalent if the same functions are active. Which call of the innermost one it is may differ, since a loop may wait in
several places. A profile that lists both points as quiescent settles it, too.
Source: seed, "control migration" and "mutable reinitialization"; DESIGN section 6.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gdb_mcr.model.profile import Profile
from gdb_mcr.quiescence.profile import SeenThread, judge, named


@dataclass(frozen=True, slots=True)
class PlacedThread:
    """A stopped thread and where it stands."""

    key: int
    """`ThreadEntry.key`: the same for the counterpart."""
    name: str
    seen: SeenThread

    @property
    def start(self) -> str:
        """Its first function, "" if unknown."""
        return self.seen.stack[-1] if self.seen.stack else ""

    @property
    def place(self) -> str:
        """For people: what it waits in, and which functions are active."""
        chain = " < ".join(named(self.seen.stack))
        return f"waits in {self.seen.call} in {chain}" if self.seen.call else f"runs in {chain}"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A thread of O whose point has no equivalent in N."""

    thread: PlacedThread
    counterpart: PlacedThread | None

    @property
    def why(self) -> str:
        """For people: what is the matter with the thread, which is the sentence's "it"."""
        if self.counterpart is None:
            return f"it {self.thread.place}, and the new build's start-up has no such thread"
        return f"it {self.thread.place}, but its counterpart in the new build {self.counterpart.place}"


def mismatches(
    old: Iterable[PlacedThread], new: Sequence[PlacedThread], profile: Profile | None = None
) -> tuple[Mismatch, ...]:
    """All threads of O without an equivalent, in their order.

    :param profile: of O's build.
    """
    old = tuple(old)
    pairs = _pairs(old, new)
    found = [Mismatch(one, pairs.get(one.seen.tid)) for one in old]
    return tuple(one for one in found if not _is_equivalent(one, profile))


# By the creation-time call stack. What is left over has a creator of another name, or takes the place of a thread that
# has ended: among these the first function tells.
def _pairs(old: Sequence[PlacedThread], new: Sequence[PlacedThread]) -> Mapping[int, PlacedThread]:
    by_key = {one.key: one for one in new}
    pairs = {one.seen.tid: by_key[one.key] for one in old if one.key in by_key}
    taken = {one.seen.tid for one in pairs.values()}
    left = defaultdict[str, list[PlacedThread]](list)
    for one in new:
        if one.seen.tid not in taken and one.start:
            left[one.start].append(one)
    for one in old:
        if one.seen.tid not in pairs and left[one.start]:
            pairs[one.seen.tid] = left[one.start].pop(0)
    return pairs


def _is_equivalent(one: Mismatch, profile: Profile | None) -> bool:
    old, new = one.thread.seen, one.counterpart.seen if one.counterpart is not None else None
    if new is None:
        return False
    if new.call and named(old.stack) == named(new.stack):
        return True
    return profile is not None and all(verdict.is_quiescent for verdict in judge(profile, (old, new)))
