"""The two ways to a process's memory: the engine inside the child GDB, and GDB/MI's own commands."""

from __future__ import annotations

import errno
import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from gdb_mcr.debugger.base import MemoryFault, Piece, SharedBuffer
from gdb_mcr.debugger.mi_records import MiError, Result
from gdb_mcr.errors import DebuggerError, TargetError

READ_CHUNK = 1 << 16
WRITE_CHUNK = 1 << 12
"""Bytes a command. GDB 13 makes a system call for each character that it is sent, over a microsecond a byte; lines of
megabytes take even more than that."""

FILL_CHUNK = 1 << 24
"""Zeros a command: GDB makes them itself, and holds as many."""

_ZEROS = re.compile(rb"\0{80,}")
"""Zeros that take longer to send than a command of their own."""

_SCRATCH = 1 << 16

Ask = Callable[..., object]
"""Runs one of `mi_commands` with these words and gives its answer; raises `CommandFailed`."""


class CommandFailed(DebuggerError):
    """One of our commands inside GDB raised: ``kind`` is the exception's name there, ``facts`` its fields."""

    def __init__(self, command: str, kind: str, message: str, facts: Mapping[str, object]) -> None:
        super().__init__(f"{command} failed inside GDB: {message} ({kind})")
        self.command = command
        self.kind = kind
        self.facts = facts


class _Requester(Protocol):
    def request(self, command: str) -> Result: ...


class EngineMemory:
    """Data goes straight between the process and a buffer that both sides map; MI carries only the order."""

    def __init__(self, ask: Ask, pid: int) -> None:
        self._ask = ask
        self._pid = pid

    def read(self, address: int, size: int) -> bytes:
        """The bytes [address, address + size)."""
        with SharedBuffer(size) as buffer:
            self.read_into((Piece(address, size, 0),), buffer)
            return buffer.view[:size]

    def write(self, address: int, data: bytes) -> None:
        """Puts ``data`` at ``address``."""
        with SharedBuffer(len(data)) as buffer:
            buffer.view[: len(data)] = data
            self.write_from((Piece(address, len(data), 0),), buffer)

    def read_into(self, pieces: Sequence[Piece], buffer: SharedBuffer) -> None:
        """Copies pieces of the process into ``buffer``."""
        self._move("-mcr-read", pieces, buffer)

    def write_from(self, pieces: Sequence[Piece], buffer: SharedBuffer) -> None:
        """Copies pieces of ``buffer`` into the process."""
        self._move("-mcr-write", pieces, buffer)

    def _move(self, command: str, pieces: Sequence[Piece], buffer: SharedBuffer) -> None:
        _check_fit(pieces, buffer)
        rows = array("Q", [word for one in pieces for word in (one.address, one.size, one.offset)]).tobytes()
        if not rows:
            return
        with SharedBuffer(len(rows)) as table:
            table.view[: len(rows)] = rows
            try:
                self._ask(command, self._pid, table.path, len(pieces), buffer.path)
            except CommandFailed as failure:
                raise _reason(failure, self._pid, pieces) from failure


class MiMemory:
    """By -data-read-memory-bytes and -data-write-memory-bytes: slow, and independent of the engine."""

    def __init__(self, mi: _Requester, pid: int) -> None:
        self._mi = mi
        self._pid = pid

    def read(self, address: int, size: int) -> bytes:
        """The bytes [address, address + size)."""
        return b"".join(
            self._read_chunk(at, min(READ_CHUNK, address + size - at))
            for at in range(address, address + size, READ_CHUNK)
        )

    def write(self, address: int, data: bytes) -> None:
        """Puts ``data`` at ``address``: all zeros at first if there are many, then what is not zero."""
        sent = list(_between_zeros(data))
        if sent != [(0, len(data))]:
            for start in range(0, len(data), FILL_CHUNK):
                self._write_chunk(address + start, b"\0", min(FILL_CHUNK, len(data) - start))
        for start, end in sent:
            for at in range(start, end, WRITE_CHUNK):
                chunk = data[at : min(end, at + WRITE_CHUNK)]
                self._write_chunk(address + at, chunk, len(chunk))

    def read_into(self, pieces: Sequence[Piece], buffer: SharedBuffer) -> None:
        """Copies pieces of the process into ``buffer``."""
        _check_fit(pieces, buffer)
        for one in pieces:
            buffer.view[one.offset : one.offset + one.size] = self.read(one.address, one.size)

    def write_from(self, pieces: Sequence[Piece], buffer: SharedBuffer) -> None:
        """Copies pieces of ``buffer`` into the process."""
        _check_fit(pieces, buffer)
        for one in pieces:
            self.write(one.address, buffer.view[one.offset : one.offset + one.size])

    # GDB repeats the pattern until it has as many bytes.
    def _write_chunk(self, address: int, pattern: bytes, size: int) -> None:
        try:
            self._mi.request(f"-data-write-memory-bytes {address:#x} {pattern.hex()} {size}")
        except MiError as error:
            raise MemoryFault(self._pid, address, size) from error

    # GDB answers the readable blocks only, and an error if there is none.
    def _read_chunk(self, address: int, size: int) -> bytes:
        try:
            blocks = self._mi.request(f"-data-read-memory-bytes {address:#x} {size}").payload["memory"]
        except MiError as error:
            raise MemoryFault(self._pid, address, size) from error
        assert isinstance(blocks, list)
        first = next((one for one in blocks if int(one["begin"], 16) == address), None)
        data = bytes.fromhex(first["contents"]) if first else b""
        if len(data) != size:
            raise MemoryFault(self._pid, address + len(data), size - len(data))
        return data


# [start, end) of what stands between long runs of zeros.
def _between_zeros(data: bytes) -> Iterator[tuple[int, int]]:
    start = 0
    for zeros in _ZEROS.finditer(data):
        if zeros.start() > start:
            yield start, zeros.start()
        start = zeros.end()
    if start < len(data):
        yield start, len(data)


def _check_fit(pieces: Sequence[Piece], buffer: SharedBuffer) -> None:
    for one in pieces:
        assert one.offset >= 0, f"{one} begins before its buffer"
        assert one.offset + one.size <= buffer.size, f"{one} ends behind a buffer of {buffer.size} bytes"


def _reason(failure: CommandFailed, pid: int, pieces: Sequence[Piece]) -> DebuggerError | TargetError:
    if failure.kind != "TransferError":
        return failure
    address, number = failure.facts["address"], failure.facts["errno"]
    assert isinstance(address, int)
    if number == errno.EFAULT:
        piece = next(one for one in pieces if one.address <= address < one.address + one.size)
        return MemoryFault(pid, address, piece.address + piece.size - address)
    if number == errno.ESRCH:
        return TargetError(f"process {pid} has ended", hint="its memory is gone with it")
    hint = "run as root or as the server's user, and see /proc/sys/kernel/yama/ptrace_scope"
    return TargetError(f"GDB may not reach the memory of process {pid}", hint=hint)
