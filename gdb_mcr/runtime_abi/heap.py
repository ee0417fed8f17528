"""The raw span and slot tables of libmcr's allocator. What they mean chunk by chunk is found out in the engine.

Slots are read in few large pieces: slot arrays that share or touch pages come together.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from gdb_mcr.errors import RuntimeAbiError
from gdb_mcr.runtime_abi import layout
from gdb_mcr.runtime_abi.control import BankPlace, Control, Reader
from gdb_mcr.units import PAGE, WORD, Range, align_down, align_up

FRESH_SPANS = 1024
"""Spans that a running server may have made since the count of its pages was read."""

MOST_SPANS = 1 << 24
"""In one bank: 1 << MCR_SPAN_INDEX_BITS."""

_SPAN = ctypes.sizeof(layout.Span)
_SLOT = ctypes.sizeof(layout.Slot)


class HeapDamaged(RuntimeAbiError):
    """The tables contradict themselves: they have changed between two reads, or are no tables of this libmcr."""


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
    """All spans and the slots of those that hold chunks.

    :raises HeapDamaged: they cannot be what they claim to be. Nothing is read by a size that makes no sense.
    """
    by_bank = [_read_spans(memory, bank) for bank in control.banks]
    spans = b"".join(by_bank)
    arrays = (one for bank, rows in zip(control.banks, by_bank, strict=True) for one in _slot_arrays(rows, bank))
    slots = tuple(SlotBytes(piece.start, memory.read(piece.start, piece.size)) for piece in coalesce(arrays))
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
    # Each span has a page of its own, and entries are used again.
    if bank.span_count > min(bank.used_pages + FRESH_SPANS, MOST_SPANS):
        raise HeapDamaged(f"the heap at {bank.start:#x} cannot have {bank.span_count} spans")
    return memory.read(bank.spans, bank.span_count * _SPAN) if bank.span_count else b""


def _slot_arrays(spans: bytes, bank: BankPlace) -> Iterable[Range]:
    words, halves = array("Q", spans), array("I", spans)
    columns = (
        span_kinds(spans),
        words[layout.Span.slots.offset // WORD :: _SPAN // WORD],
        halves[layout.Span.pages.offset // 4 :: _SPAN // 4],
        halves[layout.Span.slot_bytes.offset // 4 :: _SPAN // 4],
        halves[layout.Span.slot_count.offset // 4 :: _SPAN // 4],
    )
    most_pages = bank.used_pages + FRESH_SPANS
    for kind, address, pages, size, count in zip(*columns, strict=True):
        if kind < layout.SpanKind.SMALL or not count:
            continue
        if pages > most_pages or (count > 1 and count * size > pages << layout.PAGE_SHIFT):
            raise HeapDamaged(f"a span of the heap at {bank.start:#x} cannot have {count} slots")
        yield Range(address, address + count * _SLOT)
