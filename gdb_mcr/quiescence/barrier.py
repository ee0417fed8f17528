"""The barrier protocol: bring every thread to a quiescent point without deadlock, while clients go on pushing.

Initiator threads (external events, time) are caught in their kernel wait, or held by libmcr when they arrive at it;
internal threads run on until all are blocked and none was scheduled between two looks, so that at one instant nobody
could wake anybody. Then the process is stopped and every thread is checked; a thread that an event reached in between
runs on and is caught again. No thread is ever stopped at the entry of a lock or condition, so none is stopped with a
lock that another one needs.
Source: seed, "quiescence detection protocol" (RCU's reduction of global to local quiescence); DESIGN section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gdb_mcr.model.stop_point import StoppedTask, TaskState, WaitKind

FIRST_PAUSE_S = 0.0002
LONGEST_PAUSE_S = 0.005
"""Seconds between two looks: short at first, doubled while nothing comes of it."""


class BarrierTarget(Protocol):
    """The process that is to come to rest."""

    def hold(self) -> None:
        """From now on libmcr holds threads that arrive at an external or timed wait (until the hold's own deadline)."""
        ...

    def unhold(self) -> None:
        """Held threads run on."""
        ...

    def look(self) -> Mapping[int, TaskState]:
        """All threads, without stopping any."""
        ...

    def stop(self) -> Sequence[StoppedTask]:
        """Stops all threads and looks at each."""
        ...

    def resume(self) -> None:
        """Lets all threads run on, as if they had not been stopped."""
        ...


@dataclass(frozen=True, slots=True)
class Straggler:
    """A thread that stood in the way, as last seen."""

    tid: int
    name: str
    why: str
    stack: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuiescenceReport:
    """How detection ended. If it did not converge, every thread runs again."""

    converged: bool
    seconds: float
    looks: int
    stops: int
    threads: tuple[StoppedTask, ...] = ()
    stragglers: tuple[Straggler, ...] = ()


def is_at_rest(task: TaskState) -> bool:
    """Whether a running thread's wait is one that a quiescent point may be."""
    return task.blocked and task.wait is not WaitKind.NONE


def is_quiescent(task: StoppedTask) -> bool:
    """Whether a stopped thread received no event since its last quiescent point."""
    return task.wait is WaitKind.HELD or (task.wait is not WaitKind.NONE and task.still_waiting)


def reach_barrier(
    target: BarrierTarget, timeout_s: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> QuiescenceReport:
    """Brings `target` to rest. When it converges the process is stopped; otherwise it runs.

    :param timeout_s: seconds; a deadline, not a wait.
    """
    started = clock()
    looks = stops = 0
    pause = FIRST_PAUSE_S
    stragglers: tuple[Straggler, ...] = ()
    target.hold()
    while clock() - started < timeout_s:
        first, second = target.look(), target.look()
        looks += 2
        stragglers = _running(first, second)
        if not stragglers:
            stopped = target.stop()
            stops += 1
            stragglers = _disturbed(stopped)
            if not stragglers:
                return QuiescenceReport(True, clock() - started, looks, stops, tuple(stopped))
            target.resume()
            pause = FIRST_PAUSE_S
        sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)
    target.unhold()
    return QuiescenceReport(False, clock() - started, looks, stops, stragglers=stragglers)


# Double collect: at rest in both looks and not scheduled between them; one held thread looks after the hold for all.
def _running(first: Mapping[int, TaskState], second: Mapping[int, TaskState]) -> tuple[Straggler, ...]:
    found = []
    for tid, task in second.items():
        before = first.get(tid)
        if before is None:
            found.append(Straggler(tid, task.name, "it was just created"))
        elif not is_at_rest(task):
            found.append(Straggler(tid, task.name, _restless(task)))
        elif before.switches != task.switches and not (before.wait is task.wait is WaitKind.HELD):
            found.append(Straggler(tid, task.name, "it ran a moment ago"))
    return tuple(found)


def _restless(task: TaskState) -> str:
    if not task.blocked:
        return "it runs"
    return f"it is blocked in system call {task.syscall}, which is no quiescent point"


def _disturbed(stopped: Sequence[StoppedTask]) -> tuple[Straggler, ...]:
    return tuple(
        Straggler(task.tid, task.name, "an event had reached it when it was stopped", task.stack)
        for task in stopped
        if not is_quiescent(task)
    )
