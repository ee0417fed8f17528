"""QUIESCE: O is brought to rest, held so by its child GDB. Source: seed, "quiescence detection"; DESIGN section 5."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gdb_mcr.debugger.base import Debugger, StoppedThread
from gdb_mcr.errors import McrError
from gdb_mcr.model.inspection import ThreadRow
from gdb_mcr.model.process import Descriptor, Task
from gdb_mcr.model.profile import Profile
from gdb_mcr.model.startup_log import ThreadEntry
from gdb_mcr.model.step_results import QuiesceResult
from gdb_mcr.model.stop_point import StoppedTask, StopPointKind, TaskState, WaitKind, role_of
from gdb_mcr.model.strategy import Strategy
from gdb_mcr.proc.descriptors import descriptors
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.proc.tasks import tasks
from gdb_mcr.quiescence.barrier import reach_barrier
from gdb_mcr.quiescence.counterparts import Mismatch, PlacedThread
from gdb_mcr.quiescence.free_riding import avoid_functions, ride_free
from gdb_mcr.quiescence.stillness import QuiescenceReport, is_quiescent
from gdb_mcr.runtime_abi.control import clear_hold, held_threads, set_hold
from gdb_mcr.runtime_abi.layout import Hold
from gdb_mcr.runtime_abi.tables import read_live_threads
from gdb_mcr.update.child_rows import child_tasks, live_children
from gdb_mcr.update.in_flight import EventsInFlight
from gdb_mcr.update.judgement import Judgement
from gdb_mcr.update.locks import mutex_wait
from gdb_mcr.update.missed_events import MissedEvents
from gdb_mcr.update.profiles import profile_of
from gdb_mcr.update.recorded import RecordedProcess
from gdb_mcr.update.stall import StallReport, look_at_stall
from gdb_mcr.update.unblocking import unblock_old

HOLD_S = 1.0
"""Seconds after which O's threads run on by themselves if nobody lets them: the controller may be dead.

The hold is renewed with each look, and is over once all threads are stopped: if then GDB dies, O serves at once.
"""

_RELEASE_S, _RELEASE_LOOK_S = 0.03, 0.0005
"""Seconds in which held threads have seen that they may go on: libmcr looks every two milliseconds."""

_BREATHS = 3
"""Times that all held threads were let go, after which an event that still lies somewhere is nobody's."""

_COUNTERPARTS_S = 2.0
"""Seconds in which threads may come to where their counterparts in N stand, or end if they have none. Then they are at
rest where they are, and findings refuse the update: more waiting would not help."""

_OBJECTION_S = 0.05
"""Seconds for which a thread that has not left a place counts as being where a profile objected to it."""


