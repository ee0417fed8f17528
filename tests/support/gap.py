"""Gaps in what a client sees: the time between two answers, kept as a series so that any window can be asked.

Times are seconds of CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SLOT_S = 0.01
"""Seconds in one slot of a series."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The time [start, end) without an answer."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.end - self.start


NO_GAP = Gap(0.0, 0.0)
"""What a window without any answer-to-answer gap has as its longest."""


@dataclass(frozen=True, slots=True)
class GapSeries:
    """For each slot of `SLOT_S` seconds in which an answer came, the longest gap that ended in it; in order of time."""

    gaps: tuple[Gap, ...]

    def longest(self, start: float = float("-inf"), end: float = float("inf")) -> Gap:
        """The longest gap that overlaps [start, end): one that began before an update or ended after it counts."""
        touching = (gap for gap in self.gaps if gap.start < end and gap.end > start)
        return max(touching, key=lambda gap: gap.seconds, default=NO_GAP)

    def longest_inside(self, start: float, end: float) -> Gap:
        """The longest gap that lies within [start, end): for a baseline that the update must not touch."""
        inside = (gap for gap in self.gaps if gap.start >= start and gap.end <= end)
        return max(inside, key=lambda gap: gap.seconds, default=NO_GAP)

    def percentile(self, percent: float, start: float = float("-inf"), end: float = float("inf")) -> float:
        """Seconds that ``percent`` of the slots in [start, end) stay below; 0 if the window is empty."""
        lengths = sorted(gap.seconds for gap in self.gaps if gap.start >= start and gap.end <= end)
        if not lengths:
            return 0.0
        return lengths[min(len(lengths) - 1, int(len(lengths) * percent / 100))]


class GapRecorder:
    """Collects a `GapSeries` from answers of several sources (connections). Costs two array look-ups an answer."""

    def __init__(self, start: float, sources: int) -> None:
        self._start = start
        self._last = [start] * sources
        self._begins = array("d")
        self._ends = array("d")

    def note(self, source: int, now: float) -> None:
        """``source`` got an answer at ``now``."""
        self._put(self._last[source], now)
        self._last[source] = now

    def add(self, begin: float, end: float) -> None:
        """A gap measured elsewhere, such as one request's wait."""
        self._put(begin, end)

    def close(self, now: float, sources: Iterable[int]) -> None:
        """End of the run: what each of ``sources`` has been waiting for since its last answer counts as a gap."""
        for source in sources:
            self._put(self._last[source], now)

    def series(self) -> GapSeries:
        """What was collected so far."""
        return GapSeries(tuple(self._filled()))

    def _put(self, begin: float, end: float) -> None:
        slot = int((end - self._start) / SLOT_S)
        missing = slot + 1 - len(self._ends)
        if missing > 0:
            self._begins.extend([0.0] * missing)
            self._ends.extend([0.0] * missing)
        if end - begin > self._ends[slot] - self._begins[slot]:
            self._begins[slot] = begin
            self._ends[slot] = end

    def _filled(self) -> Iterator[Gap]:
        for begin, end in zip(self._begins, self._ends, strict=True):
            if end > begin:
                yield Gap(begin, end)


@dataclass(frozen=True, slots=True)
class GapReport:
    """The longest gap around an update beside the noise of the same run without one."""

    update: Gap
    baseline: Gap
    baseline_p99: float
    """Seconds: 99 of 100 slots of the baseline had no longer gap."""

    @property
    def text(self) -> str:
        """One line for a report."""
        return (
            f"longest client gap {self.update.seconds * 1000:.1f} ms "
            f"(same run, no update: {self.baseline.seconds * 1000:.1f} ms, p99 {self.baseline_p99 * 1000:.1f} ms)"
        )


def compare(series: GapSeries, baseline: tuple[float, float], update: tuple[float, float]) -> GapReport:
    """The longest gap that touches the window ``update`` and the longest inside the window ``baseline``.

    :raises ValueError: the baseline holds no answers, so nothing can be said of the noise.
    """
    quiet = series.longest_inside(*baseline)
    if quiet is NO_GAP:
        raise ValueError("no answers in the baseline window")
    return GapReport(series.longest(*update), quiet, series.percentile(99, *baseline))
