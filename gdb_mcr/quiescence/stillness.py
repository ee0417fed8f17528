"""What all strategies share: looks at running threads, who is not at rest and since when, and how detection ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gdb_mcr.model.stop_point import StoppedTask, TaskState, WaitKind


class SuspectTarget(Protocol):
    """A server that may or may not be at rest."""

    def look(self) -> Mapping[int, TaskState]:
        """All threads, without stopping any. Child processes count, by their pid."""
        ...

    def stop(self) -> Sequence[StoppedTask]:
        """Stops all threads and looks at each."""
        ...

    def resume(self) -> None:
        """Lets all threads run on as if they had not been stopped. Those that were held still are."""
        ...


@dataclass(frozen=True, slots=True)
class Straggler:
    """A thread that stood in the way, as last seen."""

    tid: int
    name: str
    why: str
    stack: tuple[str, ...] = ()
    since_s: float = 0.0
    """Seconds for which it has not been seen at rest."""


@dataclass(frozen=True, slots=True)
class QuiescenceReport:
    """How detection ended. If it did not converge, every thread runs."""

    converged: bool
    seconds: float
    looks: int
    stops: int
    threads: tuple[StoppedTask, ...] = ()
    stragglers: tuple[Straggler, ...] = ()
    born: int = 0
    """Threads that were created meanwhile, as far as seen."""
    ended: int = 0
    """Threads that ended meanwhile."""


JUST_CREATED = "it was just created"
JUST_ENDED = "it has just ended"
RAN = "it ran a moment ago"
RUNS = "it runs"
BLOCKED = "it is blocked in a call that is no quiescent point"
EVENT_CAME = "an event had reached it when it was stopped"


def is_at_rest(task: TaskState) -> bool:
    """Whether a running thread's wait is one that a quiescent point may be. One that libmcr holds does nothing else."""
    is_waiting = task.wait is WaitKind.HELD or (task.wait is not WaitKind.NONE and task.blocked)
    return is_waiting and not task.objection


def is_quiescent(task: StoppedTask) -> bool:
    """Whether a stopped thread received no event since its last quiescent point."""
    is_waiting = task.wait is WaitKind.HELD or (task.wait is not WaitKind.NONE and task.still_waiting)
    return is_waiting and not task.objection


def restless(first: Mapping[int, TaskState], second: Mapping[int, TaskState]) -> tuple[Straggler, ...]:
    """Double collect: who was not at rest in both looks, or ran between them.

    Held threads do not count as running: one of them looks after the hold for all. A thread that is gone may have done
    something behind its first look.
    """
    return (*_moving(first, second), *_gone(first, second))


def disturbed(stopped: Sequence[StoppedTask]) -> tuple[Straggler, ...]:
    """Who is not at a quiescent point although the process was stopped there."""
    return tuple(
        Straggler(one.tid, one.name, one.objection or _interruption(one), one.stack)
        for one in stopped
        if not is_quiescent(one)
    )


class Observations:
    """What was seen from the beginning of detection on."""

    def __init__(self, now: float) -> None:
        self.began = now
        self.stops = self._looks = self._born = self._ended = 0
        self._rested: dict[int, float] = {}
        self._known: frozenset[int] = frozenset()

    def note(
        self,
        first: Mapping[int, TaskState],
        second: Mapping[int, TaskState],
        stragglers: Sequence[Straggler],
        now: float,
    ) -> tuple[Straggler, ...]:
        """Two looks, and who was not at rest; the answer says since when."""
        self._looks += 2
        known = self._known or frozenset(first)
        self._born += len((first.keys() | second.keys()) - known)
        self._ended += len((first.keys() | known) - second.keys())
        self._known = frozenset(second)
        restless_ones = {one.tid for one in stragglers}
        self._rested = {tid: now for tid in second if tid not in restless_ones} | {
            tid: self._rested.get(tid, self.began if tid in known else now) for tid in restless_ones
        }
        return self._timed(stragglers, now)

    def note_stop(self, stragglers: Sequence[Straggler], now: float) -> tuple[Straggler, ...]:
        """A stop, and who was not quiescent in it."""
        self.stops += 1
        return self._timed(stragglers, now)

    def report(
        self, now: float, stopped: Sequence[StoppedTask] | None, stragglers: tuple[Straggler, ...] = ()
    ) -> QuiescenceReport:
        """:param stopped: the threads of a server that has come to rest, None if it has not."""
        return QuiescenceReport(
            stopped is not None,
            now - self.began,
            self._looks,
            self.stops,
            tuple(stopped or ()),
            stragglers,
            self._born,
            self._ended,
        )

    def _timed(self, stragglers: Sequence[Straggler], now: float) -> tuple[Straggler, ...]:
        return tuple(replace(one, since_s=now - self._rested.get(one.tid, now)) for one in stragglers)


def _moving(first: Mapping[int, TaskState], second: Mapping[int, TaskState]) -> Iterator[Straggler]:
    for tid, task in second.items():
        why = task.objection or _motion(first.get(tid), task)
        if why:
            yield Straggler(tid, task.name, why)


# What is said of a thread's wait is only true of one that stood still.
def _motion(before: TaskState | None, now: TaskState) -> str:
    if before is None:
        return JUST_CREATED
    if before.wait is now.wait is WaitKind.HELD:
        return ""
    if not now.blocked and now.wait is not WaitKind.HELD:
        return RUNS
    if not _stood_still(before, now):
        return RAN
    return "" if is_at_rest(now) else BLOCKED


# A thread that ran at the first look has the same number of switches when it blocks before the second one.
def _stood_still(before: TaskState, now: TaskState) -> bool:
    return before.blocked and before.switches == now.switches


def _gone(first: Mapping[int, TaskState], second: Mapping[int, TaskState]) -> Iterator[Straggler]:
    for tid, task in first.items():
        if tid not in second and not task.objection:
            yield Straggler(tid, task.name, JUST_ENDED)


def _interruption(task: StoppedTask) -> str:
    return RUNS if task.wait is WaitKind.NONE else EVENT_CAME
