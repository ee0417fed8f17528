"""A handle on a process that cannot come to mean another one. Source: pidfd_open(2), pidfd_getfd(2)."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import signal
from types import TracebackType

from gdb_mcr.errors import TargetError
from gdb_mcr.proc.files import explained

_PIDFD_GETFD = 438  # system call number on x86-64; the os module has no name for it
_libc = ctypes.CDLL(None, use_errno=True)


class Pidfd:
    """The process ``pid`` as it is now. A context manager.

    :raises TargetError: there is no such process.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        with explained(pid):
            self._descriptor = os.pidfd_open(pid)

    def __enter__(self) -> Pidfd:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def fileno(self) -> int:
        """The pidfd itself (close-on-exec); readable once the process has ended."""
        return self._descriptor

    def getfd(self, number: int) -> int:
        """A duplicate (close-on-exec) of the process's descriptor ``number``.

        :raises TargetError: it has ended, has no such descriptor, or may not be traced.
        """
        copy = int(_libc.syscall(_PIDFD_GETFD, self._descriptor, number, 0))
        if copy >= 0:
            return copy
        code = ctypes.get_errno()
        if code == errno.EBADF:
            raise TargetError(
                f"process {self.pid} has no descriptor {number}", hint="it was closed just now: try again"
            )
        with explained(self.pid):
            raise OSError(code, os.strerror(code))
        raise AssertionError("a raised error cannot vanish")

    def send_signal(self, number: signal.Signals) -> None:
        """:raises TargetError: it has ended, or may not be signalled."""
        with explained(self.pid):
            signal.pidfd_send_signal(self._descriptor, number)

    def wait(self, timeout_s: float) -> bool:
        """Waits until the process has ended. False if it still runs after ``timeout_s`` seconds."""
        poller = select.poll()
        poller.register(self._descriptor, select.POLLIN)
        return bool(poller.poll(max(0.0, timeout_s) * 1000))

    def close(self) -> None:
        """Gives the handle back; the process does not notice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