class OldProcessAtRest:
    """Implements `quiescence.barrier.BarrierTarget` for one recorded process and its child GDB."""

    def __init__(self, process: RecordedProcess, debugger: Debugger, pidfd: Pidfd) -> None:
        self._process = process
        self._debugger = debugger
        self._pidfd = pidfd
        self._accepted = live_children(process.pid)
        self._hold = Hold.NONE
        self._breaths = 0
        self._profile: Profile | None = None
        self._judgement: Judgement | None = None
        self._awaits_until = 0.0
        self._objections: dict[int, _Objection] = {}
        self.stopped_at = 0.0
        """CLOCK_MONOTONIC seconds at which the last stop began."""
        self.descriptors: Mapping[int, Descriptor] = {}
        """What the process had open when it was stopped last: true until it runs again."""

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def accept_children(self) -> None:
        """The child processes that there are now have been ruled on; those that come later are in the way of rest."""
        self._accepted = live_children(self._process.pid)

    def judge_by(self, profile: Path | None) -> None:
        """Its threads are judged by this profile, which the user names, or by its own.

        :raises UsageError: there is a profile, and it cannot be read.
        """
        found = profile_of(self._process, profile)
        if found != self._profile:
            self._profile, self._judgement = found, None

    def expect(self, counterparts: tuple[PlacedThread, ...]) -> None:
        """N's threads, by which O's are judged from now on; none if there is no N."""
        if self._judgement is None:
            self._judgement = Judgement.of(self._process, self._profile)
        if self._judgement.counterparts != counterparts:
            self._judgement = self._judgement.beside(counterparts)

    def prepare(self) -> None:
        """Reads all that stops will need."""
        if self._judgement is None:
            self._judgement = Judgement.of(self._process, self._profile)
        self._objections.clear()
        self._breaths = 0
        self._awaits_until = time.monotonic() + _COUNTERPARTS_S

    @property
    def judgement(self) -> Judgement:
        """By what stopped threads are judged."""
        assert self._judgement is not None
        return self._judgement

    def mismatches(self) -> tuple[Mismatch, ...]:
        """Threads that have no equivalent in N, while the process stands still."""
        return self.judgement.mismatches(self._debugger.threads(), self._entries())

    def hold(self, *, only_idle: bool = False) -> None:
        """Threads that arrive at a wait stay there."""
        self._hold = Hold.IDLE if only_idle else Hold.ALL
        until_ns = time.monotonic_ns() + int(HOLD_S * 1e9)
        set_hold(self._process.memory, self._process.control_address, until_ns, self._hold)

    def unhold(self) -> None:
        """Held threads run on."""
        clear_hold(self._process.memory, self._process.control_address)

    def unhold_if_possible(self) -> None:
        """The same for a process that may be gone."""
        with suppress(McrError):
            self.unhold()

    def unblock(self) -> None:
        """Threads that stand in the middle of work are got out of their calls, where the profile says how."""
        if not self.judgement.knows_ways_out:
            return
        self._debugger.stop(self._process.pid)
        try:
            ways = self.judgement.ways_out(self._debugger.threads(), self._entries())
        finally:
            self._debugger.let_go()
        unblock_old(self._process, ways)

    def breathe(self, seconds: float) -> None:
        """Held threads run on, and are held again when they arrive after so many seconds."""
        self._breaths += 1
        self.unhold()
        deadline = time.monotonic() + _RELEASE_S
        while held_threads(self._process.memory, self._process.control_address) and time.monotonic() < deadline:
            time.sleep(_RELEASE_LOOK_S)
        time.sleep(seconds)
        self.hold()

    def look(self) -> Mapping[int, TaskState]:
        """All threads, without stopping any, and child processes that were born meanwhile."""
        entries = self._entries()
        found = tasks(self._process.pid)
        rows = {tid: self._state(one, entries.get(tid), found) for tid, one in found.items()}
        return rows | {one.tid: one for one in child_tasks(self._process.pid, self._accepted)}

    def stop(self) -> Sequence[StoppedTask]:
        """Stops all threads. While an event of the server's own waits somewhere, held threads count as disturbed."""
        self.stopped_at = time.monotonic()
        self._debugger.stop(self._process.pid)
        with ThreadPoolExecutor(1) as beside:  # GDB unwinds stacks meanwhile
            open_now = beside.submit(descriptors, self._process.pid)
            entries, stopped = self._entries(), self._debugger.threads()
            self.descriptors = open_now.result()
        awaits = time.monotonic() < self._awaits_until
        missed = self._missed_events()
        judged = self.judgement.objections(stopped, entries, awaits_counterparts=awaits)
        rows = [_stopped_task(one, entries.get(one.tid), missed, judged.get(one.tid, "")) for one in stopped]
        self._remember(stopped, entries, judged)
        return [*rows, *map(_stopped_child, child_tasks(self._process.pid, self._accepted))]

    def _missed_events(self) -> MissedEvents:
        in_flight = EventsInFlight(self._pidfd, self.descriptors)
        pid = self._process.pid
        believes_waits = self._hold is Hold.IDLE and self._breaths >= _BREATHS
        return MissedEvents(pid, self._process.memory, tasks(pid), in_flight, believes_waits)

    def resume(self) -> None:
        """All threads run on as if they had not been stopped; those that were held are held."""
        self._debugger.let_go()

    def give_up(self, report: QuiescenceReport) -> tuple[str, ...]:
        """Lets held threads run on. The answer says what stood in the way, one line each."""
        scene = look_at_stall(self._process, self._debugger)
        self.unhold()
        return StallReport(self._process, self.judgement.reader, scene).lines(report)

    def _entries(self) -> dict[int, ThreadEntry]:
        control = self._process.control()
        return {one.tid: one for one in read_live_threads(self._process.memory, control)}

    def _state(self, one: Task, entry: ThreadEntry | None, all_tasks: Mapping[int, Task]) -> TaskState:
        wait = WaitKind(int(entry.wait)) if entry is not None else WaitKind.NONE
        why = self._objection(one, entry) or (self._lock_objection(one, wait, all_tasks) if wait else "")
        return TaskState(one.tid, one.state == "S", one.syscall, one.switches, wait, one.name, why)

    # What has been woken from a wait for a condition, and now waits for the mutex, has received its event.
    def _lock_objection(self, one: Task, wait: WaitKind, all_tasks: Mapping[int, Task]) -> str:
        lock = mutex_wait(one, self._process.memory) if wait is not WaitKind.HELD else None
        if lock is None or lock.owner not in all_tasks or lock.owner == one.tid:
            return ""
        return f"it has been woken, and waits for a mutex that {all_tasks[lock.owner].name} ({lock.owner}) holds"

    def _objection(self, one: Task, entry: ThreadEntry | None) -> str:
        known = self._objections.get(one.tid)
        if known is None or known.place != _place(one.stack_pointer, entry) or time.monotonic() > known.until:
            return ""
        return known.why

    # A thread that the profile objects to need not be stopped again as long as it stays where it is.
    def _remember(
        self, stopped: Sequence[StoppedThread], entries: Mapping[int, ThreadEntry], judged: Mapping[int, str]
    ) -> None:
        until = time.monotonic() + _OBJECTION_S
        self._objections = {
            one.tid: _Objection(_place(one.sp, entries.get(one.tid)), judged[one.tid], until)
            for one in stopped
            if judged.get(one.tid)
        }


