"""The raw span and slot tables of libmcr's allocator. What they mean chunk by chunk is found out in the engine.

Slots are read in few large pieces: slot arrays that share or touch pages come together.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from gdb_mcr.runtime_abi import layout
from gdb_mcr.runtime_abi.control import BankPlace, Control, Reader
from gdb_mcr.units import PAGE, WORD, Range, align_down, align_up

_SPAN = ctypes.sizeof(layout.Span)
_SLOT = ctypes.sizeof(layout.Slot)


@dataclass(frozen=True, slots=True)
class SlotBytes:
    """A piece of the server's memory that holds arrays of struct mcr_slot."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class HeapImage:
    """The allocator's tables at one moment."""

    spans: bytes
    """struct mcr_span of all banks, one bank after the other; `slots` are addresses in the server."""
    slots: tuple[SlotBytes, ...]
    """Sorted by address, disjoint."""
    bank_ends: tuple[int, ...]
    """By bank: how many of its pages reach to the end of its last span that holds chunks."""

    @property
    def span_count(self) -> int:
        """Spans of all banks."""
        return len(self.spans) // _SPAN


def read_heap(memory: Reader, control: Control) -> HeapImage:
    """All spans and the slots of those that hold chunks."""
    by_bank = [_read_spans(memory, bank) for bank in control.banks]
    spans = b"".join(by_bank)
    slots = tuple(
        SlotBytes(piece.start, memory.read(piece.start, piece.size)) for piece in coalesce(_slot_arrays(spans))
    )
    return HeapImage(spans, slots, tuple(map(_end, by_bank, control.banks)))


def read_used(memory: Reader, control: Control) -> list[Range]:
    """The memory of each span that holds chunks, without a look at these; in a running process a span may be torn."""
    return [one for bank in control.banks for one in used_spans(_read_spans(memory, bank))]


def coalesce(ranges: Iterable[Range]) -> list[Range]:
    """The ranges sorted and joined where no whole page lies between two of them, so that all of it is mapped."""
    joined: list[Range] = []
    for one in sorted(ranges):
        if joined and align_down(one.start, PAGE) <= align_up(joined[-1].end, PAGE):
            joined[-1] = Range(joined[-1].start, max(joined[-1].end, one.end))
        else:
            joined.append(one)
    return joined


def slot_addresses(spans: bytes) -> array[int]:
    """`slots` of each span."""
    return array("Q", spans)[layout.Span.slots.offset // WORD :: _SPAN // WORD]


def used_spans(spans: bytes) -> list[Range]:
    """The memory of each span that holds chunks."""
    starts = array("Q", spans)[layout.Span.start.offset // WORD :: _SPAN // WORD]
    pages = array("I", spans)[layout.Span.pages.offset // 4 :: _SPAN // 4]
    return [
        Range(start, start + (count << layout.PAGE_SHIFT))
        for kind, start, count in zip(span_kinds(spans), starts, pages, strict=True)
        if kind >= layout.SpanKind.SMALL
    ]


def span_kinds(spans: bytes) -> bytes:
    """`kind` of each span."""
    return spans[layout.Span.kind.offset :: _SPAN]


def _end(spans: bytes, bank: BankPlace) -> int:
    end = max((one.end for one in used_spans(spans)), default=bank.start)
    return (end - bank.start) >> layout.PAGE_SHIFT


def _read_spans(memory: Reader, bank: BankPlace) -> bytes:
    return memory.read(bank.spans, bank.span_count * _SPAN) if bank.span_count else b""


def _slot_arrays(spans: bytes) -> Iterable[Range]:
    counts = array("I", spans)[layout.Span.slot_count.offset // 4 :: _SPAN // 4]
    for kind, address, count in zip(span_kinds(spans), slot_addresses(spans), counts, strict=True):
        if kind >= layout.SpanKind.SMALL and count:
            yield Range(address, address + count * _SLOT)
