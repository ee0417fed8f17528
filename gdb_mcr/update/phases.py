"""Runs the phases of an update: clock, counts, progress, fault points, deadline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from gdb_mcr.errors import UpdateFailed
from gdb_mcr.model.results import PhaseResult
from gdb_mcr.model.steps import Phase
from gdb_mcr.update.api import Progress
from gdb_mcr.update.faults import FaultPoints, When

Counts = dict[str, int]


@dataclass
class PhaseLog:
    """What ran so far. One for each update."""

    faults: FaultPoints
    timeout_s: float
    """Seconds for everything up to COMMIT, from the first phase on. Time between two steps of a user does not count."""
    results: list[PhaseResult] = field(default_factory=list)
    current: Phase | None = None
    """The phase that runs, or that failed last."""
    _spent_s: float = 0.0

    @contextmanager
    def run(self, phase: Phase, progress: Progress) -> Iterator[Counts]:
        """One phase; the block fills the counts. What it raises goes on, and the phase has no result then.

        :raises UpdateFailed: the time for the whole update was over before the phase began.
        """
        self._check_time(phase)
        self.current = phase
        progress.started(phase)
        counts: Counts = {}
        began = time.monotonic()
        try:
            self.faults.reach(phase, When.BEFORE)
            yield counts
            self.faults.reach(phase, When.AFTER)
        finally:
            self._spent_s += time.monotonic() - began
        self.current = None
        result = PhaseResult(phase, time.monotonic() - began, counts)
        self.results.append(result)
        progress.finished(result)

    def left_s(self) -> float:
        """Seconds left for phases before COMMIT."""
        return max(0.0, self.timeout_s - self._spent_s)

    def totals(self) -> Counts:
        """Counts over all phases; of one that was run again, those of its last time."""
        totals: Counts = {}
        for counts in {one.name: one.counts for one in self.results}.values():
            for name, count in counts.items():
                totals[name] = totals.get(name, 0) + count
        return totals

    def _check_time(self, phase: Phase) -> None:
        if phase is not Phase.COMMIT and self.left_s() == 0:
            raise UpdateFailed(
                f"{self.timeout_s:g} seconds were not enough to come to {phase.value}",
                hint="allow more with --timeout",
            )
