"""Why a server did not come to rest, in the user's terms: who, doing what, where, since when, and who holds what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gdb_mcr.debugger.base import Debugger, StoppedThread
from gdb_mcr.model.process import Task
from gdb_mcr.model.startup_log import LoggedOperation, OperationKind, ThreadEntry
from gdb_mcr.proc.tasks import tasks
from gdb_mcr.quiescence.stillness import BLOCKED, JUST_CREATED, JUST_ENDED, RAN, RUNS, QuiescenceReport, Straggler
from gdb_mcr.runtime_abi.tables import read_threads
from gdb_mcr.update.locks import LockWait, mutex_wait, writer_of
from gdb_mcr.update.profile_stacks import StackReader
from gdb_mcr.update.recorded import RecordedProcess
from gdb_mcr.update.wait_texts import call_name, what_it_waits_for

_MOST = 8
_FRAMES = 6
_KINDS = 3
_COME_AND_GO = (JUST_CREATED, JUST_ENDED)
_WORTH_TELLING_S = 0.05
_DISK = "D"


@dataclass(frozen=True, slots=True)
class StallScene:
    """All threads as they were at the deadline."""

    tasks: Mapping[int, Task]
    stopped: Sequence[StoppedThread]
    """Empty if the server could not be stopped."""
    entries: Mapping[int, ThreadEntry]
    """Those that libmcr knows, ended ones included."""
    locks: Mapping[int, LockWait]
    """By the tid of who waits."""
    waits: Mapping[int, str]
    """What those need that are blocked in other calls."""


def look_at_stall(server: RecordedProcess, debugger: Debugger) -> StallScene:
    """Stops the server for some milliseconds.

    :raises TargetError: it has ended.
    """
    found = tasks(server.pid)
    entries = read_threads(server.memory, server.control())
    locks = {tid: lock for tid, one in found.items() if (lock := mutex_wait(one, server.memory)) is not None}
    locks |= {tid: lock for tid, one in found.items() if tid not in locks and (lock := writer_of(one, server.memory))}
    waits = {tid: what_it_waits_for(server.pid, one) for tid, one in found.items() if one.is_blocked}
    stopped: Sequence[StoppedThread] = ()
    if all(one.state != _DISK for one in found.values()):  # a debugger would wait for its end, perhaps for ever
        debugger.stop(server.pid)
        try:
            stopped, entries = debugger.threads(), read_threads(server.memory, server.control())
        finally:
            debugger.let_go()
    by_tid = {one.tid: one for one in sorted(entries, key=lambda one: not one.exited)}
    return StallScene(found, stopped, by_tid, locks, waits)


class StallReport:
    """The scene in words."""

    def __init__(self, server: RecordedProcess, reader: StackReader, scene: StallScene) -> None:
        self._server = server
        self._reader = reader
        self._scene = scene
        self._seen = {one.tid: reader.seen_thread(one, scene.entries.get(one.tid)) for one in scene.stopped}
        self._makers = _makers(server.log().operations)
        self._locks = {tid: lock for tid, lock in scene.locks.items() if self._is_lock_wait(tid, lock)}

    def lines(self, report: QuiescenceReport) -> tuple[str, ...]:
        """One line for each thread that was in the way, the most telling ones first."""
        lines = [*self._deadlocks(), *self._come_and_go(report)]
        lines += [self._line(one, report.seconds) for one in report.stragglers if not self._is_gone(one)]
        more = len(lines) - _MOST
        return (*lines[:_MOST], *([f"and {more} more"] if more > 0 else []))

    # A word beside any futex may look like a lock's owner: the stack says whether it is one.
    def _is_lock_wait(self, tid: int, lock: LockWait) -> bool:
        seen = self._seen.get(tid)
        if seen is not None and not lock.is_mutex:
            return "rwlock" in seen.call
        if seen is not None and "mutex" in seen.call:
            return True
        return lock.owner in self._scene.tasks and (seen is None or "cond" in seen.call)

    def _is_gone(self, one: Straggler) -> bool:
        return one.why in _COME_AND_GO or (one.why == RUNS and one.tid not in self._scene.tasks)

    def _line(self, one: Straggler, total_s: float) -> str:
        kind = self._kind(one.tid)
        head = f"{one.name} ({one.tid}){f', {kind}' if kind else ''}"
        what, detail = self._what(one)
        return f"{head}: {what}{self._where(one.tid)}{_since(one, total_s)}{f'; {detail}' if detail else ''}"

    # What it does, and what it needs from others.
    def _what(self, one: Straggler) -> tuple[str, str]:
        lock, task = self._locks.get(one.tid), self._scene.tasks.get(one.tid)
        seen = self._seen.get(one.tid)
        if lock is not None and one.why not in (RAN, RUNS):
            return "it waits for a lock", self._holder(one.tid, lock)
        if task is not None and task.state == _DISK:
            return f"it waits in {call_name(task.syscall)} for a device, which nothing can interrupt,", ""
        if one.why != BLOCKED or task is None or not task.is_blocked:
            return one.why, ""
        call = seen.call if seen is not None and seen.call else call_name(task.syscall)
        return f"it is blocked in {call}, no quiescent point,", self._scene.waits.get(one.tid, "")

    def _holder(self, tid: int, lock: LockWait) -> str:
        if not lock.owner:
            return "somebody holds it"
        if lock.owner == tid:
            return "it holds it itself"
        seen = self._seen.get(lock.owner)
        doing = ""
        if seen is not None:
            doing = f", and {f'waits in {seen.call}' if seen.call else 'runs'}{self._where(lock.owner)}"
        return f"{self._name(lock.owner)} holds it{doing}"

    def _name(self, tid: int) -> str:
        task = self._scene.tasks.get(tid)
        return f"{task.name} ({tid})" if task is not None else f"thread {tid}, which has ended,"

    # Its class: where it starts and who made it; "" if libmcr does not know it.
    def _kind(self, tid: int) -> str:
        entry = self._scene.entries.get(tid)
        if entry is None or not entry.start_routine:
            return "the initial thread" if tid == self._server.pid else ""
        start = f"a thread of {self._reader.names.function(entry.start_routine)}"
        maker = self._makers.get(entry.index)
        if maker is None or maker.stack_id != entry.creation_id:
            return start
        return f"{start} made by {_chain(self._reader.names.stack(maker.returns))}"

    def _where(self, tid: int) -> str:
        seen = self._seen.get(tid)
        chain = _chain([one for one in seen.stack if not one.startswith("0x")]) if seen is not None else ""
        return f" in {chain}" if chain else ""

    # Threads that wait for each other's locks in a circle; each circle once.
    def _deadlocks(self) -> Iterator[str]:
        owners = {tid: lock.owner for tid, lock in self._locks.items()}
        for first in sorted(owners):
            circle = [first]
            while (owner := owners.get(circle[-1])) is not None and owner not in circle:
                circle.append(owner)
            if owner == first == min(circle):
                links = [f"{self._name(one)} waits for {self._name(owners[one])}" for one in circle]
                yield f"deadlock, which no waiting will end: {', '.join(links)}"

    def _come_and_go(self, report: QuiescenceReport) -> Iterator[str]:
        gone = [one.tid for one in report.stragglers if self._is_gone(one)]
        if not gone:
            return
        later = [tid for tid, one in self._scene.entries.items() if one.index not in self._makers]
        kinds = {kind for tid in gone if (kind := self._kind(tid))} or {
            kind for tid in later if (kind := self._kind(tid)) and not self._scene.entries[tid].exited
        }
        last = f"; among the last ones: {', '.join(sorted(kinds)[:_KINDS])}" if kinds else ""
        born = f"{report.born} or more were born" if report.born else "they are born"
        yield f"threads come and go: {born} in {report.seconds:.1f} s{last}"


def _since(one: Straggler, total_s: float) -> str:
    if one.since_s < _WORTH_TELLING_S:
        return ""
    return ", all the time" if one.since_s >= 0.9 * total_s else f", for {one.since_s:.1f} s"


def _chain(stack: Sequence[str]) -> str:
    return " < ".join([*stack[:_FRAMES], *(["…"] if len(stack) > _FRAMES else [])])


def _makers(operations: Sequence[LoggedOperation]) -> Mapping[int, LoggedOperation]:
    return {one.args[0]: one for one in operations if one.kind is OperationKind.THREAD_CREATE and not one.error}
