"""A slice of `scripts/campaign-fuzz`."""

from __future__ import annotations

import pytest

from gdb_mcr.annotations.labels import Label
from tests.support.annotation_fuzz import fuzz, misplaced, problems_of

SEEDS = range(1_000_000, 1_001_000)


@pytest.mark.slow
def test_random_texts_are_read_or_refused_with_a_place() -> None:
    tally = fuzz(SEEDS)
    assert tally.failures == []
    assert tally.texts == len(SEEDS)
    assert tally.accepted > 0
    assert len(tally.labels) > len(Label) // 2


def test_what_is_misplaced_is_noticed() -> None:
    (problem,) = problems_of("drop nothing_at_all;")
    assert list(misplaced("drop nothing_at_all;", [problem])) == []
    assert len(list(misplaced("drop", [problem]))) == 1
    assert len(list(misplaced("", [problem]))) == 1


@pytest.mark.slow
def test_a_long_line_and_many_lines_end() -> None:
    for text in ("drop a" + "." * 20_000, "1+" * 10_000, "length value.items = " + "1+" * 10_000 + "1;"):
        assert problems_of(text)
    assert problems_of(f"transfer job {{ {'new.id = 1;' * 500} }}")
