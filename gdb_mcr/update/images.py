"""The three images of a merge as the engine wants them: O now, O at the end of its start-up, N after its own.

Source: DESIGN section 9: theirs, base, ours.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from gdb_mcr.debugger.base import Piece, SharedBuffer
from gdb_mcr.engine.hints import Hints
from gdb_mcr.engine.tracer import ImageExtent
from gdb_mcr.tracing.areas import writable_areas
from gdb_mcr.tracing.sides import LoadedModule
from gdb_mcr.units import PAGE, Range, align_down, align_up
from gdb_mcr.update.side_view import SideView, heap_ranges, join_ranges, startup_mappings


@dataclass(frozen=True, slots=True)
class Image:
    """Ranges of a process's memory, copied into one buffer. Close the buffer when the engine is done."""

    buffer: SharedBuffer
    pieces: tuple[Piece, ...]
    hints: Hints | None = None
    hinted: int = 0
    """Bytes at the buffer's start that `hints` has learned about."""

    def extents(self) -> list[ImageExtent]:
        """For the engine."""
        return [
            ImageExtent(
                Range(one.address, one.address + one.size),
                self.buffer.view,
                one.offset,
                self.hints if one.offset < self.hinted else None,
            )
            for one in self.pieces
        ]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(one.size for one in self.pieces)

    def piece(self, address: int, size: int) -> Piece | None:
        """Where these bytes stand in the buffer; None if they are not in one piece of the image."""
        index = bisect_right(self.pieces, address, key=lambda one: one.address) - 1
        if index < 0:
            return None
        one = self.pieces[index]
        inside = address + size <= one.address + one.size
        return Piece(address, size, one.offset + address - one.address) if inside else None

    def read(self, address: int, size: int) -> bytes | None:
        """Bytes of the image; None if they are not in one piece of it."""
        piece = self.piece(address, size)
        return None if piece is None else self.buffer.view[piece.offset : piece.offset + size]


class BulkMemory(Protocol):
    """The part of `debugger.base.Memory` that an image needs."""

    def read_into(self, pieces: Sequence[Piece], buffer: SharedBuffer) -> None:
        """Copies pieces of the process into ``buffer``."""
        ...


def read_image(memory: BulkMemory, ranges: Iterable[Range]) -> Image:
    """Copies memory. :raises MemoryFault: some of it is not mapped."""
    pieces = tuple(_laid_out(join_ranges(list(ranges))))
    buffer = SharedBuffer(pieces[-1].offset + pieces[-1].size if pieces else 0)
    try:
        memory.read_into(pieces, buffer)
    except BaseException:
        buffer.close()
        raise
    return Image(buffer, pieces)


def state_ranges(view: SideView) -> list[Range]:
    """Where the state of a process stands: writable data of its modules, heap, mappings of its start-up."""
    return [*heap_ranges(view.heap), *rest_ranges(view)]


def rest_ranges(view: SideView) -> list[Range]:
    """The same without the heap."""
    modules = [area for module in (view.executable, *view.libraries) for area in data_ranges(module)]
    return [*modules, *startup_mappings(view.log)]


def data_ranges(module: LoadedModule) -> list[Range]:
    """Writable areas of a module, relocation slots between them included, so that each is one piece."""
    areas = writable_areas(module)
    return [Range(min(one.start for one in areas), max(one.end for one in areas))] if areas else []


def base_image(view: SideView) -> Image:
    """O at the end of its start-up: its modules' data, and the chunks of its start-up.

    Pages that the snapshot does not have had not been touched: they are zero.
    """
    modules = [area for module in (view.executable, *view.libraries) for area in data_ranges(module)]
    chunks = [_pages(one.base_address, one.base_size) for one in view.log.allocations if one.base_size]
    mappings = startup_mappings(view.log)
    pieces = tuple(_laid_out(join_ranges([*modules, *chunks, *mappings])))
    buffer = SharedBuffer(pieces[-1].offset + pieces[-1].size if pieces else 0)
    snapshot = view.start.base
    data = view.memory.read(snapshot.address, snapshot.size) if snapshot.size else b""
    for piece in pieces:
        _fill(buffer, piece, snapshot.regions, data)
    return Image(buffer, pieces)


def _fill(buffer: SharedBuffer, piece: Piece, regions: Sequence[tuple[Range, int]], data: bytes) -> None:
    end = piece.address + piece.size
    first = max(0, bisect_right(regions, piece.address, key=lambda one: one[0].start) - 1)
    for place, offset in regions[first:]:
        if place.start >= end:
            break
        low, high = max(place.start, piece.address), min(place.end, end)
        if low < high:
            to, source = piece.offset + low - piece.address, offset + low - place.start
            buffer.view[to : to + high - low] = data[source : source + high - low]


def _pages(address: int, size: int) -> Range:
    return Range(align_down(address, PAGE), align_up(address + size, PAGE))


def _laid_out(ranges: Sequence[Range]) -> Iterator[Piece]:
    offset = 0
    for one in ranges:
        yield Piece(one.start, one.size, offset)
        offset = align_up(offset + one.size, PAGE)
