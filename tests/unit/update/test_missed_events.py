"""What has come for stopped threads: pipes and eventfds of this very process, futexes of made-up memory."""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gdb_mcr.debugger.base import MemoryFault, StoppedThread
from gdb_mcr.model.process import Task
from gdb_mcr.model.stop_point import WaitKind
from gdb_mcr.proc.descriptors import descriptors
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.update.in_flight import EventsInFlight
from gdb_mcr.update.missed_events import CHILD_ENDED, WOKEN, MissedEvents

READ, POLL, FUTEX, EPOLL_WAIT, PPOLL, WAIT4, WAITID = 0, 7, 202, 232, 271, 61, 247
WAIT_BITSET_PRIVATE = 0x89


class Memory:
    """Bytes at one address."""

    def __init__(self, address: int = 0, data: bytes = b"") -> None:
        self._address = address
        self._data = data

    def read(self, address: int, size: int) -> bytes:
        at = address - self._address
        if not 0 <= at <= len(self._data) - size:
            raise MemoryFault(1, address, size)
        return self._data[at : at + size]


def task(syscall: int, *arguments: int) -> Task:
    return Task(7, "", "t", syscall, (*arguments, 0, 0, 0), 0, 0, 0)


def stopped() -> StoppedThread:
    return StoppedThread(7, "", (), True, FUTEX, 0, 0)


@contextmanager
def in_flight(*numbers: int) -> Iterator[EventsInFlight]:
    mine = {number: one for number, one in descriptors(os.getpid()).items() if number in numbers}
    with Pidfd(os.getpid()) as handle:
        yield EventsInFlight(handle, mine)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_bytes_in_a_pipe_of_its_own_are_in_flight(pipe: tuple[int, int]) -> None:
    with in_flight(*pipe) as events:
        assert events.anywhere() == ""
    os.write(pipe[1], b"x")
    with in_flight(*pipe) as events:
        assert "pipe" in events.anywhere()


def test_bytes_that_another_process_sent_are_not(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"x")
    with in_flight(pipe[0]) as events:  # it does not have the other end
        assert events.anywhere() == ""


def test_a_socket_pair_of_its_own_is_told_from_a_client() -> None:
    here, there = socket.socketpair()
    with here, there:
        there.send(b"x")
        with in_flight(here.fileno(), there.fileno()) as events:
            assert "socket pair" in events.anywhere()
        with in_flight(here.fileno()) as events:
            assert events.anywhere() == ""


def test_a_thread_awaits_what_it_polls(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"x")
    other = os.eventfd(0)
    table = struct.pack("<ihhihh", other, select.POLLIN, 0, pipe[0], select.POLLIN, 0)
    try:
        with in_flight(*pipe, other) as events:
            memory = Memory(0x1000, table)
            assert "pipe" in events.awaited_by(task(PPOLL, 0x1000, 2), memory)
            assert events.awaited_by(task(POLL, 0x1000, 1), memory) == ""
            assert "pipe" in events.awaited_by(task(READ, pipe[0]), memory)
            assert events.awaited_by(task(READ, other), memory) == ""
            assert events.awaited_by(task(FUTEX, 0x1000, WAIT_BITSET_PRIVATE, 0), memory) == ""
    finally:
        os.close(other)


def test_a_thread_awaits_what_its_epoll_instance_watches(pipe: tuple[int, int]) -> None:
    with select.epoll() as watching, select.epoll() as idle:
        watching.register(pipe[0], select.EPOLLIN)
        os.write(pipe[1], b"x")
        with in_flight(*pipe, watching.fileno(), idle.fileno()) as events:
            assert "pipe" in events.awaited_by(task(EPOLL_WAIT, watching.fileno()), Memory())
            assert events.awaited_by(task(EPOLL_WAIT, idle.fileno()), Memory()) == ""


def _missed(one: Task, memory: Memory, wait: WaitKind, *, believes_waits: bool = False) -> str:
    with in_flight() as events:
        return MissedEvents(os.getpid(), memory, {7: one}, events, believes_waits).of(stopped(), wait)


def test_a_futex_that_has_changed_has_woken_its_thread() -> None:
    waiting = task(FUTEX, 0x1000, WAIT_BITSET_PRIVATE, 2)
    assert _missed(waiting, Memory(0x1000, struct.pack("<I", 2)), WaitKind.INTERNAL) == ""
    assert _missed(waiting, Memory(0x1000, struct.pack("<I", 4)), WaitKind.INTERNAL) == WOKEN


def test_a_restarted_sleep_is_no_futex() -> None:
    assert _missed(task(219, 1, 0, 0x2000), Memory(0x1000, b"xxxx"), WaitKind.TIMED) == ""


def test_a_held_thread_may_come_to_an_event_later(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"x")
    with in_flight(*pipe) as events:
        for believes, found in ((False, True), (True, False)):
            missed = MissedEvents(os.getpid(), Memory(), {7: task(FUTEX, 0, 0, 0)}, events, believes)
            assert bool(missed.of(stopped(), WaitKind.HELD)) is found


@pytest.mark.parametrize(
    ("syscall", "arguments", "expected"),
    [(WAIT4, (0xFFFFFFFF,), True), (WAIT4, (1,), False), (WAITID, (0, 0), True), (WAITID, (1, 1), False)],
    ids=["wait4 any", "wait4 another", "waitid any", "waitid another"],
)
def test_a_child_that_ended_while_its_parent_was_stopped(
    syscall: int, arguments: tuple[int, ...], expected: bool
) -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    try:
        with in_flight() as events:
            missed = MissedEvents(os.getpid(), Memory(), {7: task(syscall, *arguments)}, events, False)
            assert missed.of(stopped(), WaitKind.INTERNAL) == (CHILD_ENDED if expected else "")
    finally:
        child.wait()
