"""Moves bytes between a process and a buffer (`native/engine/process_memory.c`).

Runs inside a child GDB, which may do it as the tracer, and in tests.
"""

from __future__ import annotations

import ctypes
import mmap
import os

from gdb_mcr.engine.library import Prototype, declare
from gdb_mcr.errors import McrError

PIECE_BYTES = 24
"""Bytes of a `struct mcr_piece`: address, size, offset, each a uint64."""

_ARGUMENTS = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p)
_PROTOTYPES: dict[str, Prototype] = {
    "mcr_process_read": (ctypes.c_int, _ARGUMENTS),
    "mcr_process_write": (ctypes.c_int, _ARGUMENTS),
}

Buffer = mmap.mmap | bytearray


class TransferError(McrError):
    """Bytes could not be moved: the first one stands at ``address``; ``errno`` says why.

    EFAULT: nothing is mapped there; EINVAL: a piece lies outside the buffer; EPERM, ESRCH.
    """

    def __init__(self, pid: int, address: int, errno: int) -> None:
        super().__init__(f"cannot reach {address:#x} in process {pid}: {os.strerror(errno)}")
        self.pid = pid
        self.address = address
        self.errno = errno


def read(pid: int, pieces: Buffer, count: int, buffer: Buffer) -> None:
    """Copies ``count`` pieces of a process into ``buffer``. :raises TransferError: not all could be copied."""
    _move("mcr_process_read", pid, pieces, count, buffer)


def write(pid: int, pieces: Buffer, count: int, buffer: Buffer) -> None:
    """Copies ``count`` pieces of ``buffer`` into a process. :raises TransferError: not all could be copied."""
    _move("mcr_process_write", pid, pieces, count, buffer)


def _move(function: str, pid: int, pieces: Buffer, count: int, buffer: Buffer) -> None:
    assert count * PIECE_BYTES <= len(pieces), "the table of pieces is shorter than the caller says"
    status, failed = _call(function, pid, pieces, count, buffer)
    if status < 0:
        raise TransferError(pid, failed, -status)


# Apart from `_move`, since a traceback that held the two windows would keep the caller from closing its buffers.
def _call(function: str, pid: int, pieces: Buffer, count: int, buffer: Buffer) -> tuple[int, int]:
    rows, bytes_ = (ctypes.c_char * 0).from_buffer(pieces), (ctypes.c_char * 0).from_buffer(buffer)
    failed = ctypes.c_uint64()
    arguments = (ctypes.addressof(rows), count, ctypes.addressof(bytes_), len(buffer), ctypes.byref(failed))
    status = getattr(declare(_PROTOTYPES), function)(pid, *arguments)
    return status, failed.value
