"""Memory over a fabricated GDB: chunks, faults, and what each failure becomes."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from gdb_mcr.debugger.base import MemoryFault, Piece, SharedBuffer
from gdb_mcr.debugger.memory import READ_CHUNK, WRITE_CHUNK, CommandFailed, EngineMemory, MiMemory
from gdb_mcr.debugger.mi_records import MiError, Result, ResultClass
from gdb_mcr.errors import TargetError

BASE = 0x10000


class FakeGdb:
    """Answers MI's memory commands for [BASE, BASE + size); in ``hole`` nothing is mapped."""

    def __init__(self, size: int, hole: range = range(0)) -> None:
        self.bytes = bytearray(index % 251 for index in range(size))
        self.hole = hole
        self.commands: list[str] = []

    def request(self, command: str) -> Result:
        self.commands.append(command)
        verb, place, argument, *count = command.split()
        start = int(place, 16) - BASE
        if verb == "-data-write-memory-bytes":
            pattern = bytes.fromhex(argument)
            size = int(count[0])
            self.bytes[start : start + size] = (pattern * size)[:size]
            return Result(1, ResultClass.DONE)
        good = [at for at in range(start, start + int(argument)) if at not in self.hole]
        if not good or good[0] != start:
            raise MiError(command, "Unable to read memory.", "")
        end = next((at for at in range(start, start + int(argument)) if at in self.hole), start + int(argument))
        block = {"begin": hex(BASE + start), "end": hex(BASE + end), "contents": self.bytes[start:end].hex()}
        return Result(1, ResultClass.DONE, {"memory": [block]})


def test_reads_and_writes_go_in_chunks() -> None:
    gdb = FakeGdb(3 * READ_CHUNK)
    memory = MiMemory(gdb, 42)
    assert memory.read(BASE + 5, 2 * READ_CHUNK) == gdb.bytes[5 : 5 + 2 * READ_CHUNK]
    assert [int(one.split()[2]) for one in gdb.commands] == [READ_CHUNK, READ_CHUNK]
    memory.write(BASE + 7, b"x" * (WRITE_CHUNK + 1))
    assert gdb.bytes[6 : 9 + WRITE_CHUNK].count(b"x") == WRITE_CHUNK + 1
    assert max(len(one) for one in gdb.commands) < 2 * WRITE_CHUNK + 100


def test_write_when_mostly_zeros_then_they_are_not_sent() -> None:
    gdb = FakeGdb(100_000)
    data = b"a" * 50 + bytes(60_000) + b"b" + bytes(70) + b"c" + bytes(30_000)
    MiMemory(gdb, 42).write(BASE + 3, data)
    assert gdb.bytes[3 : 3 + len(data)] == data
    assert (gdb.bytes[2], gdb.bytes[3 + len(data)]) == (2, (3 + len(data)) % 251)
    assert sum(map(len, gdb.commands)) < 500


def test_hole_is_a_fault_at_its_first_byte() -> None:
    memory = MiMemory(FakeGdb(1000, hole=range(600, 700)), 42)
    with pytest.raises(MemoryFault) as fault:
        memory.read(BASE, 1000)
    assert (fault.value.pid, fault.value.address, fault.value.size) == (42, BASE + 600, 400)


def test_pieces_land_at_their_offsets() -> None:
    gdb = FakeGdb(100)
    with SharedBuffer(10) as buffer:
        MiMemory(gdb, 42).read_into((Piece(BASE + 3, 2, 4), Piece(BASE + 50, 1, 0)), buffer)
        assert buffer.view[:10] == bytes([50, 0, 0, 0, 3, 4, 0, 0, 0, 0])


def test_piece_outside_its_buffer_is_our_bug() -> None:
    with SharedBuffer(10) as buffer, pytest.raises(AssertionError):
        MiMemory(FakeGdb(100), 42).read_into((Piece(BASE, 8, 4),), buffer)


def failing(kind: str, **facts: object) -> Callable[..., object]:
    def ask(command: str, *_words: object) -> object:
        raise CommandFailed(command, kind, "as asked", facts)

    return ask


@pytest.mark.parametrize(
    ("number", "error"), [(errno.EFAULT, MemoryFault), (errno.ESRCH, TargetError), (errno.EPERM, TargetError)]
)
def test_engine_failures_become_our_errors(number: int, error: type[Exception]) -> None:
    memory = EngineMemory(failing("TransferError", address=BASE + 4, errno=number), 42)
    with pytest.raises(error) as failure:
        memory.read(BASE, 16)
    if isinstance(failure.value, MemoryFault):
        assert (failure.value.address, failure.value.size) == (BASE + 4, 12)


def test_other_failures_pass_through() -> None:
    with pytest.raises(CommandFailed):
        EngineMemory(failing("OSError", errno=errno.ENOENT), 42).write(BASE, b"x")


def test_no_pieces_ask_nothing() -> None:
    with SharedBuffer(1) as buffer:
        EngineMemory(failing("must not be asked"), 42).read_into((), buffer)
