"""Which of O's objects N can reach once everything is in its place: a pointer that nothing can reach harms nobody."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gdb_mcr.debugger.base import Memory
from gdb_mcr.engine.mark import reached
from gdb_mcr.engine.tracer import ImageExtent
from gdb_mcr.proc.mappings import mappings
from gdb_mcr.proc.tasks import tasks
from gdb_mcr.tracing.sides import Chunks
from gdb_mcr.tracing.transfer import Write
from gdb_mcr.units import WORD, Range, align_down
from gdb_mcr.update.images import Image, read_image
from gdb_mcr.update.side_view import SideView


@dataclass(frozen=True, slots=True)
class NewMemory:
    """What N will hold: O's heap as the engine has left it, and N's own memory with the patches in."""

    theirs: Image
    ours: Image
    stacks: Image


def stacks_of(pid: int, memory: Memory) -> Image:
    """The used parts of a resting process's stacks."""
    ends = sorted((one.range.start, one.range.end) for one in mappings(pid) if one.writable and one.private)
    found = []
    for task in tasks(pid).values():
        index = bisect_right(ends, (task.stack_pointer, 1 << 64)) - 1
        if task.stack_pointer and index >= 0 and task.stack_pointer < ends[index][1]:
            found.append(Range(align_down(task.stack_pointer, WORD), ends[index][1]))
    return read_image(memory, found)


def patch(image: Image, writes: Iterable[Write]) -> None:
    """Puts those of the writes that fall into an image into it."""
    for one in writes:
        piece = image.piece(one.address, len(one.data))
        if piece is not None:
            image.buffer.view[piece.offset : piece.offset + piece.size] = one.data


def live_objects(memory: NewMemory, old: SideView, new: SideView) -> Callable[[int], bool]:
    """Whether N can reach the chunk at an address. What is no chunk counts as reachable."""
    starts, sizes = _joined(old.chunks, new.chunks)
    heap = old.control.window
    inside = [one for one in (*memory.theirs.extents(), *memory.ours.extents()) if one.range.start in heap]
    roots = [one for one in memory.ours.extents() if one.range.start not in heap] + memory.stacks.extents()
    marks = reached(roots, _without_overlaps(inside), starts, sizes)

    def is_live(address: int) -> bool:
        index = bisect_right(starts, address) - 1
        if index < 0 or address >= starts[index] + max(sizes[index], 1):
            return True
        return bool(marks[index])

    return is_live


# N's placed chunks stand in O's spans, where the THEIRS image has them merged: it comes first and wins.
def _without_overlaps(extents: Sequence[ImageExtent]) -> list[ImageExtent]:
    kept: list[ImageExtent] = []
    for one in extents:
        if not any(one.range.overlaps(other.range) for other in kept):
            kept.append(one)
    return kept


def _joined(old: Chunks, new: Chunks) -> tuple[array[int], array[int]]:
    known = set(old.addresses)
    rows = [*zip(old.addresses, old.sizes, strict=True)]
    rows += [(at, size) for at, size in zip(new.addresses, new.sizes, strict=True) if at not in known]
    rows.sort()
    return array("Q", [at for at, _ in rows]), array("Q", [size for _, size in rows])
