"""What the controller writes for libmcr, read back by the offsets that libmcr uses."""

from __future__ import annotations

import ctypes
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from gdb_mcr.errors import RuntimeAbiError
from gdb_mcr.model.placement import PlanEntry
from gdb_mcr.runtime_abi import layout, messages
from gdb_mcr.runtime_abi.adoption import adoption_memfd
from gdb_mcr.runtime_abi.control import read_control
from gdb_mcr.runtime_abi.heap import read_heap
from gdb_mcr.runtime_abi.settings import (
    Inherited,
    ModuleTableFile,
    NewSettings,
    OldLog,
    new_settings,
    record_settings,
    spans_for_plan,
)
from tests.support.fake_server import CONTROL, FakeServer, large_span, slot_array, small_span

Entry = TypeVar("Entry", bound=ctypes.Structure)

BANK = 0x7000_0000_0000
META = 0x500000000
MODULE = ModuleTableFile("ab" * 20, Path("/cache/tables/abab.table"))


@contextmanager
def content(descriptor: int) -> Iterator[bytes]:
    try:
        yield os.pread(descriptor, os.fstat(descriptor).st_size + 1, 0)
    finally:
        os.close(descriptor)


def entries(data: bytes, kind: type[Entry], offset: int, count: int) -> list[Entry]:
    assert offset % 8 == 0
    return [kind.from_buffer_copy(data, offset + i * ctypes.sizeof(kind)) for i in range(count)]


def test_record_settings_name_the_module_tables() -> None:
    descriptor = record_settings([MODULE])
    seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    assert seals & fcntl.F_SEAL_WRITE
    assert seals & fcntl.F_SEAL_SHRINK
    with content(descriptor) as data:
        head = messages.Settings.from_buffer_copy(data)
        (module,) = entries(data, messages.SettingsModule, head.module_tables, head.module_table_count)
    assert (head.magic, head.version, head.size) == (messages.SETTINGS_MAGIC, layout.VERSION, len(data))
    assert head.role == layout.Role.RECORD
    assert (bytes(module.build_id[: module.build_id_size]).hex(), module.path) == (
        "ab" * 20,
        b"/cache/tables/abab.table",
    )


def test_new_settings_carry_the_old_log_and_the_plan_in_order() -> None:
    operations = bytes(layout.Operation(seq=0)) + bytes(layout.Operation(seq=1, flags=16))
    plan = [PlanEntry(5, 1, 1, 2, 30, 0x2000, 32), PlanEntry(5, 1, 0, 1, 30, 0, 0), PlanEntry(1, 9, 0, 0, 8, 0, 0)]
    settings = NewSettings(
        role=layout.Role.REPLAY,
        generation=1,
        window=0x7000_0000_0000,
        first_page=0,
        old_pid=4711,
        placeholder_end=64,
        private_fd=1000,
        log=OldLog(operations, bytes(layout.Thread(tid=3)), b"abc"),
        modules=[MODULE],
        plan=plan,
        spans=bytes(layout.Span(start=0x2000)),
        inherited=[Inherited(7, cloexec=True)],
        watchdog_ms=9000,
    )
    with content(new_settings(settings)) as data:
        head = messages.Settings.from_buffer_copy(data)
        assert head.size == len(data)
        assert [one.seq for one in entries(data, layout.Operation, head.operations, head.operation_count)] == [0, 1]
        assert [one.tid for one in entries(data, layout.Thread, head.threads, head.thread_count)] == [3]
        assert data[head.blobs : head.blobs + head.blob_size] == b"abc"
        rows = entries(data, messages.PlanEntry, head.plan, head.plan_count)
        assert [(row.thread_key, row.nth, row.old_seq) for row in rows] == [(1, 0, 0), (5, 0, 1), (5, 1, 2)]
        assert (rows[2].address, rows[2].capacity, rows[2].size) == (0x2000, 32, 30)
        assert [one.start for one in entries(data, layout.Span, head.spans, head.span_count)] == [0x2000]
        (inherited,) = entries(data, messages.InheritedFd, head.inherited, head.inherited_count)
    assert (inherited.number, inherited.cloexec) == (7, 1)
    assert (head.window, head.watchdog_ms, head.private_fd) == (0x7000_0000_0000, 9000, 1000)


def test_a_path_that_does_not_fit_is_said() -> None:
    with pytest.raises(RuntimeAbiError, match="too long"):
        record_settings([ModuleTableFile("ab", Path("/" + "x" * 600))])


def test_only_spans_that_the_plan_uses_are_sent() -> None:
    spans = b"".join(bytes(one) for one in (small_span(0x1000, 64, 64, META), small_span(0x2000, 64, 64, META + 512)))
    entry = PlanEntry(0, 0, 0, 0, 8, 0x2040, 64)
    sent = spans_for_plan(spans, [entry, entry._replace(address=0)])
    (span,) = entries(sent, layout.Span, 0, 1)
    assert (span.start, span.slots) == (0x2000, 0)
    with pytest.raises(RuntimeAbiError, match="outside"):
        spans_for_plan(spans, [entry._replace(address=0x9000)])


def test_the_adoption_refers_to_slots_by_offset() -> None:
    live = layout.SlotFlag.LIVE
    fake = FakeServer()
    fake.put(META, slot_array((1, live, 0), (2, live, 0), (3, live, 0)))
    fake.put(META + 0x4000, slot_array((4, live, 0)))
    spans = [small_span(BANK + 0x1000, 8, 2, META), large_span(BANK + 0x3000, 10, META + 16), layout.Span(slots=5)]
    fake.bank(0, spans)
    fake.bank(1, [large_span(BANK + (1 << layout.BANK_SHIFT), 10, META + 0x4000)])
    heap = read_heap(fake.seal(), read_control(fake, CONTROL))
    site = bytes(layout.Site(depth=1, returns=(77,)))
    with content(adoption_memfd(heap, site, b"")) as data:
        head = messages.Adoption.from_buffer_copy(data)
        rows = entries(data, layout.Span, head.spans, head.span_count)
        sizes = [
            [slot.size for slot in entries(data, layout.Slot, row.slots, row.slot_count)] for row in rows if row.slots
        ]
        (adopted,) = entries(data, layout.Site, head.sites, head.site_count)
    assert sizes == [[1, 2], [3], [4]]
    assert rows[2].slots == 0
    assert (adopted.returns[0], head.module_count, list(head.bank_used)[:3]) == (77, 0, [4, 1, 0])
