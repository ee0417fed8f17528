"""The memory of a process that may be looked at as it runs, without any debugger. Source: process_vm_readv(2)."""

from __future__ import annotations

import struct

from gdb_mcr.engine import process_memory

_PIECE = 1 << 24


class DirectMemory:
    """Reads and writes small things. It needs the right to trace the process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def read(self, address: int, size: int) -> bytes:
        """The bytes [address, address + size). :raises process_memory.TransferError: not all are there.

        A size out of a damaged table costs no memory for what is not there.
        """
        if size <= _PIECE:
            return bytes(self._read(address, size))
        end, whole = address + size, bytearray()
        for at in range(address, end, _PIECE):
            whole += self._read(at, min(_PIECE, end - at))
        return bytes(whole)

    def _read(self, address: int, size: int) -> bytearray:
        buffer = bytearray(size)
        if size:
            process_memory.read(self._pid, _piece(address, size), 1, buffer)
        return buffer

    def write(self, address: int, data: bytes) -> None:
        """Puts `data` at `address`. :raises process_memory.TransferError: not all could be put."""
        if data:
            process_memory.write(self._pid, _piece(address, len(data)), 1, bytearray(data))


# A struct mcr_piece: the bytes stand at the buffer's start.
def _piece(address: int, size: int) -> bytearray:
    return bytearray(struct.pack("<QQQ", address, size, 0))
