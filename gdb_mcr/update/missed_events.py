"""Events that have come for a thread which stands still, as if in its wait.

The threads of a process are not stopped at one instant. Who is stopped last may still have sent something to who was
stopped first: that one's interrupted wait looks as if nothing had come, and would end at once if it went on.
Source: futex(2), "FUTEX_WAIT"; signal(7); DESIGN section 5.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from gdb_mcr.debugger.base import StoppedThread
from gdb_mcr.errors import McrError, TargetError
from gdb_mcr.model.process import Task
from gdb_mcr.model.stop_point import WaitKind
from gdb_mcr.proc.files import read_text
from gdb_mcr.update.child_rows import ended_children
from gdb_mcr.update.in_flight import EventsInFlight, Reader

_FUTEX, _RESTART = 202, 219
_COMMAND, _WAITS = 0x7F, (0, 9)  # FUTEX_WAIT, FUTEX_WAIT_BITSET
_SIGNAL_WAITS = frozenset({34, 128, 130})  # pause, rt_sigtimedwait, rt_sigsuspend

_WAIT4, _WAITID, _P_PID = 61, 247, 1

WOKEN = "another thread has woken it"
CHILD_ENDED = "a child process for which it waits has ended"
SIGNALLED = "a signal that was sent to it has not been taken"


@dataclass(frozen=True)
class MissedEvents:
    """Of a process that stands still."""

    pid: int
    memory: Reader
    tasks: Mapping[int, Task]
    in_flight: EventsInFlight
    believes_waits: bool
    """Whether held threads count as waiting for nothing but what they wait for now: libmcr holds them only as long as
    nothing comes for it, and has let all go often enough for them to take what else lies there."""

    def of(self, thread: StoppedThread, wait: WaitKind) -> str:
        """What has come for a thread that stands in a wait; "" if nothing has."""
        task = self.tasks.get(thread.tid)
        if task is None or wait is WaitKind.NONE:
            return ""
        if wait is WaitKind.HELD:
            return self._of_held(thread, task) or self._signal(task)
        if task.syscall in (_FUTEX, _RESTART) and wait is not WaitKind.EXTERNAL:
            return WOKEN if self._is_woken(task) else ""
        if task.syscall in (_WAIT4, _WAITID):
            return CHILD_ENDED if self._has_child_ended(task) else ""
        return self.in_flight.awaited_by(task, self.memory) or (
            self._signal(task) if task.syscall in _SIGNAL_WAITS else ""
        )

    # A thread may be held at a read in the middle of its turn, and come to the event afterwards.
    def _of_held(self, thread: StoppedThread, task: Task) -> str:
        if self.believes_waits and thread.wait_interrupted:
            return self.in_flight.awaited_by(task, self.memory)
        return self.in_flight.anywhere()

    # The word has changed since the thread began to wait for that.
    def _is_woken(self, task: Task) -> bool:
        address, operation, expected = task.arguments[:3]
        if operation & _COMMAND not in _WAITS:
            return False
        try:
            (word,) = struct.unpack("<I", self.memory.read(address, 4))
        except McrError:
            return False  # a sleep, whose first argument is a clock
        return bool(word != expected & 0xFFFFFFFF)

    # Children run on while their parent is stopped.
    def _has_child_ended(self, task: Task) -> bool:
        kind, number = task.arguments[:2]
        if task.syscall == _WAIT4:
            number = kind & 0xFFFFFFFF
        is_any = kind != _P_PID if task.syscall == _WAITID else not 0 < number < 1 << 31
        ended = ended_children(self.pid)
        return bool(ended) and (is_any or number in ended)

    def _signal(self, task: Task) -> str:
        try:
            status = read_text(self.pid, "task", str(task.tid), "status")
        except TargetError:
            return ""
        pending = [line for line in status.splitlines() if line.startswith("SigPnd:")]
        return SIGNALLED if any(int(line.split()[1], 16) for line in pending) else ""
