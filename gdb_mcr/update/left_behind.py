"""Elements of a start-up loop that O has changed since and N no longer makes: what O has in them has no home.

N's pointers stay where O has not changed its own, so that nothing leads to such an element any more although it moves
with all of O's heap. It is told only of loops of which N makes others of the elements; what N's start-up does in
another way altogether is its own business. Source: DESIGN section 6, "what does not align with certainty".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gdb_mcr.engine.records import NONE, ObjectFlag
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.startup_log import Allocation
from gdb_mcr.reinit.alignment import Alignment
from gdb_mcr.tracing.explain import Explainer
from gdb_mcr.tracing.transfer import StateTransfer
from gdb_mcr.update.merge_conflicts import ReadBytes


def elements_alone(old: Sequence[Allocation], alignment: Alignment) -> list[int]:
    """seqs of O's allocations without a certain counterpart in N that are part of a loop of which N makes others."""
    paired = set(alignment.old_of.values())
    unsure = {seq for group in alignment.uncertain for seq in group.old}
    loops = {(old[seq].thread, old[seq].stack_id) for seq in paired}
    alone = (one for one in old if one.seq not in paired and one.base_size)
    return [one.seq for one in alone if one.seq in unsure or (one.thread, one.stack_id) in loops]


def left_behind(
    transfer: StateTransfer,
    explainer: Explainer,
    alone: Sequence[Allocation],
    read_base: ReadBytes,
    read_now: ReadBytes,
) -> Iterator[Finding]:
    """R13, one for each type. :param alone: see `elements_alone`."""
    told: set[str] = set()
    for one in alone:
        index = None if one.is_freed else transfer.tracer.find(one.address)
        if index is None or not _is_struct(transfer, index) or not _has_changed(one, read_base, read_now):
            continue
        name = explainer.short_name(index)
        if name not in told:
            told.add(name)
            yield _finding(explainer, index, name)


def _is_struct(transfer: StateTransfer, index: int) -> bool:
    one = transfer.tracer.objects()[index]
    return one.type != NONE and not one.flags & (ObjectFlag.RULED_OWNER | ObjectFlag.NEVER | ObjectFlag.SETTLED)


def _has_changed(one: Allocation, read_base: ReadBytes, read_now: ReadBytes) -> bool:
    size = min(one.size, one.base_size)
    base, now = read_base(one.base_address, size), read_now(one.address, size)
    return base is not None and now is not None and bytes(base) != bytes(now)


def _finding(explainer: Explainer, index: int, name: str) -> Finding:
    text = (
        f"the old server has changed {explainer.name(index)} since its start-up, and the new build's start-up makes no "
        "element that is certainly the same: what the old server has there would be lost"
    )
    return Finding(f"R13:element {name}", "R13", True, text, explainer.path(index), "")
