"""A child GDB stops a process, looks, and lets it go as if nothing had been: whatever happens to either of them."""

from __future__ import annotations

import ctypes
import errno
import os
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gdb_mcr.debugger.base import Debugger, MemoryFault, Piece, SharedBuffer
from gdb_mcr.debugger.child_gdb import ChildGdb
from gdb_mcr.debugger.mi_transport import DebuggerDied
from gdb_mcr.debugger.target_process import task_states
from gdb_mcr.errors import AlreadyTraced, DebuggerError, TargetError
from gdb_mcr.units import PAGE, Range
from tests.support.server_view import mapped_ranges
from tests.support.waits import Waits, build_waits, running_waits

ROOT = Path(__file__).parents[2]
UNTOUCHED = ["returned", "0"]


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_waits(tmp_path_factory.mktemp("waits"))


@pytest.fixture
def waits(binary: Path) -> Iterator[Waits]:
    with running_waits(binary) as target:
        yield target


@pytest.fixture(scope="module")
def gdb() -> Iterator[ChildGdb]:
    with ChildGdb() as debugger:
        yield debugger


@pytest.fixture(autouse=True)
def nothing_held(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that failed in the middle must not fail the next one, which shares the GDB."""
    yield
    if "gdb" in request.fixturenames:
        request.getfixturevalue("gdb").let_go()


def copied_text(pid: int) -> list[str]:
    """Code mappings with a page that was ever written to, even if the old byte was put back: such a page is a copy."""
    smaps = Path(f"/proc/{pid}/smaps").read_text()
    blocks = re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", smaps)
    return [one.splitlines()[0] for one in blocks if " r-xp " in one and not re.search(r"Anonymous: +0 kB", one)]


def text_bytes(pid: int) -> dict[Range, bytes]:
    """All code of the process, read around the debugger."""
    found = {}
    with Path(f"/proc/{pid}/mem").open("rb") as memory:
        for area in mapped_ranges(pid, "", "x"):
            if area.end < 1 << 47:  # not the vsyscall page, which is the kernel's
                memory.seek(area.start)
                found[area] = memory.read(area.size)
    return found


def as_debugger(one: ChildGdb) -> Debugger:
    """For mypy: it implements the protocol."""
    return one


def test_every_blocked_call_goes_on_after_stops(gdb: ChildGdb, waits: Waits) -> None:
    for _ in range(3):
        gdb.stop(waits.pid)
        assert set(task_states(waits.pid).values()) == {"t"}
        threads = gdb.threads()
        gdb.let_go()
        assert len(threads) == waits.threads
        assert threads[0].tid == waits.pid
        assert [one.name for one in threads if not one.wait_interrupted] == []
    assert waits.ask("check") == UNTOUCHED
    assert waits.ask("wake") == ["woken", "1"]
    assert waits.ask("check") == ["returned", "1", "epoll_wait"]


def test_signal_that_comes_during_the_stop_still_interrupts_its_call(gdb: ChildGdb, waits: Waits) -> None:
    """A program that sets a flag in a handler relies on EINTR, so a call that was put back must not swallow it."""
    gdb.stop(waits.pid)
    (tid,) = [one.tid for one in gdb.threads() if "do_epoll_wait_signal" in {frame.function for frame in one.frames}]
    assert ctypes.CDLL(None).tgkill(waits.pid, tid, signal.SIGUSR1) == 0
    gdb.let_go()
    assert waits.ask("signal") == ["signalled", str(errno.EINTR)]
    assert waits.ask("check") == ["returned", "1", "epoll_wait_signal"]


def test_stacks_have_functions_and_modules(gdb: ChildGdb, waits: Waits, binary: Path) -> None:
    gdb.warm(binary, (), waits.pid)
    gdb.stop(waits.pid)
    stacks = {one.name: one.frames for one in gdb.threads()}
    gdb.let_go()
    poll = stacks["poll"]
    assert [frame.function for frame in poll[:3]] == ["poll", "do_poll", "run"]
    assert [Path(frame.module or "").name for frame in poll[:3]] == ["libc.so.6", "waits", "waits"]


def test_nothing_is_ever_written_into_code(gdb: ChildGdb, waits: Waits) -> None:
    before = text_bytes(waits.pid)
    for _ in range(3):
        gdb.stop(waits.pid)
        gdb.threads()
        assert text_bytes(waits.pid) == before
        gdb.let_go()
    assert text_bytes(waits.pid) == before
    assert copied_text(waits.pid) == []


def test_both_ways_to_memory_agree(gdb: ChildGdb, waits: Waits) -> None:
    gdb.stop(waits.pid)
    fast, slow = gdb.memory(), gdb.memory(fast=False)
    code, data = mapped_ranges(waits.pid, "libc.so.6", "x")[0], mapped_ranges(waits.pid, "libc.so.6", "w")[0]
    assert fast.read(code.start, 200_000) == slow.read(code.start, 200_000)
    pieces = (Piece(code.start + 3, 5, 0), Piece(data.start, data.size, 5), Piece(code.start, 70_000, 5 + data.size))
    with SharedBuffer(5 + data.size + 70_000) as one, SharedBuffer(5 + data.size + 70_000) as other:
        fast.read_into(pieces, one)
        slow.read_into(pieces, other)
        assert one.view[:] == other.view[:]
        fast.write_from(pieces[1:2], one)
        slow.write_from(pieces[1:2], other)
    assert slow.read(data.start, data.size) == fast.read(data.start, data.size)
    gdb.let_go()
    assert waits.ask("check") == UNTOUCHED


@pytest.mark.parametrize("fast", [True, False])
def test_page_protection_is_no_bar_and_a_hole_is_a_fault(gdb: ChildGdb, waits: Waits, fast: bool) -> None:
    gdb.stop(waits.pid)
    memory = gdb.memory(fast=fast)
    constants = mapped_ranges(waits.pid, "waits", "r--p")[1]
    place = constants.end - 8
    memory.write(place, b"written!")
    assert memory.read(place, 8) == b"written!"
    with pytest.raises(MemoryFault) as fault:
        memory.read(PAGE, 16)
    assert (fault.value.address, fault.value.size) == (PAGE, 16)
    with pytest.raises(MemoryFault):
        memory.write(PAGE, b"nothing there")
    gdb.let_go()


def test_memory_of_a_running_process(gdb: ChildGdb, waits: Waits) -> None:
    code = mapped_ranges(waits.pid, "waits", "x")[0]
    assert gdb.memory_of(waits.pid).read(code.start, 64) == text_bytes(waits.pid)[code][:64]
    assert set(task_states(waits.pid).values()) == {"S"}


def test_second_tracer_is_named(gdb: ChildGdb, waits: Waits) -> None:
    gdb.stop(waits.pid)
    with ChildGdb() as second:
        with pytest.raises(AlreadyTraced) as refusal:
            second.stop(waits.pid)
        assert refusal.value.tracer == f"gdb (process {gdb.pid})"
        assert refusal.value.hint
    gdb.let_go()
    assert waits.ask("check") == UNTOUCHED


def test_what_cannot_be_attached_to_is_said_in_a_sentence(gdb: ChildGdb, waits: Waits) -> None:
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    thread = max(task_states(waits.pid))
    for pid, words in ((zombie.pid, "has ended"), (thread, f"thread of process {waits.pid}"), (1 << 30, "no process")):
        with pytest.raises(TargetError, match=words):
            gdb.stop(pid)
    zombie.wait()


def test_process_may_die_while_it_is_held(gdb: ChildGdb, binary: Path) -> None:
    """COMMIT kills the old process through a pidfd while its GDB still holds it."""
    with running_waits(binary) as waits:
        gdb.stop(waits.pid)
        waits.process.kill()
        gdb.let_go()
        assert waits.process.wait(5) == -signal.SIGKILL
    with running_waits(binary) as waits:
        gdb.stop(waits.pid)
        assert len(gdb.threads()) == waits.threads
        gdb.let_go()
        assert waits.ask("check") == UNTOUCHED


def test_stopped_process_stays_stopped_and_a_stop_meanwhile_is_undone(gdb: ChildGdb, waits: Waits) -> None:
    os.kill(waits.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, waits.pid, os.WSTOPPED | os.WNOWAIT)
    gdb.stop(waits.pid)
    gdb.let_go()
    assert set(task_states(waits.pid).values()) == {"T"}
    os.kill(waits.pid, signal.SIGCONT)
    gdb.stop(waits.pid)
    os.kill(waits.pid, signal.SIGSTOP)
    gdb.let_go()
    assert waits.ask("check") == UNTOUCHED


def test_killed_gdb_leaves_every_call_as_it_was(waits: Waits) -> None:
    debugger = ChildGdb()
    for _ in range(5):
        debugger.stop(waits.pid)
        os.kill(debugger.pid, signal.SIGKILL)
        with pytest.raises(DebuggerDied):
            debugger.let_go()
        assert waits.ask("check") == UNTOUCHED
    debugger.close()


def test_gdb_killed_at_any_moment_leaves_the_process_running(waits: Waits) -> None:
    """45 times, from before the attach to behind the detach. What is lost is at most that a call returns EINTR."""
    moments = random.Random(1)
    debugger = ChildGdb()
    for _ in range(45):
        debugger.warm(Path("/"), (), waits.pid)
        killer = threading.Timer(moments.uniform(0.0, 0.03), os.kill, (debugger.pid, signal.SIGKILL))
        killer.start()
        with suppress(DebuggerError):
            debugger.stop(waits.pid)
            debugger.threads()
            debugger.let_go()
        killer.join()
        debugger.abandon()
        debugger.start()
        assert set("".join(task_states(waits.pid).values())) <= set("SR")
        assert waits.ask("check")[0] == "returned"
    debugger.close()
    assert copied_text(waits.pid) == []


def test_interrupt_key_does_not_reach_gdb(gdb: ChildGdb) -> None:
    """The terminal sends it to the foreground process group; GDB is in a session of its own."""
    assert os.getsid(as_debugger(gdb).pid) == gdb.pid


def test_gdb_ends_with_its_controller_and_lets_the_process_go(waits: Waits) -> None:
    script = (
        "import sys\n"
        "from gdb_mcr.debugger.child_gdb import ChildGdb\n"
        "debugger = ChildGdb()\n"
        "debugger.stop(int(sys.argv[1]))\n"
        "print(debugger.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(waits.pid)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as controller:
        assert controller.stdout is not None
        descriptor = os.pidfd_open(int(controller.stdout.readline()))
        controller.kill()
    try:
        assert select.select([descriptor], [], [], 10)[0] == [descriptor]
    finally:
        os.close(descriptor)
    assert waits.ask("check") == UNTOUCHED


def test_replaced_program_still_has_names(gdb: ChildGdb, binary: Path, tmp_path: Path) -> None:
    """A server whose package was upgraded runs a file that has no name any more."""
    copy = Path(shutil.copy(binary, tmp_path / "copy"))
    with running_waits(copy) as waits:
        copy.unlink()
        gdb.warm(binary, (copy, Path("/lib/x86_64-linux-gnu/libc.so.6")))
        gdb.stop(waits.pid)
        functions = {frame.function for thread in gdb.threads() for frame in thread.frames}
        gdb.let_go()
        assert {"do_poll", "main"} <= functions
