"""REHEARSE: N is started once without effects and thrown away; what it allocated is aligned with what O allocated.

Source: DESIGN section 6, "Placement".
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterator
from dataclasses import dataclass, replace

from gdb_mcr.model.layout import LayoutComparer
from gdb_mcr.model.match import Match
from gdb_mcr.model.placement import PlanEntry
from gdb_mcr.model.program import Program
from gdb_mcr.model.startup_log import Allocation
from gdb_mcr.reinit.alignment import Alignment, LogSide, align
from gdb_mcr.reinit.content import PiecewiseMemory
from gdb_mcr.reinit.holders import Holder, HolderSide, pair_by_holders
from gdb_mcr.reinit.plan import make_plan
from gdb_mcr.runtime_abi.settings import spans_for_plan
from gdb_mcr.update.recorded import RecordedProcess
from gdb_mcr.update.side_view import ModuleLoader, SideView, key_of, view_side
from gdb_mcr.update.type_twins import find_twins


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a rehearsal told: how N's start-up corresponds to O's."""

    new: LogSide
    alignment: Alignment
    by_holders: int = 0
    """Pairs that were found along pointers."""

    @property
    def counts(self) -> dict[str, int]:
        """For the phase's report."""
        return {
            "allocations": len(self.new.allocations),
            "allocations_aligned": len(self.alignment.old_of),
            "allocations_by_holder": self.by_holders,
            "allocations_uncertain": sum(len(one.new) for one in self.alignment.uncertain),
        }


@dataclass(frozen=True, slots=True)
class Placement:
    """The placement plan and the spans of O's heap that it needs."""

    entries: tuple[PlanEntry, ...]
    spans: bytes


def study(process: RecordedProcess, view: SideView, program: Program, match: Match, loader: ModuleLoader) -> Rehearsal:
    """Reads the allocation log of a process of N that stands at the end of its rehearsed start-up.

    :param view: the tables of its counterpart.
    :param program: N's executable.
    """
    mine = view_side(process.memory, process.control_address, program, loader)
    base, live = view.base_memory(), mine.live_memory()
    twins = find_twins(view.executable.program, program, match, key_of)
    ours = mine.log_side(mine.content(live, twins.new_text))
    theirs = view.log_side(view.content(base, twins.old_text))
    alignment = align(replace(theirs, type_key=twins.key_in_new(theirs.type_key)), ours)
    # Elements of one loop are not each other's only because one place holds both.
    old_unsure = {seq for one in alignment.uncertain for seq in one.old}
    new_unsure = {seq for one in alignment.uncertain for seq in one.new}
    more = pair_by_holders(
        _holder_side(view, base, lambda one: (one.base_address, one.base_size), old_unsure, twins.old_text),
        _holder_side(
            mine, live, lambda one: (one.address, 0 if one.is_freed else one.size), new_unsure, twins.new_text
        ),
        alignment.old_of,
        _variable_holders(view, mine, match),
    )
    return Rehearsal(ours, Alignment({**alignment.old_of, **more}, alignment.uncertain), len(more))


def place(view: SideView, rehearsal: Rehearsal) -> Placement:
    """The plan for N's real start, by what O's heap is now."""
    entries = make_plan(view.log_side(None), rehearsal.new, rehearsal.alignment, view.live())
    return Placement(entries, spans_for_plan(view.heap.spans, entries))


def _holder_side(
    view: SideView,
    memory: PiecewiseMemory,
    extent: Callable[[Allocation], tuple[int, int]],
    left_out: Container[int],
    changed: Container[Hashable],
) -> HolderSide:
    type_key = view.type_key()
    return HolderSide(
        {one.seq: one for one in view.log.allocations if extent(one)[1] and one.seq not in left_out},
        lambda one: extent(one)[0],
        lambda one: (
            0 if type_key(one) in changed else extent(one)[1]
        ),  # its words mean something else on the other side
        view.origin_key(),
        memory.read,
    )


# Variables whose words mean the same on both sides.
def _variable_holders(old: SideView, new: SideView, match: Match) -> Iterator[Holder]:
    before, after = old.executable, new.executable
    layout = LayoutComparer(before.program.types, after.program.types)
    for old_index, new_index in match.variables.items():
        one, other = before.program.variables[old_index], after.program.variables[new_index]
        if one.writable and not one.thread_local and layout.same(one.type, other.type):
            yield Holder(before.bias + one.address, after.bias + other.address, min(one.size, other.size))
