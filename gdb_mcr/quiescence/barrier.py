"""The barrier protocol: bring every thread to a quiescent point without deadlock, while clients go on pushing.

Initiator threads (external events, time) are caught in their kernel wait, or held by libmcr when they arrive at it;
internal threads run on until all are blocked and none was scheduled between two looks, so that at one instant nobody
could wake anybody. Then the process is stopped and every thread is checked; a thread that an event reached in between
runs on and is caught again. No thread is ever stopped at the entry of a lock or condition, so none is stopped with a
lock that another one needs. Where a thread needs something of one that is held all the same (a place in a full pipe, a
lock), or takes its time, held ones are let go for a moment and caught again, each time a little longer: first those
for which something has come, then all. So no dependency between threads can make the protocol a deadlock, and no client
waits for the deadline.
Source: seed, "quiescence detection protocol" (RCU's reduction of global to local quiescence); DESIGN section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from gdb_mcr.model.stop_point import TaskState, WaitKind
from gdb_mcr.quiescence.stillness import (
    Observations,
    QuiescenceReport,
    Straggler,
    SuspectTarget,
    disturbed,
    restless,
)

FIRST_PAUSE_S = 0.0002
LONGEST_PAUSE_S = 0.005
"""Seconds between two looks: short at first, doubled while nothing comes of it."""

STUCK_S, SLOW_S = 0.02, 0.1
"""Seconds for which threads are held while those that are missing do not move at all, or do something."""

FIRST_DRAIN_S, LONGEST_DRAIN_S = 0.005, 0.04
"""Seconds for which those held threads are let go for which something has come."""

IDLE_LOOKS = 4
"""Times that all are looked at before those are held again as well."""

FIRST_BREATH_S, LONGEST_BREATH_S = 0.001, 0.1
"""Seconds for which all held threads are let go."""


class BarrierTarget(SuspectTarget, Protocol):
    """The server that is to come to rest, with threads that can be held."""

    def hold(self, *, only_idle: bool = False) -> None:
        """From now on libmcr holds threads that arrive at an external or timed wait (until the hold's own deadline).

        :param only_idle: those for which something has come run on; so does the time of the others not.
        """
        ...

    def unblock(self) -> None:
        """Gets threads out of calls in which they wait in the middle of work, where a user has said how."""
        ...

    def breathe(self, seconds: float) -> None:
        """Held threads run on, all of them, and are held again when they arrive after so many seconds."""
        ...


def reach_barrier(
    target: BarrierTarget, timeout_s: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> QuiescenceReport:
    """Brings `target` to rest. When it converges the process is stopped; otherwise it runs, and is held still.

    :param timeout_s: seconds; a deadline, not a wait.
    """
    seen, pauses, breaths = Observations(clock()), _Growing(FIRST_PAUSE_S, LONGEST_PAUSE_S), _Breaths(clock())
    idle_looks = 0
    while True:
        target.hold(only_idle=idle_looks > 0)
        idle_looks -= 1
        first, second = target.look(), target.look()
        stragglers = seen.note(first, second, restless(first, second), clock())
        if not stragglers:
            stopped = target.stop()
            stragglers = seen.note_stop(disturbed(stopped), clock())
            if not stragglers:
                return seen.report(clock(), stopped)
            target.resume()
            if any(one.objection for one in stopped):
                idle_looks = IDLE_LOOKS if breaths.take(target, clock, sleep) else 0
            pauses.reset(at_least=FIRST_PAUSE_S * 2 ** min(seen.stops, 8))
        elif breaths.is_due(second, stragglers, clock()):
            idle_looks = IDLE_LOOKS if breaths.take(target, clock, sleep) else 0
        if clock() - seen.began >= timeout_s:
            return seen.report(clock(), None, stragglers)
        sleep(pauses.next())


class _Growing:
    def __init__(self, first: float, longest: float) -> None:
        self._first, self._longest = first, longest
        self._now = first

    def reset(self, at_least: float | None = None) -> None:
        """Begins anew."""
        self._now = self._first if at_least is None else at_least

    def next(self) -> float:
        """Twice the one before."""
        now, self._now = self._now, min(self._now * 2, max(self._longest, self._now))
        return now


# When held threads are let go, and for how long.
class _Breaths:
    def __init__(self, now: float) -> None:
        self._drains = _Growing(FIRST_DRAIN_S, LONGEST_DRAIN_S)
        self._breaths = _Growing(FIRST_BREATH_S, LONGEST_BREATH_S)
        self._taken = 0
        self._held_since = self._moved_at = now
        self._last: object = None

    def take(self, target: BarrierTarget, clock: Callable[[], float], sleep: Callable[[float], None]) -> bool:
        """Lets all go for a moment (False), or those for which something has come (True), until the next hold.

        After the latter who is held still is held for good reason: what lies there is not for him.
        """
        target.unblock()
        drains = self._taken % 2 == 0
        self._taken += 1
        if drains:
            target.hold(only_idle=True)
            sleep(self._drains.next())
        else:
            target.breathe(self._breaths.next())
        self._held_since = self._moved_at = clock()
        return drains

    def is_due(self, tasks: Mapping[int, TaskState], stragglers: Iterable[Straggler], now: float) -> bool:
        """Whether those who are missing may wait for somebody who is held, or let all others wait for too long."""
        missing = [tasks[one.tid] for one in stragglers if one.tid in tasks]
        position = [(one.tid, one.switches, one.blocked) for one in missing]
        if position != self._last or not all(one.blocked for one in missing):
            self._last, self._moved_at = position, now
        is_anyone_held = any(one.wait in (WaitKind.HELD, WaitKind.TIMED) for one in tasks.values())
        is_over = now - self._moved_at >= STUCK_S or now - self._held_since >= SLOW_S
        return is_anyone_held and is_over
