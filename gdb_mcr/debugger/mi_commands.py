"""Commands that run inside a child GDB. Each does a whole job and answers one JSON string in the field ``mcr``.

``{"ok": …}`` or ``{"error": {"kind", "message", …fields}}``: pygdbmi parses big MI structures slowly, MI makes every
scalar a string, and of an exception only text would arrive. Imported by `gdb_setup.load_commands`; GDB's Python has no
third-party packages. No command here resumes the process: besides being forbidden, its answer would be lost.
"""

from __future__ import annotations

import json
import mmap
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import gdb

from gdb_mcr.engine import process_memory
from gdb_mcr.engine.process_memory import TransferError
from gdb_mcr.errors import McrError
from gdb_mcr.units import PAGE, align_down

MAX_FRAMES = 128

LARGE = 1 << 20
"""Bytes of a piece whose pages are mapped before it is copied."""

MADV_POPULATE_WRITE = 23
"""madvise(2); GDB's Python has no name for it."""

EINTR = -4
RESTARTS = frozenset({-512, -513, -514, -516})
"""-ERESTARTSYS, -ERESTARTNOINTR, -ERESTARTNOHAND, -ERESTART_RESTARTBLOCK: the kernel makes the call again by itself."""
RESTART_UNLESS_HANDLED = -514
"""-ERESTARTNOHAND. Source: linux/errno.h, arch_do_signal_or_restart() in arch/x86/kernel/signal.c."""

SYSCALL_INSTRUCTION = b"\x0f\x05"

RESTARTABLE = frozenset(
    {
        *(0, 1, 19, 20),  # read, write, readv, writev: sockets with a timeout
        *(43, 288),  # accept, accept4
        *(44, 45, 46, 47, 299, 307),  # sendto, recvfrom, sendmsg, recvmsg, recvmmsg, sendmmsg
        *(65, 220, 69, 70),  # semop, semtimedop, msgsnd, msgrcv
        128,  # rt_sigtimedwait
        *(208, 333),  # io_getevents, io_pgetevents
        *(232, 281, 441),  # epoll_wait, epoll_pwait, epoll_pwait2
    }
)
"""System calls that return EINTR after a stop without a signal and can be made again as if nothing had been. Others
(close, connect) have done something by then. Source: signal(7), both sections on interruption."""

Answer = dict[str, object] | list[dict[str, object]] | None


class _Command(gdb.MICommand):
    def __init__(self, name: str, function: Callable[..., Answer]) -> None:
        super().__init__(name)
        self._function = function

    def invoke(self, arguments: list[str]) -> dict[str, object]:
        try:
            answer: dict[str, object] = {"ok": self._function(*arguments)}
        except (McrError, OSError, gdb.error) as error:
            answer = {"error": {"kind": type(error).__name__, "message": str(error), **_facts(error)}}
        return {"mcr": json.dumps(answer)}


def install() -> None:
    """Makes the commands known to this GDB."""
    _Command("-mcr-settle", settle)
    _Command("-mcr-threads", threads)
    _Command("-mcr-read", read)
    _Command("-mcr-write", write)


def settle() -> Answer:
    """Tells each thread's state and makes interrupted system calls go on after the detach.

    Where the stop made a call return EINTR, rax becomes -ERESTARTNOHAND, which the kernel itself would have left for
    poll(): when the thread runs on it makes the call again, unless a signal with a handler has arrived by then, after
    which the call returns EINTR as it must. That holds however the thread is let go, by SIGKILL of this GDB too.
    """
    return [_settled(thread) for thread in _each_thread()]


def threads() -> Answer:
    """The stack of each thread: rows of [pc, function or null], innermost first."""
    return [{"tid": thread.ptid[1], "frames": list(_frames())} for thread in _each_thread()]


def read(pid: str, table: str, count: str, buffer: str) -> Answer:
    """Copies ``count`` pieces, listed in the file ``table``, from the process into the file ``buffer``."""
    with _mapped(table) as pieces, _mapped(buffer) as bytes_:
        _prepare(bytes_, pieces, int(count))
        process_memory.read(int(pid), pieces, int(count), bytes_)
    return None


def write(pid: str, table: str, count: str, buffer: str) -> Answer:
    """Copies ``count`` pieces, listed in the file ``table``, from the file ``buffer`` into the process."""
    with _mapped(table) as pieces, _mapped(buffer) as bytes_:
        _prepare(bytes_, pieces, int(count))
        process_memory.write(int(pid), pieces, int(count), bytes_)
    gdb.execute("maintenance flush dcache", to_string=True)  # GDB remembers stacks and code that it has read
    return None


def _facts(error: Exception) -> dict[str, object]:
    if isinstance(error, TransferError):
        return {"address": error.address, "errno": error.errno}
    return {"errno": error.errno} if isinstance(error, OSError) else {}


def _each_thread() -> Iterator[gdb.InferiorThread]:
    inferior = gdb.selected_inferior()
    for thread in sorted(inferior.threads(), key=lambda one: (one.ptid[1] != inferior.pid, one.ptid[1])):
        if thread.is_valid() and thread.is_stopped():
            thread.switch()
            yield thread


def _settled(thread: gdb.InferiorThread) -> dict[str, object]:
    frame = gdb.newest_frame()
    result, call = int(frame.read_register("rax")), int(frame.read_register("orig_rax"))
    interrupted = call >= 0 and (result == EINTR or result in RESTARTS) and _is_behind_syscall(frame.pc())
    if interrupted and result == EINTR:
        if call in RESTARTABLE:
            gdb.execute(f"set $rax = {RESTART_UNLESS_HANDLED}", to_string=True)
        else:
            interrupted = False
    return {
        "tid": thread.ptid[1],
        "name": thread.name or "",
        "pc": frame.pc(),
        "sp": int(frame.read_register("rsp")) & ((1 << 64) - 1),
        "syscall": call if call >= 0 else -1,
        "interrupted": interrupted,
    }


def _is_behind_syscall(pc: int) -> bool:
    try:
        return bytes(gdb.selected_inferior().read_memory(pc - 2, 2)) == SYSCALL_INSTRUCTION
    except gdb.MemoryError:
        return False


# Unwinding may run into memory that is not there; what was found until then counts.
def _frames() -> Iterator[tuple[int, str | None]]:
    frame: gdb.Frame | None = gdb.newest_frame()
    for _ in range(MAX_FRAMES):
        if frame is None:
            return
        yield frame.pc(), frame.name()
        try:
            frame = frame.older()
        except gdb.error:
            return


def _mapped(path: str) -> mmap.mmap:
    with Path(path).open("r+b") as file:
        return mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED)


# The pages of large pieces are mapped at once: one by one their faults cost more than the copying itself (74 MB: 20 ms
# instead of 40).
def _prepare(buffer: mmap.mmap, table: mmap.mmap, count: int) -> None:
    rows = array("Q", table[: count * process_memory.PIECE_BYTES])
    for size, offset in zip(rows[1::3], rows[2::3], strict=True):
        if size >= LARGE:
            start = align_down(offset, PAGE)
            with suppress(OSError):  # before Linux 5.14: they come at their first use
                buffer.madvise(MADV_POPULATE_WRITE, start, offset + size - start)
