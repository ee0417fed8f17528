"""A new process of the same build, started twice: as a rehearsal, then by the plan that the rehearsal gave.

Every start-up allocation has a counterpart then, at the same address.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from gdb_mcr.model.launch import LaunchPlan
from gdb_mcr.model.placement import PlanEntry
from gdb_mcr.model.startup_log import AllocationFlag, OperationFlag, OperationKind
from gdb_mcr.paths import native_library
from gdb_mcr.proc.descriptors import descriptors
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.reinit.alignment import Content, LogSide, align
from gdb_mcr.reinit.inherit import inheritance, is_cloexec
from gdb_mcr.reinit.launcher import start
from gdb_mcr.reinit.plan import LiveChunks, find_lost_places, make_pairs, make_plan
from gdb_mcr.runtime_abi.adoption import adoption_memfd, read_module_bytes, read_site_bytes
from gdb_mcr.runtime_abi.channel import Channel, PassedFd, RemoteCall, open_channel
from gdb_mcr.runtime_abi.heap import read_heap
from gdb_mcr.runtime_abi.layout import Role
from gdb_mcr.runtime_abi.settings import (
    Inherited,
    NewSettings,
    new_settings,
    read_old_log,
    spans_for_plan,
)
from gdb_mcr.tracing.heap import chunks_of
from gdb_mcr.update.recorded import RecordedProcess, find_recorded
from gdb_mcr.update.run import module_tables
from tests.support.recorded import ROOT, TIMEOUT_S, recorded_memcached
from tests.support.servers import nearest_server

SYS_GETPID, SYS_GETCWD = 39, 79


@pytest.fixture(scope="module")
def binary() -> Path:
    return nearest_server("memcached", "1.6.18-1+deb12u1").binary


@pytest.fixture(scope="module")
def old(binary: Path) -> Iterator[RecordedProcess]:
    with recorded_memcached(binary) as server:
        yield server


@contextmanager
def started(
    binary: Path, old: RecordedProcess, role: Role, plan: tuple[PlanEntry, ...] = ()
) -> Iterator[tuple[RecordedProcess, Channel]]:
    """N, held at the end of its start-up; ended with the block."""
    control, log, opened = old.control(), old.log(), descriptors(old.pid)
    inherited = inheritance(opened, log.operations).all
    settings = new_settings(
        NewSettings(
            role=role,
            generation=1,
            window=control.window.start,
            first_page=0,
            old_pid=old.pid,
            placeholder_end=max(opened) + 17,
            private_fd=1000,
            log=read_old_log(old.memory, control),
            modules=module_tables(binary),
            plan=plan,
            spans=spans_for_plan(read_heap(old.memory, control).spans, plan),
            inherited=[Inherited(one.number, is_cloexec(one)) for one in inherited],
            watchdog_ms=int(TIMEOUT_S * 1000),
        )
    )
    channel, theirs = open_channel()
    facts = log.facts
    launch_plan = LaunchPlan(binary, facts.argv, facts.environ, native_library("libmcr.so"), facts)
    pid = 0
    try:
        with channel:
            with start(launch_plan, settings, theirs, TIMEOUT_S) as launch, Pidfd(old.pid) as pidfd:
                os.close(theirs)
                copies = [PassedFd(one.number, is_cloexec(one), pidfd.getfd(one.number)) for one in inherited]
                channel.send_fds(copies)
                for copy in copies:
                    os.close(copy.descriptor)
                channel.wait_hello(TIMEOUT_S)
                pid = launch.wait().pid
            channel.wait_held(TIMEOUT_S)
            yield find_recorded(pid), channel
    finally:
        os.close(settings)
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def side(process: RecordedProcess) -> LogSide:
    log = process.log()
    return LogSide(log.allocations, log.threads, lambda one: None, lambda one: Content())


def test_a_rehearsed_start_up_stands_where_the_old_one_does(binary: Path, old: RecordedProcess) -> None:
    before = side(old)
    columns = chunks_of(read_heap(old.memory, old.control()))
    live = LiveChunks(columns.addresses, columns.capacities)
    with started(binary, old, Role.REHEARSE) as (rehearsal, _):
        mine = side(rehearsal)
        alignment = align(before, mine)
        assert not any(one.plan >= 0 for one in mine.allocations)
    plan = make_plan(before, mine, alignment, live)
    lasting = [one for one in before.allocations if not one.is_freed]
    assert {one.old_seq for one in plan} == {one.seq for one in lasting}
    assert all(one.address for one in plan)

    with started(binary, old, Role.REPLAY, plan) as (new, channel):
        after = side(new)
        pairing = make_pairs(before, after)
        assert pairing.diverged == ()
        assert {(one.address, one.new_address) for one in pairing.pairs} == {(one.address,) * 2 for one in lasting}
        assert {one.flags for one in after.allocations if one.plan >= 0} == {int(AllocationFlag.PLACED)}
        assert find_lost_places(before, after, live) == ()
        listening = next(one for one in new.log().operations if one.kind is OperationKind.LISTEN)
        assert listening.flags & OperationFlag.MATCHED

        pid, cwd = channel.syscalls([RemoteCall(SYS_GETPID), RemoteCall(SYS_GETCWD, (bytes(4096), 4096))])
        assert pid.value == new.pid
        assert cwd.buffers[0].startswith(os.fsencode(ROOT) + b"\0")
        fresh = channel.allocate([100, 30000])
        adopt(old, channel)
        adopted = chunks_of(read_heap(new.memory, new.control()))
        assert set(columns.addresses) <= set(adopted.addresses)
        assert set(fresh) <= set(adopted.addresses)
        channel.forget(fresh)
        channel.snapshot()
        assert new.control().snapshot_size > 0
        assert new.control().error_text == ""


def adopt(old: RecordedProcess, channel: Channel) -> None:
    control, memory = old.control(), old.memory
    heap = read_heap(memory, control)
    descriptor = adoption_memfd(heap, read_site_bytes(memory, control), read_module_bytes(memory, control))
    channel.adopt(descriptor)
    os.close(descriptor)
