"""Pools: memory that a program hands out by itself, which one chunk holds and no type tells.

Both start-ups fill a pool's chunk. If the new build puts other things into it, what O has in pointers into it no longer
means what it says, and no finding about types would tell. So the words of both are compared by what they may be: a
pointer into the heap, the program, a library, or a value. A new module with a configuration of its own shows so.
Source: DESIGN section 8, "Pools and slabs"; section 11, R1.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from enum import Enum

from gdb_mcr.engine.records import ObjectFlag
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.placement import AllocationPair
from gdb_mcr.tracing.explain import Explainer
from gdb_mcr.tracing.transfer import StateTransfer
from gdb_mcr.units import WORD
from gdb_mcr.update.images import Image
from gdb_mcr.update.side_view import SideView

_SETTLE = "use the same modules and configuration; what a pool holds cannot be converted yet"


class _Kind(Enum):
    VALUE = 0
    HEAP = 1
    PROGRAM = 2
    LIBRARY = 3


def other_layouts(
    transfer: StateTransfer,
    explainer: Explainer,
    pairs: Sequence[AllocationPair],
    old: tuple[SideView, Image],
    new: tuple[SideView, Image],
) -> Iterator[Finding]:
    """R1: pools that the two start-ups filled in another way, one for each place that allocates them.

    :param old: with the image of the end of its start-up; `new`: the same.
    """
    told: set[str] = set()
    for pair in pairs:
        size = min(pair.base_size, pair.new_size) // WORD * WORD
        before, after = old[1].read(pair.base_address, size), new[1].read(pair.new_address, size)
        if before is None or after is None or _is_alike(before, after, old[0], new[0]):
            continue
        index = transfer.tracer.find(pair.address)
        if index is None or not _is_pool(transfer, explainer, index):
            continue
        name = explainer.short_name(index)
        if name in told:
            continue
        told.add(name)
        text = (
            f"{explainer.name(index)} holds several objects whose types are not known, and the new build's start-up "
            "puts others there: what the old server keeps as pointers to them would lead astray"
        )
        yield Finding(f"R1:pool {name}", "R1", True, text, explainer.path(index), _SETTLE)


# Typed pointers lead to places inside of which it has no type at all, or one that does not cover it: the head of a
# pool's block.
def _is_pool(transfer: StateTransfer, explainer: Explainer, index: int) -> bool:
    one = transfer.tracer.objects()[index]
    if not one.flags & ObjectFlag.HOLDS_OTHERS:
        return False
    number = explainer.type_index(one)
    if number < 0:
        return True
    size = transfer.old.executable.program.types[number].size
    return not size or one.size % size != 0


def _is_alike(before: bytes, after: bytes, old: SideView, new: SideView) -> bool:
    before, after = bytes(before), bytes(after)
    if before == after:
        return True
    words = zip(array("Q", before), array("Q", after), strict=True)
    return all(_kind(one, old) is _kind(other, new) for one, other in words if one != other)


def _kind(word: int, side: SideView) -> _Kind:
    if word in side.control.window:
        return _Kind.HEAP
    if word in side.executable.range:
        return _Kind.PROGRAM
    return _Kind.LIBRARY if any(word in one.range for one in side.libraries) else _Kind.VALUE
