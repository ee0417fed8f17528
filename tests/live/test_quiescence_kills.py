"""Kills in the middle of detection: the server runs on by itself, and its own end is told in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.pushed_servers import SERVERS, Pushed
from tests.support.zoo_cases import CASES
from tests.support.zoo_kills import KillOutcome, Victim, at_work, kill_around

SEED = 1
PLANS = ((Victim.DEBUGGER, "timers", 8), (Victim.CONTROLLER, "births joined", 2), (Victim.SERVER, "signals", 2))
SERVER_PLANS = ((Victim.DEBUGGER, "memcached", 4), (Victim.CONTROLLER, "tinyproxy", 2), (Victim.SERVER, "redis", 1))

Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


@pytest.mark.parametrize(("victim", "name", "kills"), PLANS, ids=[victim.value for victim, _, _ in PLANS])
def test_a_kill_in_the_middle_of_detection_harms_nobody(
    victim: Victim, name: str, kills: int, directory: Path, record_property: Record
) -> None:
    case = next(one for one in CASES if one.name == name)
    _check(kill_around(name, partial(at_work, case, directory), victim, kills, SEED), record_property)


@pytest.mark.parametrize(("victim", "name", "kills"), SERVER_PLANS, ids=[name for _, name, _ in SERVER_PLANS])
def test_a_kill_harms_no_real_server_and_none_of_its_clients(
    victim: Victim, name: str, kills: int, directory: Path, record_property: Record
) -> None:
    server = next(one for one in SERVERS if one.name == name)
    _check(kill_around(name, partial(Pushed, server, directory), victim, kills, SEED), record_property)


def _check(outcome: KillOutcome, record_property: Record) -> None:
    assert outcome.problems == []
    if outcome.recoveries:
        record_property("longest until work went on", f"{max(outcome.recoveries) * 1000:.0f} ms")
