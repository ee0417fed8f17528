"""Kills in the middle of detection: the server runs on by itself, and its own end is told in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.zoo_cases import CASES, ZooCase
from tests.support.zoo_kills import Victim, kill_around

SEED = 1
KILLS = {Victim.DEBUGGER: 6, Victim.CONTROLLER: 2, Victim.SERVER: 1}


def _case(name: str) -> ZooCase:
    return next(one for one in CASES if one.name == name)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


@pytest.mark.parametrize("victim", Victim, ids=lambda one: one.value)
@pytest.mark.parametrize("name", ["timers", "births joined"])
def test_a_kill_in_the_middle_of_detection_harms_nobody(
    victim: Victim, name: str, directory: Path, record_property: Callable[[str, object], None]
) -> None:
    outcome = kill_around(_case(name), victim, directory, KILLS[victim], SEED)
    assert outcome.problems == []
    if outcome.recoveries:
        record_property("longest until work went on", f"{max(outcome.recoveries) * 1000:.0f} ms")
