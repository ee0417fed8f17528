"""Which of O's objects N can reach once everything is in its place: a pointer that nothing can reach harms nobody."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from gdb_mcr.debugger.base import Memory
from gdb_mcr.engine.mark import reached
from gdb_mcr.engine.scan import words_into
from gdb_mcr.engine.tracer import ImageExtent
from gdb_mcr.proc.mappings import mappings
from gdb_mcr.proc.tasks import tasks
from gdb_mcr.tracing.sides import Chunks
from gdb_mcr.tracing.transfer import Write
from gdb_mcr.units import WORD, Range, align_down
from gdb_mcr.update.images import Image, read_image
from gdb_mcr.update.side_view import SideView

STEPS = 6
"""Chunks in a row, each the only way to the next, that are followed backwards."""

HITS = 1024
"""Pointers that are followed backwards in one step."""


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


@contextmanager
def patched(image: Image, writes: Iterable[Write]) -> Iterator[None]:
    """With those of the writes that fall into the image in it."""
    pieces = [(one, image.piece(one.address, len(one.data))) for one in writes]
    inside = [(piece.offset, one.data) for one, piece in pieces if piece is not None]
    before = [image.buffer.view[offset : offset + len(data)] for offset, data in inside]
    for offset, data in inside:
        image.buffer.view[offset : offset + len(data)] = data
    try:
        yield
    finally:
        for (offset, _), data in zip(reversed(inside), reversed(before), strict=True):
            image.buffer.view[offset : offset + len(data)] = data


def live_objects(memory: NewMemory, old: SideView, new: SideView, asked: Sequence[int]) -> Callable[[int], bool]:
    """Whether N can reach the chunk at an address, one of those that are `asked` about. No chunk counts as reachable.

    Most often nothing leads there from anywhere, which is found out by looking backwards; only if something does, all
    that can be reached is marked.
    """
    heap = _Heap(memory, old, new)
    chunks = {index for one in asked if (index := heap.chunk_at(one)) is not None}
    if heap.are_cut_off(chunks):
        return lambda address: heap.chunk_at(address) is None
    marks = reached(heap.roots, heap.inside, heap.starts, heap.sizes)

    def is_live(address: int) -> bool:
        index = heap.chunk_at(address)
        return index is None or bool(marks[index])

    return is_live


class _Heap:
    def __init__(self, memory: NewMemory, old: SideView, new: SideView) -> None:
        self.starts, self.sizes = _joined(old.chunks, new.chunks)
        window = old.control.window
        inside = [one for one in (*memory.theirs.extents(), *memory.ours.extents()) if one.range.start in window]
        self.inside = _without_overlaps(inside)
        self.roots = [one for one in memory.ours.extents() if one.range.start not in window] + memory.stacks.extents()
        self._window = window

    def chunk_at(self, address: int) -> int | None:
        """Index of the chunk that holds the address."""
        index = bisect_right(self.starts, address) - 1
        inside = index >= 0 and address < self.starts[index] + max(self.sizes[index], 1)
        return index if inside else None

    # One past its end is still the chunk's, unless another one begins there.
    def _aim(self, index: int) -> Range:
        end = self.starts[index] + self.sizes[index] + 1
        following = self.starts[index + 1] if index + 1 < len(self.starts) else end
        return Range(self.starts[index], min(end, following))

    def are_cut_off(self, chunks: Collection[int]) -> bool:
        """Whether no root leads to any of the chunks, for all that can be told in few steps."""
        seen, frontier = set(chunks), set(chunks)
        for _ in range(STEPS):
            if not frontier:
                return True
            count, hits = words_into([*self.inside, *self.roots], [self._aim(one) for one in frontier], HITS)
            if count > len(hits) or any(address not in self._window for address, _ in hits):
                return False
            holders = {index for address, _ in hits if (index := self.chunk_at(address)) is not None}
            frontier = holders - seen
            seen |= frontier
        return False


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
