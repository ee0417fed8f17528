"""A slice of `scripts/campaign-pairs`: random pairs of programs come over right, or are refused before commit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.memcached import free_port
from tests.support.pairs.kinds import KINDS, make_pair
from tests.support.pairs.sketch import Fate
from tests.support.pairs.trial import Tally, Verdict, try_pairs

pytestmark = [pytest.mark.live, pytest.mark.slow]

SEED, LEAST_COMMITTED = 4, 0.8


def test_random_pairs_come_over_right_or_are_refused(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    sketches = [make_pair(SEED, number) for number in range(2 * len(KINDS))]
    tally, wrong = Tally(), []
    # One that must be refused makes the others of its program wait for a second update.
    for hopeless in (False, True):
        group = [one for one in sketches if (one.fate is Fate.REFUSE) == hopeless]
        for outcome in try_pairs(group, tmp_path, free_port()):
            tally.add(outcome)
            if outcome.verdict is Verdict.WRONG:
                wrong.append(f"{outcome.sketch.kind} {outcome.sketch.tag}: {outcome.told}")
    assert wrong == []
    assert tally.committed_of_possible() >= LEAST_COMMITTED
    record_property("committed of possible", f"{tally.committed_of_possible():.0%}")
