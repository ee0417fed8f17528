"""Why a server did not come to rest, in the user's terms: who, doing what, where, since when, and who holds what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gdb_mcr.debugger.base import Debugger, StoppedThread
from gdb_mcr.model.process import Task
from gdb_mcr.model.startup_log import LoggedOperation, OperationKind, ThreadEntry
from gdb_mcr.proc.tasks import tasks
from gdb_mcr.quiescence.profile import SeenThread
from gdb_mcr.quiescence.stillness import JUST_CREATED, JUST_ENDED, QuiescenceReport, Straggler
from gdb_mcr.runtime_abi.tables import read_threads
from gdb_mcr.update.locks import LockWait, mutex_wait, writer_of
from gdb_mcr.update.profile_stacks import StackReader
from gdb_mcr.update.recorded import RecordedProcess
from gdb_mcr.update.wait_texts import what_it_waits_for

_MOST = 8
_FRAMES = 6
_COME_AND_GO = (JUST_CREATED, JUST_ENDED)


def obstacles_of(
    server: RecordedProcess, debugger: Debugger, reader: StackReader, report: QuiescenceReport
) -> tuple[str, ...]:
    """One line for each thread that was in the way; the server is stopped for some milliseconds for its stacks.

    :param report: of a detection that came to its deadline; what it held is held still.
    :raises TargetError: the server has ended.
    """
    scene = _look(server, debugger, reader)
    lines = [*_deadlocks(scene), *_come_and_go(scene, report)]
    lines += [_line(scene, one, report.seconds) for one in report.stragglers if one.why not in _COME_AND_GO]
    more = len(lines) - _MOST
    return (*lines[:_MOST], *([f"and {more} more"] if more > 0 else []))


@dataclass(frozen=True)
class _Scene:
    """All threads at the deadline."""

    server: RecordedProcess
    reader: StackReader
    tasks: Mapping[int, Task]
    seen: Mapping[int, SeenThread]
    """Empty if the server could not be stopped."""
    entries: Mapping[int, ThreadEntry]
    makers: Mapping[int, LoggedOperation]
    locks: Mapping[int, LockWait]
    """By the tid of who waits."""

    def name(self, tid: int) -> str:
        """As lines call a thread."""
        task = self.tasks.get(tid)
        return f"{task.name} ({tid})" if task is not None else f"thread {tid}, which has ended"

    def kind(self, tid: int) -> str:
        """Its class: where it starts and who made it; "" if libmcr does not know it."""
        entry = self.entries.get(tid)
        if entry is None or not entry.start_routine:
            return "the initial thread" if tid == self.server.pid else ""
        start = f"a thread of {self.reader.names.function(entry.start_routine)}"
        maker = self.makers.get(entry.index)
        if maker is None or maker.stack_id != entry.creation_id:
            return start
        return f"{start}, made by {_chain(self.reader.names.stack(maker.returns))}"


# A thread in an uninterruptible wait would delay a debugger, perhaps for ever.
def _look(server: RecordedProcess, debugger: Debugger, reader: StackReader) -> _Scene:
    before = tasks(server.pid)
    stopped: Sequence[StoppedThread] = ()
    entries = read_threads(server.memory, server.control())
    if all(one.state != "D" for one in before.values()):
        debugger.stop(server.pid)
        try:
            stopped, entries = debugger.threads(), read_threads(server.memory, server.control())
        finally:
            debugger.let_go()
    by_tid = {one.tid: one for one in entries if not one.exited}
    operations = server.log().operations
    makers = {one.args[0]: one for one in operations if one.kind is OperationKind.THREAD_CREATE and not one.error}
    seen = {one.tid: reader.seen_thread(one, by_tid.get(one.tid)) for one in stopped}
    locks = {tid: lock for tid, one in before.items() if (lock := _lock(server, one, seen.get(tid))) is not None}
    return _Scene(server, reader, before, seen, by_tid, makers, locks)


def _lock(server: RecordedProcess, task: Task, seen: SeenThread | None) -> LockWait | None:
    if seen is not None and seen.call.startswith("pthread_rwlock_"):
        return writer_of(task, server.memory)
    return mutex_wait(task, server.memory)


def _line(scene: _Scene, one: Straggler, total_s: float) -> str:
    task = scene.tasks.get(one.tid)
    kind = scene.kind(one.tid)
    head = f"{one.name} ({one.tid}){f', {kind}' if kind else ''}: "
    since = "all the time" if one.since_s >= 0.9 * total_s else f"for {one.since_s:.1f} s"
    return f"{head}{_what(scene, one, task)}{_where(scene, one)}, {since}"


def _what(scene: _Scene, one: Straggler, task: Task | None) -> str:
    lock, seen = scene.locks.get(one.tid), scene.seen.get(one.tid)
    if lock is not None:
        return f"it waits for a lock, which {_holder(scene, one.tid, lock)}"
    if task is None or not task.is_blocked or (seen is not None and one.why.startswith("an event")):
        return one.why
    if one.tid in scene.entries and scene.entries[one.tid].wait:
        return one.why  # in a wait that libmcr knows
    return what_it_waits_for(scene.server.pid, task, seen.call if seen is not None else "")


def _holder(scene: _Scene, tid: int, lock: LockWait) -> str:
    if not lock.owner:
        return "somebody holds"
    if lock.owner == tid:
        return "it holds itself"
    seen = scene.seen.get(lock.owner)
    doing = ""
    if seen is not None:
        doing = f", {f'which waits in {seen.call}' if seen.call else 'which runs'} in {_chain(seen.stack)}"
    return f"{scene.name(lock.owner)} holds{doing};"


def _where(scene: _Scene, one: Straggler) -> str:
    seen = scene.seen.get(one.tid)
    stack = seen.stack if seen is not None else one.stack
    return f" in {_chain(stack)}" if stack else ""


def _chain(stack: Sequence[str]) -> str:
    return " < ".join([*stack[:_FRAMES], *(["…"] if len(stack) > _FRAMES else [])])


# Threads that wait for each other's locks in a circle; each circle once.
def _deadlocks(scene: _Scene) -> Iterator[str]:
    owners = {tid: lock.owner for tid, lock in scene.locks.items()}
    for first in sorted(owners):
        circle = [first]
        while (owner := owners.get(circle[-1])) is not None and owner not in circle:
            circle.append(owner)
        if owner == first == min(circle):
            yield f"deadlock: {' waits for '.join(map(scene.name, [*circle, first]))}"


def _come_and_go(scene: _Scene, report: QuiescenceReport) -> Iterator[str]:
    last = [one for one in report.stragglers if one.why in _COME_AND_GO]
    if not last:
        return
    newest = max(scene.entries.values(), key=lambda one: one.tid)
    parent = next((one for one in scene.entries.values() if one.index == newest.parent), None)
    maker = f"; {scene.name(newest.tid)}, {scene.kind(newest.tid)}" if newest.start_routine else ""
    by = f", was made by {scene.name(parent.tid)}" if maker and parent is not None else ""
    yield f"threads come and go: {report.born} came and {report.ended} went in {report.seconds:.1f} s{maker}{by}"
