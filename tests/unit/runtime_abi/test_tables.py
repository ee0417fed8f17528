"""libmcr's tables, read back from fabricated memory."""

from __future__ import annotations

import ctypes
import struct

import pytest

from gdb_mcr.errors import RuntimeAbiError
from gdb_mcr.model.startup_log import AllocationFlag, OperationFlag, OperationKind, WaitKind, fold_stack
from gdb_mcr.runtime_abi import layout
from gdb_mcr.runtime_abi.control import clear_hold, describe_error, read_control, set_hold
from gdb_mcr.runtime_abi.tables import (
    read_early_snapshot,
    read_facts,
    read_live_threads,
    read_sites,
    read_snapshot,
    read_startup_log,
    read_threads,
)
from gdb_mcr.units import Range
from tests.support.fake_server import CONTROL, FakeServer

ADDRESS = struct.pack("<H", 2) + struct.pack(">H", 11211) + bytes([127, 0, 0, 1]) + bytes(8)


def server() -> FakeServer:
    fake = FakeServer()
    returns = fake.blob(struct.pack("<2Q", 0x1111, 0x2222))
    address, path = fake.blob(ADDRESS), fake.blob(b"/etc/server.conf\0")
    fake.table(
        "operations",
        [
            layout.Operation(seq=0, kind=OperationKind.SOCKET, result=26, args=(2, 1, 0), match=-1),
            layout.Operation(
                seq=1,
                kind=OperationKind.BIND,
                flags=OperationFlag.GONE,
                args=(26, -1),
                blob=address,
                blob_size=16,
                match=-1,
                returns=returns,
                depth=2,
            ),
            layout.Operation(seq=2, kind=OperationKind.OPEN, result=-1, error=2, blob=path, blob_size=17, match=7),
        ],
    )
    fake.table(
        "allocations",
        [
            layout.Allocation(seq=0, thread=1, stack_id=2**63, nth=3, site=4, addr=5, size=6, first_size=7, plan=-1),
            layout.Allocation(seq=1, base_addr=8, base_size=9, flags=AllocationFlag.FREED, plan=10),
        ],
    )
    fake.table("threads", [layout.Thread(tid=9), layout.Thread(index=1, creation_id=77, ordinal=2, wait=3)])
    fake.table("sites", [layout.Site(), layout.Site(generation=1, depth=2, returns=(10, 11, 99))])
    fake.table(
        "modules",
        [layout.Module(build_id=tuple(range(32)), build_id_size=20, base=0x400, start=1, end=2, path=b"/bin/s")],
    )
    fake.table("inputs", [layout.Input(device=1, inode=2, size=3, mtime_ns=-4, hash=5, path=path)])
    fake.table("snapshot", [layout.Region(0x2000, 16, 4096), layout.Region(0x1000, 8, 0)])
    facts = fake.block.facts
    facts.strings, facts.argc, facts.envc = fake.blob(b"server\0-p 1\0A=b\0C=\0"), 2, 2
    facts.strings_size, facts.cwd, facts.ngroups = 19, b"/srv", 1
    facts.affinity[1] = 0x81
    fake.block.snapshot_address = 0x9000
    return fake.seal()


def test_operations_come_with_their_bytes() -> None:
    fake = server()
    made, bound, opened = read_startup_log(fake, read_control(fake, CONTROL)).operations
    assert (made.kind, made.descriptors, made.match, made.returns) == (OperationKind.SOCKET, (26,), None, ())
    assert (bound.socket_address, bound.returns, bound.args[:2]) == ("127.0.0.1:11211", (0x1111, 0x2222), (26, -1))
    assert (opened.path, opened.descriptors, opened.error, opened.match) == ("/etc/server.conf", (), 2, 7)


def test_allocations_are_cut_from_columns() -> None:
    fake = server()
    first, second = read_startup_log(fake, read_control(fake, CONTROL)).allocations
    assert first == (0, 1, 2**63, 3, 4, 5, 6, 7, 0, 0, 0, -1)
    assert (second.base_address, second.base_size, second.is_freed, second.plan) == (8, 9, True, 10)


