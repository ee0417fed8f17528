"""A real server started as `mcr run` does, and everything that its libmcr recorded, read while it serves."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdb_mcr.model.startup_log import AllocationFlag, OperationKind, StartupLog
from gdb_mcr.runtime_abi.adoption import adoption_memfd, read_module_bytes, read_site_bytes
from gdb_mcr.runtime_abi.heap import read_heap
from gdb_mcr.runtime_abi.layout import Role, SlotFlag
from gdb_mcr.runtime_abi.tables import read_snapshot
from gdb_mcr.tracing.heap import chunks_of, sites_of
from gdb_mcr.tracing.sides import Chunks
from gdb_mcr.update.recorded import RecordedProcess
from tests.support.recorded import ROOT, recorded_memcached
from tests.support.servers import nearest_server


@pytest.fixture(scope="module")
def served() -> Iterator[RecordedProcess]:
    with recorded_memcached(nearest_server("memcached", "1.6.18-1+deb12u1").binary) as server:
        yield server


@pytest.fixture(scope="module")
def log(served: RecordedProcess) -> StartupLog:
    return served.log()


@pytest.fixture(scope="module")
def chunks(served: RecordedProcess) -> Chunks:
    return chunks_of(read_heap(served.memory, served.control()))


def test_the_control_block_tells_a_recorded_server(served: RecordedProcess) -> None:
    control = served.control()
    assert (control.role, control.pid, control.generation) == (Role.RECORD, served.pid, 0)
    assert (control.error_text, control.hold, control.channel_fd) == ("", False, -1)
    assert control.window.size > 0
    assert any(control.address in one for one in control.private_ranges)


def test_the_launch_facts_are_those_of_the_command(served: RecordedProcess, log: StartupLog) -> None:
    facts = log.facts
    assert facts.argv == tuple(Path(f"/proc/{served.pid}/cmdline").read_bytes().split(b"\0")[:-1])
    assert facts.argv[0].endswith(b"memcached")
    assert not any(one.startswith(b"LD_PRELOAD=") for one in facts.environ)
    assert Path(facts.exe).resolve() == Path(f"/proc/{served.pid}/exe").resolve()
    assert facts.uids == (os.getuid(), os.geteuid(), os.geteuid())
    assert not facts.signals_ignored & (1 << signal.SIGXFSZ - 1)
    assert Path(facts.cwd) == ROOT


def test_the_listening_socket_is_in_the_log(log: StartupLog) -> None:
    kinds = {one.kind for one in log.operations}
    assert {OperationKind.SOCKET, OperationKind.BIND, OperationKind.LISTEN, OperationKind.EPOLL_CREATE} <= kinds
    (bound,) = [one for one in log.operations if one.kind is OperationKind.BIND]
    made = [one for one in log.operations if bound.args[0] in one.descriptors]
    assert bound.socket_address.startswith("127.0.0.1:")
    assert made[-1].kind is OperationKind.SOCKET
    assert len(bound.returns) > 2
    assert all(log.modules[0].start <= one for one in bound.returns[:1])


def test_threads_have_identities_of_their_own(served: RecordedProcess, log: StartupLog) -> None:
    alive = [one for one in log.threads if not one.exited]
    assert {one.tid for one in alive} == {int(one.name) for one in Path(f"/proc/{served.pid}/task").iterdir()}
    assert len({one.key for one in alive}) == len(alive)
    workers = [one for one in alive if one.ordinal == 3]
    assert workers, "four workers come from one call"


def test_the_heap_agrees_with_the_allocation_log(log: StartupLog, chunks: Chunks) -> None:
    assert len(chunks) > 100
    assert list(chunks.addresses) == sorted(chunks.addresses)
    assert all(size <= room for size, room in zip(chunks.sizes, chunks.capacities, strict=True))
    sizes = dict(zip(chunks.addresses, chunks.sizes, strict=True))
    flags = dict(zip(chunks.addresses, chunks.flags, strict=True))
    live = [one for one in log.allocations if not one.is_freed]
    assert len(live) > 100
    assert {one.address: one.size for one in live}.items() <= sizes.items()
    assert {one.address for one in live} == {at for at, flag in flags.items() if flag & SlotFlag.STARTUP}
    assert not any(one.flags & ~AllocationFlag.FREED for one in log.allocations)


def test_sites_are_return_addresses_in_listed_modules(served: RecordedProcess, log: StartupLog, chunks: Chunks) -> None:
    sites = sites_of(served.memory, served.control())
    assert {Path(one.path).name.partition(".")[0] for one in log.modules} >= {"memcached", "libc", "libmcr"}
    ranges = [range(one.start, one.end) for one in log.modules]
    used = [sites[number] for number in set(chunks.sites)]
    assert all(one.returns for one in used)
    assert all(any(address in one for one in ranges) for site in used for address in site.returns)


def test_the_snapshot_holds_the_memory_of_start_up(served: RecordedProcess, log: StartupLog) -> None:
    """Pages that start-up never touched are left out."""
    snapshot = read_snapshot(served.memory, served.control())
    assert snapshot.address
    assert all(offset + place.size <= snapshot.size for place, offset in snapshot.regions)
    small = [one for one in log.allocations if 0 < one.base_size < 4096]
    held = [one for one in small if any(one.base_address in place for place, _ in snapshot.regions)]
    assert len(held) > 0.9 * len(small)


def test_an_adoption_can_be_built_from_it(served: RecordedProcess) -> None:
    control = served.control()
    memory = served.memory
    heap = read_heap(memory, control)
    descriptor = adoption_memfd(heap, read_site_bytes(memory, control), read_module_bytes(memory, control))
    assert os.fstat(descriptor).st_size > len(heap.spans)
    os.close(descriptor)
