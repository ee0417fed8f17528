"""/proc and pidfds of a real process, and of one that has gone."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from gdb_mcr.errors import TargetError
from gdb_mcr.proc.descriptors import descriptors, watches
from gdb_mcr.proc.mappings import mappings
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.proc.status import executable, is_alive, start_time, status
from gdb_mcr.proc.tasks import tasks

TIMEOUT_S = 10.0


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A `cat` that waits for input on a pipe."""
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"x")
    process.stdin.flush()
    assert process.stdout.read(1) == b"x"  # it runs
    with process:
        yield process
        process.kill()


@pytest.fixture
def gone() -> int:
    """The pid of a process that has ended and was waited for."""
    process = subprocess.Popen(["true"])
    process.wait(TIMEOUT_S)
    return process.pid


def test_a_process_is_seen_as_it_is(child: subprocess.Popen[bytes]) -> None:
    assert executable(child.pid).name in ("cat", "coreutils")
    assert status(child.pid).parent == os.getpid()
    assert start_time(child.pid) >= start_time(os.getpid())
    assert any(one.path == "[stack]" and one.writable for one in mappings(child.pid))
    assert set(tasks(child.pid)) == {child.pid}
    assert child.stdin is not None
    assert descriptors(child.pid)[0].inode == os.fstat(child.stdin.fileno()).st_ino


def test_own_stack_is_in_a_readable_mapping() -> None:
    local = ctypes.create_string_buffer(8)
    assert any(ctypes.addressof(local) in one.range and one.readable for one in mappings(os.getpid()))


def test_watches_of_an_epoll_instance() -> None:
    reading, writing = os.pipe()
    with select.epoll() as instance:
        instance.register(reading, select.EPOLLIN | select.EPOLLONESHOT)
        assert descriptors(os.getpid())[instance.fileno()].is_epoll
        (watch,) = watches(os.getpid(), instance.fileno())
        assert (watch.fd, watch.inode) == (reading, os.fstat(reading).st_ino)
        assert watch.events & select.EPOLLIN
    os.close(reading)
    os.close(writing)


def test_pidfd_takes_descriptors_signals_and_waits(child: subprocess.Popen[bytes]) -> None:
    with Pidfd(child.pid) as handle:
        copy = handle.getfd(0)
        assert child.stdin is not None
        assert os.fstat(copy).st_ino == os.fstat(child.stdin.fileno()).st_ino
        assert not os.get_inheritable(copy)
        os.close(copy)
        with pytest.raises(TargetError, match="has no descriptor 99"):
            handle.getfd(99)
        assert not handle.wait(0.0)
        handle.send_signal(signal.SIGKILL)
        assert handle.wait(TIMEOUT_S)
        assert not is_alive(child.pid)  # a zombie


@pytest.mark.parametrize("look", [mappings, descriptors, tasks, status, executable, start_time, Pidfd])
def test_a_process_that_has_gone_is_a_target_error(gone: int, look: Callable[[int], object]) -> None:
    assert not is_alive(gone)
    with pytest.raises(TargetError, match=f"process {gone} does not exist") as caught:
        look(gone)
    assert "under which pid" in caught.value.hint


def test_pidfd_of_a_process_that_has_gone_meanwhile(child: subprocess.Popen[bytes]) -> None:
    with Pidfd(child.pid) as handle:
        child.kill()
        child.wait(TIMEOUT_S)
        with pytest.raises(TargetError, match="does not exist"):
            handle.send_signal(signal.SIGTERM)
        with pytest.raises(TargetError, match="does not exist"):
            handle.getfd(0)
