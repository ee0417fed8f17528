"""The gap measurement must find a gap that is there and none that is not."""

from __future__ import annotations

import pytest

from tests.support.gap import NO_GAP, Gap, GapRecorder, GapSeries, compare


def _steady(seconds: float, step: float, *, hole: tuple[float, float] = (0.0, 0.0)) -> GapSeries:
    recorder = GapRecorder(100.0, 2)
    for i in range(1, int(seconds / step) + 1):
        now = 100.0 + i * step
        if not hole[0] < now < hole[1]:
            recorder.note(0, now)
            recorder.note(1, now)
    return recorder.series()


def test_longest_when_answers_are_steady_then_is_the_step() -> None:
    assert _steady(2, 0.005).longest().seconds == pytest.approx(0.005)


def test_longest_when_there_is_a_hole_then_is_the_hole_with_its_time() -> None:
    gap = _steady(2, 0.005, hole=(101.0, 101.2)).longest()
    assert gap.start == pytest.approx(101.0, abs=0.006)
    assert gap.seconds == pytest.approx(0.2, abs=0.011)


def test_longest_when_one_of_two_sources_waits_then_the_other_does_not_hide_it() -> None:
    recorder = GapRecorder(0.0, 2)
    for i in range(1, 101):
        recorder.note(0, i / 100)
    recorder.note(1, 0.9)
    assert recorder.series().longest() == Gap(0.0, 0.9)


def test_longest_when_a_gap_overlaps_the_window_by_an_edge_then_counts() -> None:
    series = GapSeries((Gap(1.0, 2.0), Gap(2.0, 2.1)))
    assert series.longest(1.9, 3.0) == Gap(1.0, 2.0)
    assert series.longest(2.0, 3.0) == Gap(2.0, 2.1)
    assert series.longest_inside(1.5, 3.0) == Gap(2.0, 2.1)
    assert series.longest(5.0, 6.0) is NO_GAP


def test_close_when_a_source_never_answered_again_then_its_silence_counts() -> None:
    recorder = GapRecorder(0.0, 2)
    recorder.note(0, 0.1)
    recorder.note(1, 0.1)
    recorder.close(3.0, [1])
    assert recorder.series().longest() == Gap(0.1, 3.0)


def test_percentile_when_one_slot_in_a_hundred_is_long_then_p50_is_short() -> None:
    series = _steady(2, 0.01, hole=(101.0, 101.1))
    assert series.percentile(50) == pytest.approx(0.01)
    assert series.percentile(100) == pytest.approx(0.1, abs=0.011)
    assert GapSeries(()).percentile(50) == 0.0


def test_compare_when_only_the_update_has_a_hole_then_the_baseline_has_not() -> None:
    report = compare(_steady(4, 0.005, hole=(102.0, 102.15)), (100.0, 101.5), (101.9, 102.3))
    assert report.update.seconds == pytest.approx(0.15, abs=0.011)
    assert report.baseline.seconds == pytest.approx(0.005)
    assert "longest client gap 15" in report.text


def test_compare_when_the_baseline_is_empty_then_refuses() -> None:
    with pytest.raises(ValueError, match="no answers in the baseline"):
        compare(_steady(1, 0.005), (50.0, 60.0), (100.0, 101.0))
