"""Kills in the middle of detection: the server runs on by itself, and its own end is told in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.zoo_cases import CASES, ZooCase
from tests.support.zoo_kills import Victim, kill_around

SEED = 1
PLANS = ((Victim.DEBUGGER, "timers", 8), (Victim.CONTROLLER, "births joined", 2), (Victim.SERVER, "signals", 2))


def _case(name: str) -> ZooCase:
    return next(one for one in CASES if one.name == name)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


@pytest.mark.parametrize(("victim", "name", "kills"), PLANS, ids=[victim.value for victim, _, _ in PLANS])
def test_a_kill_in_the_middle_of_detection_harms_nobody(
    victim: Victim, name: str, kills: int, directory: Path, record_property: Callable[[str, object], None]
) -> None:
    outcome = kill_around(_case(name), victim, directory, kills, SEED)
    assert outcome.problems == []
    if outcome.recoveries:
        record_property("longest until work went on", f"{max(outcome.recoveries) * 1000:.0f} ms")
