"""Who holds the lock that a thread waits for. Source: futex(2); glibc, struct_mutex.h, struct_rwlock.h, x86-64."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Protocol

from gdb_mcr.errors import McrError
from gdb_mcr.model.process import Task

_FUTEX = 202
_COMMAND = 0x7F
_WAIT, _LOCK_PI, _LOCK_PI2 = 0, 6, 13
_CONTENDED = 2
_OWNER_OFFSET = 8  # from __lock to __owner
_WRITER_OFFSETS = (16, 12)  # from __wrphase_futex, from __writers_futex to __cur_writer


class Reader(Protocol):
    """The memory of the process."""

    def read(self, address: int, size: int) -> bytes:
        """Bytes."""
        ...


@dataclass(frozen=True, slots=True)
class LockWait:
    """A thread that waits for a lock."""

    address: int
    owner: int
    """Tid, 0 if the lock does not say."""
    is_mutex: bool
    """Otherwise a reader-writer lock, if the thread is in a function of these at all."""


def mutex_wait(task: Task, memory: Reader) -> LockWait | None:
    """The mutex that a blocked thread waits for; None if it waits for something else.

    Waits for conditions and semaphores use another futex operation; a barrier has no thread id where a mutex has one.
    """
    if task.syscall != _FUTEX:
        return None
    address, operation, expected = task.arguments[0], task.arguments[1] & _COMMAND, task.arguments[2] & 0xFFFFFFFF
    if operation not in (_LOCK_PI, _LOCK_PI2) and (operation != _WAIT or expected != _CONTENDED):
        return None
    owner = _word(memory, address + _OWNER_OFFSET)
    return LockWait(address, owner, True) if owner else None


def writer_of(task: Task, memory: Reader) -> LockWait | None:
    """The writer that holds the reader-writer lock for which a thread waits in one of pthread_rwlock_*lock()."""
    if task.syscall != _FUTEX:
        return None
    words = [_word(memory, task.arguments[0] + offset) for offset in _WRITER_OFFSETS]
    return LockWait(task.arguments[0], next((one for one in words if one), 0), False)


def _word(memory: Reader, address: int) -> int:
    try:
        value: int = struct.unpack("<I", memory.read(address, 4))[0]
    except McrError:
        return 0
    return value
