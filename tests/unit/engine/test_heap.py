"""The allocator's tables become columns, or an error if they cannot be believed."""

from __future__ import annotations

import time
from array import array

import pytest

from gdb_mcr.engine.heap import live_chunks
from gdb_mcr.engine.tracer import EngineError
from gdb_mcr.runtime_abi import layout
from gdb_mcr.runtime_abi.control import read_control
from gdb_mcr.runtime_abi.heap import HeapDamaged, coalesce, read_heap
from gdb_mcr.tracing.heap import chunks_of
from gdb_mcr.units import Range
from tests.support.fake_server import CONTROL, FakeServer, large_span, slot_array, small_span

LIVE, STARTUP, CACHED = layout.SlotFlag.LIVE, layout.SlotFlag.STARTUP, layout.SlotFlag.CACHED
META = 0x500000000


def test_live_chunks_of_all_banks_in_order_of_address() -> None:
    fake = FakeServer()
    fake.put(META, slot_array((30, LIVE | STARTUP, 7), (0, CACHED, 1), (32, LIVE, 8)) + slot_array((0, LIVE, 9)))
    fake.put(META + 0x2000, slot_array((0, LIVE, 3)))
    small = small_span(0x7000_0000_2000, 32, 3, META)
    large = large_span(0x7000_0000_0000, 5000, META + 24)
    fake.bank(0, [layout.Span(), layout.Span(kind=layout.SpanKind.FREE, start=0x1000, pages=1), small, large])
    fake.bank(3, [large_span(0x6000_0000_0000, 4096, META + 0x2000)])
    chunks = chunks_of(read_heap(fake.seal(), read_control(fake, CONTROL)))
    assert list(chunks.addresses) == [0x6000_0000_0000, 0x7000_0000_0000, 0x7000_0000_2000, 0x7000_0000_2040]
    assert list(chunks.sizes) == [4096, 5000, 30, 32]
    assert list(chunks.capacities) == [4096, 8192, 32, 32]
    assert list(chunks.sites) == [3, 9, 7, 8]
    assert list(chunks.flags) == [1, 1, 3, 1]


def test_an_empty_heap_has_no_chunks() -> None:
    fake = FakeServer().seal()
    assert len(chunks_of(read_heap(fake, read_control(fake, CONTROL)))) == 0


@pytest.mark.parametrize(
    "spans",
    [
        [small_span(0x1000, 32, 4, META)],
        [small_span(0x1000, 32, 2, META - 8)],
        [small_span(0x1000, 32, 2, META + 4)],
        [small_span(0x1000, 16, 2, META)],
        [large_span(0x1000, 10000, META), large_span(0x2000, 100, META)],
        [layout.Span(kind=layout.SpanKind.SMALL, start=0x1000, pages=1, slot_count=1, slots=META)],
    ],
    ids=["slots-end", "slots-before", "slots-unaligned", "chunk-beyond-slot", "overlap", "no-slot-size"],
)
def test_damaged_tables_are_refused(spans: list[layout.Span]) -> None:
    slots = slot_array((32, LIVE, 0), (32, LIVE, 0))
    with pytest.raises(EngineError):
        live_chunks(b"".join(map(bytes, spans)), [(META, slots)])


@pytest.mark.parametrize("count", [5000, 1 << 50, (1 << 64) - 1])
def test_more_spans_than_pages_are_not_read(count: int) -> None:
    fake = FakeServer()
    fake.bank(0, [small_span(0x1000, 32, 2, META)])
    fake.block.banks[0].span_count = count
    with pytest.raises(HeapDamaged):
        read_heap(fake.seal(), read_control(fake, CONTROL))


@pytest.mark.parametrize(
    "span",
    [
        small_span(0x1000, 32, 1 << 31, META),
        layout.Span(kind=layout.SpanKind.SMALL, start=0x1000, pages=1 << 31, slot_bytes=16, slot_count=9, slots=META),
    ],
    ids=["slots", "pages"],
)
def test_more_slots_than_fit_are_not_read(span: layout.Span) -> None:
    fake = FakeServer()
    fake.bank(0, [span])
    with pytest.raises(HeapDamaged):
        read_heap(fake.seal(), read_control(fake, CONTROL))


def test_slot_arrays_are_joined_only_over_mapped_pages() -> None:
    ranges = [Range(0x3000, 0x3008), Range(0x1000, 0x1008), Range(0x1800, 0x1900), Range(0x2F00, 0x2F10)]
    assert coalesce(ranges) == [Range(0x1000, 0x3008)]
    assert coalesce([Range(0, 8), Range(0x2000, 0x2008)]) == [Range(0, 8), Range(0x2000, 0x2008)]


def test_a_million_chunks_take_milliseconds() -> None:
    """The whole heap is read while O stands still. The bound is ten times what it takes."""
    per_span, spans = 1000, 1000
    slots = slot_array((48, LIVE, 5)) * (per_span * spans)
    table = b"".join(
        bytes(small_span(0x10000 + i * 0x10000, 64, per_span, META + i * per_span * 8)) for i in range(spans)
    )
    start = time.perf_counter()
    columns = live_chunks(table, [(META, slots)])
    seconds = time.perf_counter() - start
    assert len(columns.addresses) == per_span * spans
    assert columns.sites[-1:] == array("I", [5])
    assert seconds < 0.3
