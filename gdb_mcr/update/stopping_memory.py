"""N's memory through GDB/MI's own commands, which need it stopped: each use stops it and lets it go again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gdb_mcr.debugger.base import Memory, Piece, SharedBuffer
from gdb_mcr.debugger.child_gdb import ChildGdb


class StoppingMemory:
    """Implements `debugger.base.Memory` for a process that must run between two uses."""

    def __init__(self, debugger: ChildGdb, pid: int) -> None:
        self._debugger = debugger
        self._pid = pid

    def read(self, address: int, size: int) -> bytes:
        """The bytes [address, address + size)."""
        with self._stopped() as memory:
            return memory.read(address, size)

    def write(self, address: int, data: bytes) -> None:
        """Puts ``data`` at ``address``."""
        with self._stopped() as memory:
            memory.write(address, data)

    def read_into(self, pieces: Sequence[Piece], buffer: SharedBuffer) -> None:
        """Copies pieces of the process into ``buffer``."""
        with self._stopped() as memory:
            memory.read_into(pieces, buffer)

    def write_from(self, pieces: Sequence[Piece], buffer: SharedBuffer) -> None:
        """Copies pieces of ``buffer`` into the process."""
        with self._stopped() as memory:
            memory.write_from(pieces, buffer)

    @contextmanager
    def _stopped(self) -> Iterator[Memory]:
        self._debugger.stop(self._pid)
        try:
            yield self._debugger.memory(fast=False)
        finally:
            self._debugger.let_go()
