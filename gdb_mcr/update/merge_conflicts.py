"""Places where O and N's start-up have each linked an element of their own: one of the two would be lost unnoticed.

The merge takes O's pointer where both sides changed one. That is right where N's pointer leads to the counterpart of
what O has replaced: N has only done once more what O did at its start. It is wrong where N's leads to something else,
such as one element more of a start-up loop, or the next one, moved up by it. Source: DESIGN sections 6 and 9.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gdb_mcr.engine.records import NONE, Event, EventKind, ObjectFlag, ObjectKind
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.startup_log import Allocation, StartupLog, ThreadEntry
from gdb_mcr.reinit.alignment import Alignment
from gdb_mcr.tracing.explain import Explainer, Place
from gdb_mcr.tracing.transfer import StateTransfer
from gdb_mcr.units import WORD

_Key = tuple[int, int, int]  # thread, call stack, how many before it: the same in each start of one build
_Extent = tuple[int, int, Allocation]

ReadBytes = Callable[[int, int], bytes | memoryview | None]
"""(address, size) to the bytes there, None if they are not known."""


@dataclass(frozen=True, slots=True)
class ComparedStart:
    """A start-up of N in which every allocation was compared with O's."""

    allocations: Sequence[Allocation]
    threads: Sequence[ThreadEntry]
    alignment: Alignment
    alone: Sequence[int]
    """seqs of O's elements of start-up loops that have no certain counterpart."""


class Counterparts:
    """Which start-up allocations of O and N are each other's, freed ones included."""

    def __init__(self, old: StartupLog, new: StartupLog, start: ComparedStart) -> None:
        """:param start: the rehearsal; `new` is another start of the same build."""
        self._old = sorted((one.base_address, one.base_size, one) for one in old.allocations if one.base_size)
        self._new = sorted((one.address, one.size, one) for one in new.allocations if not one.is_freed)
        self._threads = new.threads
        keys = [_key(one, start.threads) for one in start.allocations]
        self._old_of = {keys[seq]: frozenset({old_seq}) for seq, old_seq in start.alignment.old_of.items()}
        for group in start.alignment.uncertain:
            for seq in group.new:
                self._old_of.setdefault(keys[seq], frozenset(group.old))

    def new_at(self, address: int) -> Allocation | None:
        """N's start-up allocation that holds an address of N."""
        return _holding(self._new, address)

    def may_be_same(self, base: int, mine: Allocation) -> bool:
        """Whether what O had at `base` when it had started may be what N's start-up allocated as `mine`."""
        theirs = _holding(self._old, base)
        return theirs is not None and theirs.seq in self._old_of.get(_key(mine, self._threads), frozenset())


def _key(one: Allocation, threads: Sequence[ThreadEntry]) -> _Key:
    return threads[one.thread].key if one.thread < len(threads) else -1, one.stack_id, one.nth


def _holding(extents: Sequence[_Extent], address: int) -> Allocation | None:
    index = bisect_right(extents, address, key=lambda one: one[0]) - 1
    if index < 0:
        return None
    start, size, one = extents[index]
    return one if start <= address < start + max(size, 1) else None


def linked_twice(
    transfer: StateTransfer, explainer: Explainer, find_counterparts: Callable[[], Counterparts], read_base: ReadBytes
) -> list[Finding]:
    """R13, one for each place of a type.

    :param find_counterparts: asked only if both sides changed a pointer somewhere.
    :param read_base: O's memory at the end of its start-up.
    """
    events = [one for one in transfer.tracer.events() if _is_candidate(transfer, one)]
    if not events:
        return []
    counterparts = find_counterparts()
    found: dict[str, Finding] = {}
    for event in events:
        if _loses_something(transfer, event, counterparts, read_base):
            finding = _finding(transfer, explainer, event)
            found.setdefault(finding.id, finding)
    return list(found.values())


# A pointer that both sides changed, in memory of the program itself.
def _is_candidate(transfer: StateTransfer, event: Event) -> bool:
    if event.kind != EventKind.BOTH_CHANGED or not event.detail or not event.value:
        return False
    one = transfer.tracer.objects()[event.object]
    return one.kind is not ObjectKind.LIBRARY and not one.flags & ObjectFlag.RULED_OWNER


def _loses_something(transfer: StateTransfer, event: Event, counterparts: Counterparts, read_base: ReadBytes) -> bool:
    one = transfer.tracer.objects()[event.object]
    mine = counterparts.new_at(event.value)
    if mine is None or (one.type == NONE and mine.address != event.value):
        return False
    pair = transfer.pairs[one.pair]
    data = read_base(pair.base_address + event.offset, WORD) if event.offset + WORD <= pair.base_size else None
    return not counterparts.may_be_same(int.from_bytes(data, "little") if data is not None else 0, mine)


def _finding(transfer: StateTransfer, explainer: Explainer, event: Event) -> Finding:
    place = Place(event.object, event.offset)
    path = explainer.path(event.object)
    text = (
        f"both the old server and the new build's start-up have put something of their own into "
        f"{explainer.field(place)}; the new build's would be lost"
    )
    one = transfer.tracer.objects()[event.object]
    if one.kind is ObjectKind.GLOBAL or explainer.kind_of(one).startswith("struct "):
        stable = explainer.short_field(place)
        return Finding(f"R13:{stable}", "R13", True, text, path, f"keep old {stable};\nkeep new {stable};")
    return Finding(f"R13:{path_subject(path)}", "R13", True, text, path, "")


def path_subject(path: str) -> str:
    """A path to a place without its indexes, the same in every run."""
    return re.sub(r"\[\d+\]", "[]", path)
