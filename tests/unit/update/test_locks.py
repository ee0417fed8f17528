"""Whose lock a thread waits for, from the words that glibc keeps."""

from __future__ import annotations

import struct

from gdb_mcr.debugger.base import MemoryFault
from gdb_mcr.model.process import Task
from gdb_mcr.update.locks import LockWait, mutex_wait, writer_of

AT = 0x1000
PRIVATE, WAIT_BITSET, LOCK_PI = 0x80, 9, 6


class Memory:
    def __init__(self, *words: int) -> None:
        self._data = struct.pack(f"<{len(words)}I", *words)

    def read(self, address: int, size: int) -> bytes:
        if not AT <= address <= AT + len(self._data) - size:
            raise MemoryFault(1, address, size)
        return self._data[address - AT : address - AT + size]


def futex(operation: int, expected: int, address: int = AT, number: int = 202) -> Task:
    return Task(1, "", "S", number, (address, operation, expected, 0, 0, 0), 0, 0, 0)


def test_a_contended_mutex_names_its_owner() -> None:
    assert mutex_wait(futex(PRIVATE, 2), Memory(2, 0, 4711, 1)) == LockWait(AT, 4711, True)
    assert mutex_wait(futex(PRIVATE | LOCK_PI, 0), Memory(4711, 0, 4711, 1)) == LockWait(AT, 4711, True)


def test_other_waits_are_for_no_mutex() -> None:
    memory = Memory(2, 0, 4711, 1)
    assert mutex_wait(futex(PRIVATE | WAIT_BITSET, 2), memory) is None  # a condition
    assert mutex_wait(futex(PRIVATE, 0), memory) is None
    assert mutex_wait(futex(PRIVATE, 2, number=7), memory) is None
    assert mutex_wait(futex(PRIVATE, 2), Memory(2, 0, 0, 1)) is None  # nobody's: a barrier
    assert mutex_wait(futex(PRIVATE, 2, address=1), memory) is None


def test_a_reader_writer_lock_names_its_writer() -> None:
    rwlock = Memory(0, 0, 1, 1, 0, 0, 4711, 0)  # __readers, __writers, both futexes, two pads, __cur_writer
    assert writer_of(futex(PRIVATE, 1, AT + 8), rwlock) == LockWait(AT + 8, 4711, False)
    assert writer_of(futex(PRIVATE, 1, AT + 12), rwlock) == LockWait(AT + 12, 4711, False)
