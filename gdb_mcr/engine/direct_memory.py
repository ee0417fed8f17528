"""The memory of a process that may be looked at as it runs, without any debugger. Source: process_vm_readv(2)."""

from __future__ import annotations

import struct

from gdb_mcr.engine import process_memory


class DirectMemory:
    """Reads and writes small things. It needs the right to trace the process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def read(self, address: int, size: int) -> bytes:
        """The bytes [address, address + size). :raises process_memory.TransferError: not all are there."""
        buffer = bytearray(size)
        if size:
            process_memory.read(self._pid, _piece(address, size), 1, buffer)
        return bytes(buffer)

    def write(self, address: int, data: bytes) -> None:
        """Puts `data` at `address`. :raises process_memory.TransferError: not all could be put."""
        if data:
            process_memory.write(self._pid, _piece(address, len(data)), 1, bytearray(data))


# A struct mcr_piece: the bytes stand at the buffer's start.
def _piece(address: int, size: int) -> bytearray:
    return bytearray(struct.pack("<QQQ", address, size, 0))
