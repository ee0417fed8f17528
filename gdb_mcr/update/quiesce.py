"""QUIESCE: O is brought to rest, held so by its child GDB. Source: seed, "quiescence detection"; DESIGN section 5."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from gdb_mcr.debugger.base import Debugger, StoppedThread
from gdb_mcr.errors import McrError
from gdb_mcr.model.inspection import ThreadRow
from gdb_mcr.model.process import Descriptor
from gdb_mcr.model.startup_log import ThreadEntry
from gdb_mcr.model.step_results import QuiesceResult
from gdb_mcr.model.stop_point import StoppedTask, StopPointKind, TaskState, WaitKind, role_of
from gdb_mcr.proc.descriptors import descriptors
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.proc.tasks import tasks
from gdb_mcr.quiescence.barrier import QuiescenceReport, reach_barrier
from gdb_mcr.runtime_abi.control import clear_hold, set_hold
from gdb_mcr.runtime_abi.tables import read_threads
from gdb_mcr.update.recorded import RecordedProcess

HOLD_S = 1.0
"""Seconds after which O's threads run on by themselves if nobody lets them: the controller may be dead.

The hold is renewed with each look, and is over once all threads are stopped: if then GDB dies, O serves at once.
"""

_BREATH_S = 0.001
"""Seconds for which held threads run again when an internal event waits for one of them."""

_INTERNAL = ("anon_inode:[eventfd]", "pipe:")


class OldProcessAtRest:
    """Implements `quiescence.barrier.BarrierTarget` for one recorded process and its child GDB."""

    def __init__(self, process: RecordedProcess, debugger: Debugger, pidfd: Pidfd) -> None:
        self._process = process
        self._debugger = debugger
        self._pidfd = pidfd
        self.stopped_at = 0.0
        """CLOCK_MONOTONIC seconds at which the last stop began."""
        self.descriptors: Mapping[int, Descriptor] = {}
        """What the process had open when it was stopped last: true until it runs again."""

    def hold(self) -> None:
        """Threads that arrive at a wait stay there."""
        set_hold(self._process.memory, self._process.control_address, time.monotonic_ns() + int(HOLD_S * 1e9))

    def unhold(self) -> None:
        """Held threads run on."""
        clear_hold(self._process.memory, self._process.control_address)

    def unhold_if_possible(self) -> None:
        """The same for a process that may be gone."""
        with suppress(McrError):
            self.unhold()

    def look(self) -> Mapping[int, TaskState]:
        """All threads, without stopping any."""
        self.hold()
        waits = self._waits()
        return {
            tid: TaskState(tid, one.state == "S", one.syscall, one.switches, waits.get(tid, WaitKind.NONE), one.name)
            for tid, one in tasks(self._process.pid).items()
        }

    def stop(self) -> Sequence[StoppedTask]:
        """Stops all threads. While an event of the server's own waits somewhere, held threads count as disturbed."""
        self.stopped_at = time.monotonic()
        self._debugger.stop(self._process.pid)
        with ThreadPoolExecutor(1) as beside:  # GDB unwinds stacks meanwhile
            pending = beside.submit(self._pending_watchers)
            stopped = self._debugger.threads()
            busy = pending.result()
        waits = self._waits()
        return [_stopped_task(one, waits.get(one.tid, WaitKind.NONE), busy) for one in stopped]

    def resume(self) -> None:
        """All threads run on; those that are held too, for a moment, so that what waits for them is done."""
        self.unhold()
        self._debugger.let_go()
        time.sleep(_BREATH_S)
        self.hold()

    def _waits(self) -> dict[int, WaitKind]:
        control = self._process.control()
        return {one.tid: _kind(one) for one in read_threads(self._process.memory, control) if not one.exited}

    # Events that one thread has sent to another through a descriptor, and that nobody has taken yet, are not at rest:
    # the sender has done its part, and N's thread may wait for another descriptor.
    def _pending_watchers(self) -> bool:
        found = self.descriptors = descriptors(self._process.pid)
        watched = {watch.fd for one in found.values() for watch in one.watches}
        internal = [number for number in watched if number in found and found[number].target.startswith(_INTERNAL)]
        return any(self._is_readable(number) for number in internal)

    def _is_readable(self, number: int) -> bool:
        copy = self._pidfd.getfd(number)
        try:
            poller = select.poll()
            poller.register(copy, select.POLLIN)
            return any(event & select.POLLIN for _, event in poller.poll(0))
        finally:
            os.close(copy)


def quiesce(target: OldProcessAtRest, timeout_s: float) -> QuiescenceReport:
    """Brings O to rest: it is stopped then, and not held any more. If it does not come to rest in time, it runs."""
    report = reach_barrier(target, timeout_s, time.monotonic, time.sleep)
    target.unhold()
    return report


def quiesce_result(process: RecordedProcess, report: QuiescenceReport) -> QuiesceResult:
    """The report as a verb's answer."""
    return QuiesceResult(
        process.pid,
        report.converged,
        report.seconds,
        tuple(_row(process.pid, one) for one in report.threads),
        tuple(f"{one.name} ({one.tid}): {one.why}{_at(one.stack)}" for one in report.stragglers),
    )


def _row(pid: int, one: StoppedTask) -> ThreadRow:
    waits_in = one.stack[0] if one.stack else ""
    return ThreadRow(
        pid, one.tid, one.name, role_of(one.wait).value, waits_in, StopPointKind.QUIESCENT.value, one.stack
    )


def _at(stack: Sequence[str]) -> str:
    return f", in {' < '.join(stack[:4])}" if stack else ""


def _kind(entry: ThreadEntry) -> WaitKind:
    return WaitKind(int(entry.wait))


def _stopped_task(one: StoppedThread, wait: WaitKind, busy: bool) -> StoppedTask:
    names = tuple(frame.function or "??" for frame in one.frames)
    held_while_busy = busy and wait is WaitKind.HELD
    return StoppedTask(
        tid=one.tid,
        name=one.name,
        wait=WaitKind.NONE if held_while_busy else wait,
        still_waiting=one.wait_interrupted,
        stack=names,
    )
