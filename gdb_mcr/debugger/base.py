"""What engines need of a debugger: stop a process, see its threads, reach its memory, let it go.

The old process is never resumed while a debugger is attached to it, so no implementation offers a way to do that.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from gdb_mcr.errors import DebuggerError
from gdb_mcr.units import PAGE

_MADV_POPULATE_WRITE = 23  # madvise(2); Python 3.11 has no name for it


class MemoryFault(DebuggerError):
    """Bytes [address, address + size) of a process could not all be moved; ``address`` is the first that was not."""

    def __init__(self, pid: int, address: int, size: int) -> None:
        super().__init__(f"process {pid} has no memory for {size} bytes at {address:#x}")
        self.pid = pid
        self.address = address
        self.size = size


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes [address, address + size) of a process are bytes [offset, offset + size) of a buffer."""

    address: int
    size: int
    offset: int


class SharedBuffer:
    """Memory of this process that a child GDB can map too: an unnamed file in RAM, never on disk. A context manager.

    Source: memfd_create(2).
    """

    def __init__(self, size: int) -> None:
        """:param size: bytes; the pages are zero and cost nothing until they are used."""
        self.size = size
        self._descriptor = os.memfd_create("mcr-memory", os.MFD_CLOEXEC)
        try:
            room = max(size, PAGE)
            os.ftruncate(self._descriptor, room)
            self.view = mmap.mmap(self._descriptor, room)
        except OSError:
            os.close(self._descriptor)
            raise

    @property
    def path(self) -> str:
        """How another process of the same user opens it, as long as this one has not closed it."""
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    def prepare(self) -> None:
        """Takes all pages now rather than one by one at their first use (20 ms for 74 MB): before a stop, not in it."""
        with suppress(OSError):  # before Linux 5.14: they come at their first use
            self.view.madvise(_MADV_POPULATE_WRITE)

    def close(self) -> None:
        """Gives the memory back. :raises BufferError: something still points into `view`."""
        self.view.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> SharedBuffer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Memory(Protocol):
    """The memory of one process. All methods raise `MemoryFault` for what is not mapped; page protection is no bar."""

    def read(self, address: int, size: int) -> bytes:
        """The bytes [address, address + size)."""
        ...

    def write(self, address: int, data: bytes) -> None:
        """Puts ``data`` at ``address``."""
        ...

    def read_into(self, pieces: Sequence[Piece], buffer: SharedBuffer) -> None:
        """Copies pieces of the process into ``buffer``. After a fault some of them may have been copied."""
        ...

    def write_from(self, pieces: Sequence[Piece], buffer: SharedBuffer) -> None:
        """Copies pieces of ``buffer`` into the process. After a fault some of them may have been copied."""
        ...


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One active function of a stopped thread; an inlined function is a frame of its own with its caller's pc."""

    pc: int
    """The next instruction: in all but the innermost frame the return address."""
    function: str | None
    """Name by debug information or symbol table; None where neither knows one."""
    module: str | None
    """Path of the mapped file that holds ``pc``, as /proc/PID/maps has it; None = no file (vdso, generated code)."""


@dataclass(frozen=True, slots=True)
class StoppedThread:
    """A thread as it was when its process was stopped."""

    tid: int
    name: str
    frames: tuple[FrameRow, ...]
    """Innermost first; ends where unwinding does."""
    wait_interrupted: bool
    """It was blocked in a system call which the stop interrupted and which had delivered nothing: it will go on as if
    nothing had been."""
    syscall: int
    """Number of the system call that it is in, -1 if in none. A timed wait that was stopped before shows as 219
    (restart_syscall): tell waits apart by function, not by number."""
    pc: int
    sp: int


class Debugger(Protocol):
    """One child debugger, which holds at most one process at a time.

    Every method may raise `DebuggerError` when the debugger died or did not answer in time. Then call `abandon`; `stop`
    and `let_go` have done so themselves, so that the process runs in any case.
    """

    @property
    def pid(self) -> int:
        """The debugger's own process id."""
        ...

    def warm(self, executable: Path, libraries: Sequence[Path], pid: int | None = None) -> None:
        """Reads symbols ahead of a stop; no process is touched.

        :param executable: the file that the process runs.
        :param libraries: what it has loaded; a file that is not there is left out.
        :param pid: the process, if it runs already: `stop` then has nothing left to do but to stop it.
        """
        ...

    def stop(self, pid: int) -> None:
        """Attaches: when this returns all threads of the process stand still. A stop of some milliseconds.

        :raises AlreadyTraced: it has another tracer.
        :raises TargetError: there is no such process, it has ended, or it may not be debugged.
        """
        ...

    def threads(self) -> tuple[StoppedThread, ...]:
        """All threads of the stopped process, its initial thread first."""
        ...

    def let_go(self) -> None:
        """Detaches, and checks that no thread stays stopped. Interrupted system calls go on unseen.

        Nothing if no process is held, or if it was killed meanwhile; that is no error.
        :raises TargetError: it does not run again.
        """
        ...

    def abandon(self) -> None:
        """Ends the debugger at once, whatever it does; a process that it holds runs on. The next use starts another."""
        ...

    def close(self) -> None:
        """Lets the process go if there is one, and ends the debugger."""
        ...

    def memory(self, fast: bool = True) -> Memory:
        """The stopped process's memory, until it is let go.

        :param fast: False = by GDB/MI's own memory commands, a thousand times slower and without the engine.
        """
        ...

    def memory_of(self, pid: int) -> Memory:
        """The memory of a process of the same user (or of any, for root) that need not be stopped."""
        ...
