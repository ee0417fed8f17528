"""Strategies that catch nobody: free riding, and the check of functions on stacks. They are there to be compared.

Source: seed, "quiescence point detection": neither need come to an end, and the second says nothing about state.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from gdb_mcr.quiescence.stillness import (
    Observations,
    QuiescenceReport,
    Straggler,
    SuspectTarget,
    disturbed,
    restless,
)

LOOK_S = 0.0005
STOP_S = 0.01
"""Seconds between two looks, between two stops."""


def ride_free(
    target: SuspectTarget, timeout_s: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> QuiescenceReport:
    """Waits until all threads happen to be at rest. When it converges the process is stopped; otherwise it runs."""
    seen = Observations(clock())
    while True:
        first, second = target.look(), target.look()
        stragglers = seen.note(first, second, restless(first, second), clock())
        if not stragglers:
            stopped = target.stop()
            stragglers = seen.note_stop(disturbed(stopped), clock())
            if not stragglers:
                return seen.report(clock(), stopped)
            target.resume()
        if clock() - seen.began >= timeout_s:
            return seen.report(clock(), None, stragglers)
        sleep(LOOK_S)


def avoid_functions(
    target: SuspectTarget,
    functions: Collection[str],
    timeout_s: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> QuiescenceReport:
    """Stops the process now and then, until none of the functions is on a stack. When it converges it stays stopped."""
    seen = Observations(clock())
    while True:
        stopped = target.stop()
        found = [
            Straggler(one.tid, one.name, f"{name}, which the update changes, is on its stack", one.stack)
            for one in stopped
            if (name := next((frame for frame in one.stack if frame in functions), None)) is not None
        ]
        stragglers = seen.note_stop(found, clock())
        if not stragglers:
            return seen.report(clock(), stopped)
        target.resume()
        if clock() - seen.began >= timeout_s:
            return seen.report(clock(), None, stragglers)
        sleep(STOP_S)
