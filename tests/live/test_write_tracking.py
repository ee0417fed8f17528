"""Pages that a running process writes are told, and it does not notice."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdb_mcr.errors import TargetError
from gdb_mcr.proc.descriptors import targets
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.proc.write_tracking import WriteTracker
from gdb_mcr.runtime_abi.control import request_tracker, tracker_state
from gdb_mcr.runtime_abi.layout import TrackerRequest
from gdb_mcr.units import PAGE, Range
from gdb_mcr.update.recorded import find_recorded
from gdb_mcr.update.write_tracking import track_writes
from tests.support.mcr_server import McrServer
from tests.support.memcached import fill, free_port, server_arguments, wait_until_served
from tests.support.servers import nearest_server

pytestmark = pytest.mark.live

USERFAULTFD, USER_MODE_ONLY = 323, 1
PAGES = 64
OLD = "1.6.18-1+deb12u1"


@pytest.fixture
def memory() -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, PAGES * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as made:
        yield made


@pytest.fixture
def tracker() -> Iterator[WriteTracker]:
    descriptor = ctypes.CDLL(None).syscall(USERFAULTFD, os.O_CLOEXEC | os.O_NONBLOCK | USER_MODE_ONLY)
    try:
        made = WriteTracker(os.getpid(), descriptor)
    except TargetError as error:
        pytest.skip(f"{error}: it needs Linux 6.7")
    with made:
        yield made


def place_of(memory: mmap.mmap) -> Range:
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return Range(start, start + PAGES * PAGE)


def pages(found: list[Range], place: Range) -> list[int]:
    return [page for one in found for page in range((one.start - place.start) // PAGE, (one.end - place.start) // PAGE)]


def test_pages_count_as_written_until_they_were_looked_at(memory: mmap.mmap, tracker: WriteTracker) -> None:
    place = place_of(memory)
    memory[0] = 1
    tracker.track(place)
    assert pages(tracker.written([place], begin_again=True), place) == list(range(PAGES))
    assert tracker.written([place], begin_again=False) == []
    memory[3 * PAGE] = 1
    memory[4 * PAGE] = 1
    with Path("/dev/zero").open("rb", buffering=0) as zeros:
        zeros.readinto(memoryview(memory)[10 * PAGE : 10 * PAGE + 8])
    assert pages(tracker.written([place], begin_again=False), place) == [3, 4, 10]
    assert pages(tracker.written([place], begin_again=True), place) == [3, 4, 10]
    assert tracker.written([place], begin_again=True) == []


def test_memory_that_is_not_tracked_is_refused(memory: mmap.mmap, tracker: WriteTracker) -> None:
    with pytest.raises(TargetError):
        tracker.written([place_of(memory)], begin_again=False)


def test_server_gives_a_tracker_and_keeps_nothing_of_it() -> None:
    port = free_port()
    with McrServer([str(nearest_server("memcached", OLD).binary), *server_arguments(port)]) as server:
        wait_until_served(port)
        process = find_recorded(server.pid)
        with Pidfd(server.pid) as pidfd:
            tracker = track_writes(process, pidfd)
            if not tracker.tells:
                pytest.skip("it needs Linux 6.7")
            bank = next(one for one in process.control().banks if one.used_pages)
            place = Range(bank.start, bank.start + bank.used_pages * PAGE)
            tracker.track(place)
            tracker.written([place], begin_again=True)
            fill(port, 1000)
            assert sum(one.size for one in tracker.written([place], begin_again=False)) >= 1000 * 100
            tracker.close()
        assert loses_tracker(server.pid)


def has_tracker(pid: int) -> bool:
    return any("userfaultfd" in one for one in targets(pid).values())


def loses_tracker(pid: int) -> bool:
    """Within the time that libmcr gives a controller, and a timer's second."""
    deadline = time.monotonic() + 10
    while has_tracker(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not has_tracker(pid)


def test_server_closes_the_tracker_of_a_controller_that_has_died() -> None:
    port = free_port()
    with McrServer([str(nearest_server("memcached", OLD).binary), *server_arguments(port)]) as server:
        wait_until_served(port)
        process = find_recorded(server.pid)
        request_tracker(process.memory, process.control_address, TrackerRequest.OPEN)
        deadline = time.monotonic() + 5
        while tracker_state(process.memory, process.control_address)[0] in (TrackerRequest.OPEN, TrackerRequest.BUSY):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        if tracker_state(process.memory, process.control_address)[1] < 0:
            pytest.skip("it needs Linux 6.7")
        assert has_tracker(server.pid)
        assert loses_tracker(server.pid)
        assert tracker_state(process.memory, process.control_address) == (TrackerRequest.NONE, -1)
        assert wait_until_served(port)