@dataclass(frozen=True, slots=True)
class _Objection:
    place: tuple[int, int]
    why: str
    until: float


@dataclass(frozen=True, slots=True)
class Quiescence:
    """How an attempt to bring O to rest ended."""

    report: QuiescenceReport
    obstacles: tuple[str, ...]
    notes: tuple[str, ...]


def quiesce(
    target: OldProcessAtRest,
    timeout_s: float,
    strategy: Strategy = Strategy.BARRIER,
    functions: Collection[str] = (),
) -> Quiescence:
    """Brings O to rest: it is stopped then, and not held any more. If it does not come to rest in time, it runs.

    :param functions: those that the update changes, for Strategy.FUNCTION.
    """
    target.prepare()
    report = _detect(target, timeout_s, strategy, functions)
    obstacles = () if report.converged else target.give_up(report)
    target.unhold()
    return Quiescence(report, obstacles, tuple(_notes(target, strategy)) if report.converged else ())


def quiesce_result(process: RecordedProcess, found: Quiescence) -> QuiesceResult:
    """The attempt as a verb's answer."""
    report = found.report
    rows = tuple(_row(process.pid, one) for one in report.threads)
    return QuiesceResult(process.pid, report.converged, report.seconds, rows, found.obstacles, found.notes)


def _detect(
    target: OldProcessAtRest, timeout_s: float, strategy: Strategy, functions: Collection[str]
) -> QuiescenceReport:
    match strategy:
        case Strategy.BARRIER:
            return reach_barrier(target, timeout_s, time.monotonic, time.sleep)
        case Strategy.FREE_RIDING:
            return ride_free(target, timeout_s, time.monotonic, time.sleep)
        case Strategy.FUNCTION:
            return avoid_functions(target, functions, timeout_s, time.monotonic, time.sleep)


def _notes(target: OldProcessAtRest, strategy: Strategy) -> Iterator[str]:
    if strategy is Strategy.FUNCTION:
        yield "no function that changes is on a stack; whether the state is consistent was not looked at"
    else:
        yield from target.judgement.notes


def _row(pid: int, one: StoppedTask) -> ThreadRow:
    waits_in = one.stack[0] if one.stack else ""
    kind = StopPointKind.QUIESCENT.value if is_quiescent(one) else ""
    return ThreadRow(pid, one.tid, one.name, role_of(one.wait).value, waits_in, kind, one.stack)


def _place(stack_pointer: int, entry: ThreadEntry | None) -> tuple[int, int]:
    return stack_pointer, entry.wait_pc if entry is not None else 0


def _stopped_task(one: StoppedThread, entry: ThreadEntry | None, missed: MissedEvents, judged: str) -> StoppedTask:
    wait = WaitKind(int(entry.wait)) if entry is not None else WaitKind.NONE
    names = tuple(frame.function or "??" for frame in one.frames)
    return StoppedTask(one.tid, one.name, wait, one.wait_interrupted, names, missed.of(one, wait) or judged)


def _stopped_child(one: TaskState) -> StoppedTask:
    return StoppedTask(one.tid, one.name, one.wait, False, (), one.objection)
