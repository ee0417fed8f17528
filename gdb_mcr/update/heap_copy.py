"""O's heap, copied into the image of what O has now while O runs; in the pause only what O has written since is copied.

The same pages go into N ahead of time: until the commit nothing there looks at them, and a rollback ends N. N's own
objects in them must have been read before. Source: live migration's pre-copy, as in CRIU.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gdb_mcr.debugger.base import Memory, Piece, SharedBuffer
from gdb_mcr.engine.hints import Hints
from gdb_mcr.proc.write_tracking import PageTracker
from gdb_mcr.runtime_abi.control import Control
from gdb_mcr.tracing.areas import subtract
from gdb_mcr.units import PAGE, Range, align_up
from gdb_mcr.update.images import Image
from gdb_mcr.update.side_view import join_ranges

ROOM = 1 << 30
"""Bytes that each bank may grow by; an unused page of the buffer costs nothing."""

BANK_BYTES = 1 << 36  # MCR_BANK_SHIFT

REST = 1 << 30
"""Room behind the heap for all other writable memory."""


@dataclass(frozen=True, slots=True)
class Arena:
    """A bank of the heap and its place in the buffer."""

    range: Range
    offset: int


def _arenas(control: Control) -> list[Arena]:
    arenas, offset = [], 0
    for bank in control.banks:
        if bank.used_pages:
            size = min(bank.used_pages * PAGE + ROOM, BANK_BYTES)
            arenas.append(Arena(Range(bank.start, bank.start + size), offset))
            offset += size
    return arenas


@dataclass
class HeapCopy:
    """Close it when the images made of it are done with."""

    tracker: PageTracker
    arenas: Sequence[Arena]
    buffer: SharedBuffer
    hints: Hints
    mirrored: list[Range] = field(default_factory=list)
    """What of N has been written ahead of time."""
    late: list[Range] = field(default_factory=list)
    """Pages that N does not have yet as they are in the image."""
    _spoiled: list[Range] = field(default_factory=list)

    @classmethod
    def begin(cls, tracker: PageTracker, control: Control, addresses: Range) -> HeapCopy:
        """Nothing is copied yet.

        :param addresses: holds every address of O that anything can point to.
        :raises TargetError: O's writes cannot be tracked; it is still the caller's tracker.
        """
        arenas = _arenas(control)
        for one in arenas:
            tracker.track(one.range)
        size = sum(one.range.size for one in arenas)
        return cls(tracker, arenas, SharedBuffer(size + REST), Hints(size, addresses))

    def close(self) -> None:
        """Ends the tracking and gives the memory back."""
        self.tracker.close()
        self.buffer.close()

    def advance(self, heap: Sequence[Range], old_memory: Memory, new_memory: Memory) -> int:
        """Copies what the running process has written since the last time, into N, too. Answers the bytes.

        :param heap: the memory of all spans, `within` the copy. N can have it written.
        """
        pieces = self._fetch(old_memory, heap, begin_again=True)
        new_memory.write_from(pieces, self.buffer)
        self.mirrored = join_ranges([*self.mirrored, *heap])
        return sum(one.size for one in pieces)

    def within(self, heap: Sequence[Range]) -> list[Range]:
        """Those that this copy has room for."""
        return [one for one in heap if self._arena(one)]

    def finish(self, memory: Memory, heap: Sequence[Range], rest: Sequence[Range]) -> Image | None:
        """The image of the process, which is at rest now; None if it outgrew the buffer.

        :param memory: of the stopped process.
        :param rest: its other writable memory.
        """
        others = tuple(self._behind(rest))
        end = max((one.offset + one.size for one in others), default=0)
        if end > self.buffer.size or not all(self._arena(one) for one in heap):
            return None
        late = self._fetch(memory, heap, begin_again=False)
        memory.read_into(others, self.buffer)
        self.late = [Range(one.address, one.address + one.size) for one in late]
        pieces = [*(self._piece(one) for one in heap), *others]
        return Image(self.buffer, tuple(sorted(pieces, key=lambda one: one.address)), self.hints, self._hinted)

    def spoil(self, pages: Iterable[Range]) -> None:
        """These pages of the image are no longer what the process has: the transfer works in it."""
        changed = [one for one in join_ranges(list(pages)) if self._arena(one)]
        self._spoiled += changed
        self.late = join_ranges([*self.late, *changed])

    def stale(self, heap: Sequence[Range]) -> list[Range]:
        """What N has been given too much, since O has given it back."""
        return [part for one in self.mirrored for part in subtract(one, heap)]

    # ---- parts

    @property
    def _hinted(self) -> int:
        return sum(one.range.size for one in self.arenas)

    def _fetch(self, memory: Memory, heap: Sequence[Range], *, begin_again: bool) -> list[Piece]:
        written = self.tracker.written(heap, begin_again=begin_again)
        pieces = [self._piece(one) for one in join_ranges([*written, *self._spoiled])]
        memory.read_into(pieces, self.buffer)
        self.hints.learn([(one.offset, one.size) for one in pieces], self.buffer.view)
        self._spoiled = []
        return pieces

    def _arena(self, place: Range) -> Arena | None:
        return next((one for one in self.arenas if one.range.start <= place.start and place.end <= one.range.end), None)

    def _piece(self, place: Range) -> Piece:
        arena = self._arena(place)
        assert arena is not None, f"{place} is no part of the copied heap"
        return Piece(place.start, place.size, arena.offset + place.start - arena.range.start)

    def _behind(self, rest: Sequence[Range]) -> Iterable[Piece]:
        offset = self._hinted
        for one in join_ranges(list(rest)):
            yield Piece(one.start, one.size, offset)
            offset = align_up(offset + one.size, PAGE)