def test_other_tables() -> None:
    fake = server()
    control = read_control(fake, CONTROL)
    log = read_startup_log(fake, control)
    assert read_sites(fake, control) == ((0, ()), (1, (10, 11)))
    assert log.modules[0].build_id == bytes(range(20)).hex()
    assert (log.threads[1].wait, log.threads[1].key) == (WaitKind.INTERNAL, fold_stack(77, 2))
    assert (log.inputs[0].path, log.inputs[0].mtime_ns) == ("/etc/server.conf", -4)
    snapshot = read_snapshot(fake, control)
    assert snapshot.regions == ((Range(0x1000, 0x1008), 0), (Range(0x2000, 0x2010), 4096))
    assert snapshot.address == 0x9000


def test_launch_facts() -> None:
    fake = server()
    facts = read_facts(fake, read_control(fake, CONTROL))
    assert facts.argv == (b"server", b"-p 1")
    assert facts.environ == (b"A=b", b"C=")
    assert (facts.cwd, facts.groups, facts.affinity) == ("/srv", (0,), frozenset({8, 15}))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("magic", 0, "not ready yet"),
        ("magic", 1, "no control block"),
        ("version", layout.VERSION + 1, "another version"),
        ("size", 16, "another version"),
    ],
)
def test_a_foreign_control_block_is_refused(field: str, value: int, message: str) -> None:
    fake = FakeServer()
    setattr(fake.block, field, value)
    with pytest.raises(RuntimeAbiError, match=message) as caught:
        read_control(fake.seal(), CONTROL)
    assert caught.value.hint


def test_damaged_tables_are_errors_and_no_wild_reads() -> None:
    fake = server()
    fake.block.operations.entry_size = 8
    with pytest.raises(RuntimeAbiError, match="8 bytes"):
        read_startup_log(fake.seal(), read_control(fake, CONTROL))
    fake = FakeServer()
    fake.table("operations", [layout.Operation(blob=1 << 40, blob_size=4)])
    with pytest.raises(RuntimeAbiError, match="refers to"):
        read_startup_log(fake.seal(), read_control(fake, CONTROL))


def test_the_hold_is_two_words_and_the_error_is_told() -> None:
    fake = server()
    before = bytes(fake.pieces[CONTROL])
    set_hold(fake, CONTROL, 123)
    control = read_control(fake, CONTROL)
    assert (control.hold, control.hold_deadline_ns) == (True, 123)
    clear_hold(fake, CONTROL)
    assert not read_control(fake, CONTROL).hold
    changed = [i for i, (old, new) in enumerate(zip(before, fake.pieces[CONTROL], strict=True)) if old != new]
    assert set(changed) <= set(range(layout.ControlBlock.hold_deadline_ns.offset, layout.ControlBlock.window.offset))
    fake.block.error, fake.block.error_text, fake.block.error_line = 2, b"no window", 9
    assert describe_error(read_control(fake.seal(), CONTROL)) == "no window (line 9)"


def test_log_when_read_up_to_an_input_then_it_is_as_it_was_before_it() -> None:
    fake = server()
    start, row = fake.block.allocations.address, ctypes.sizeof(layout.Allocation)
    fake.put(0x9000, bytes(layout.Allocation(seq=0, thread=1, addr=50, size=60, plan=-1)))
    fake.put(0xA000, bytes(layout.Region(start, row, 0)))
    regions = layout.Table(0xA000, 1, 1, ctypes.sizeof(layout.Region), 1)
    fake.block.early[1] = layout.Early(5, 1, 0x9000, row, regions)
    control = read_control(fake.seal(), CONTROL)
    (early,) = [one for one in control.early if one.number == 5]
    (only,) = read_startup_log(fake, control, early).allocations
    assert (only.base_address, only.base_size, only.address) == (50, 60, 5)
    assert read_early_snapshot(fake, early).regions == ((Range(start, start + row), 0),)


def test_of_many_threads_only_those_are_built_that_have_not_ended() -> None:
    fake = FakeServer()
    rows = [layout.Thread(index=i, tid=100 + i, exited=i % 3 != 0, wait=2, wait_pc=i) for i in range(10)]
    fake.table("threads", rows)
    fake.seal()
    control = read_control(fake, CONTROL)
    everybody = read_threads(fake, control)
    assert read_live_threads(fake, control) == tuple(one for one in everybody if not one.exited)
    assert [one.tid for one in read_live_threads(fake, control)] == [100, 103, 106, 109]
