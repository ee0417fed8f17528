"""The copy of a heap is what the heap is, whatever was written between two rounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from gdb_mcr.debugger.base import Piece, SharedBuffer
from gdb_mcr.engine.hints import Hints
from gdb_mcr.units import PAGE, Range
from gdb_mcr.update.heap_copy import Arena, HeapCopy

START = 0x1000_0000_0000
ARENA = Range(START, START + 16 * PAGE)
REST = Range(0x5555_0000_0010, 0x5555_0000_0110)


@dataclass
class FakeProcess:
    """Memory by page, which notes what was written, as a tracker does."""

    pages: dict[int, bytes] = field(default_factory=dict)
    dirty: set[int] = field(default_factory=set)
    tells: bool = True

    def put(self, page: int, byte: int) -> None:
        self.pages[START + page * PAGE] = bytes([byte]) * PAGE
        self.dirty.add(START + page * PAGE)

    def track(self, place: Range) -> None:
        self.dirty |= set(range(place.start, place.end, PAGE))

    def written(self, places: Iterable[Range], *, begin_again: bool) -> list[Range]:
        found = [at for place in places for at in range(place.start, place.end, PAGE) if at in self.dirty]
        if begin_again:
            self.dirty -= set(found)
        return [Range(at, at + PAGE) for at in found]

    def close(self) -> None:
        pass

    def read(self, address: int, size: int) -> bytes:
        return self.pages.get(address, bytes(PAGE))[:size] if address in ARENA else b"r" * size

    def write(self, address: int, data: bytes) -> None:
        raise NotImplementedError

    def read_into(self, pieces: Sequence[Piece], buffer: SharedBuffer) -> None:
        for one in pieces:
            data = b"".join(self.read(one.address + at, min(PAGE, one.size - at)) for at in range(0, one.size, PAGE))
            buffer.view[one.offset : one.offset + one.size] = data

    def write_from(self, pieces: Sequence[Piece], buffer: SharedBuffer) -> None:
        for one in pieces:
            for at in range(0, one.size, PAGE):
                self.pages[one.address + at] = buffer.view[one.offset + at : one.offset + at + PAGE]


@pytest.fixture
def old() -> FakeProcess:
    return FakeProcess()


@pytest.fixture
def copy(old: FakeProcess) -> Iterator[HeapCopy]:
    old.track(ARENA)
    made = HeapCopy(old, [Arena(ARENA, 0)], SharedBuffer(ARENA.size + PAGE), Hints(ARENA.size, ARENA))
    yield made
    made.close()


def pages(first: int, end: int) -> Range:
    return Range(START + first * PAGE, START + end * PAGE)


def test_image_has_what_was_written_last(old: FakeProcess, copy: HeapCopy) -> None:
    new = FakeProcess()
    old.put(1, 1)
    old.put(2, 2)
    assert copy.advance([pages(0, 4)], old, new) == 4 * PAGE
    old.put(2, 3)
    assert copy.advance([pages(0, 4)], old, new) == PAGE
    old.put(3, 4)
    image = copy.finish(old, [pages(0, 4)], [REST])
    assert image is not None
    assert [image.read(START + page * PAGE, 1) for page in range(4)] == [b"\0", b"\1", b"\3", b"\4"]
    assert image.read(REST.start, REST.size) == b"r" * REST.size
    assert [new.pages[START + page * PAGE][0] for page in range(4)] == [0, 1, 3, 0]
    assert copy.late == [pages(3, 4)]


def test_pages_that_a_transfer_worked_in_are_read_again(old: FakeProcess, copy: HeapCopy) -> None:
    old.put(1, 1)
    copy.advance([pages(0, 4)], old, FakeProcess())
    image = copy.finish(old, [pages(0, 4)], [])
    assert image is not None
    copy.buffer.view[PAGE] = 9
    copy.spoil([pages(1, 2), Range(REST.start & -PAGE, (REST.start & -PAGE) + PAGE)])
    assert copy.late == [pages(1, 2)]
    image = copy.finish(old, [pages(0, 4)], [])
    assert image is not None
    assert image.read(START + PAGE, 1) == b"\1"


def test_memory_that_the_old_server_gave_back_is_told(old: FakeProcess, copy: HeapCopy) -> None:
    copy.advance([pages(0, 4)], old, FakeProcess())
    assert copy.stale([pages(0, 2), pages(3, 8)]) == [pages(2, 3)]


def test_heap_that_outgrows_the_buffer_has_no_image(old: FakeProcess, copy: HeapCopy) -> None:
    beyond = Range(ARENA.end, ARENA.end + PAGE)
    assert copy.within([pages(0, 1), beyond]) == [pages(0, 1)]
    assert copy.finish(old, [pages(0, 1), beyond], []) is None
    assert copy.finish(old, [pages(0, 1)], [Range(0, 2 * PAGE)]) is None
