"""Whatever breaks during an update: up to COMMIT the old server serves on as if nothing had been, after it the new one.

Here every fault point is tripped once by an error and a drawn half of the kills; `scripts/campaign-rollback` does them
all, and kills at random moments.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdb_mcr.model.steps import Phase
from gdb_mcr.update.faults import Fault, FaultAction
from tests.support.disturb import (
    first_new_killed,
    interrupted_in_pause,
    new_killed_in_pause,
    nothing,
    old_killed_in_pause,
)
from tests.support.rollback import ALL_FAULTS, FaultBench, fault_name, is_after_commit
from tests.support.servers import nearest_server

_SEED = 20


def drawn_faults(seed: int) -> list[Fault]:
    """All errors, one kill for each phase such that each kind of kill occurs, and all that comes after the commit."""
    dice = random.Random(seed)
    kills = [one for one in FaultAction if one is not FaultAction.RAISE]
    chosen = [one for one in ALL_FAULTS if one.action is FaultAction.RAISE or is_after_commit(one)]
    for number, phase in enumerate(Phase):
        wanted = kills[number % len(kills)]
        here = [one for one in ALL_FAULTS if (one.phase, one.action) == (phase, wanted) and one not in chosen]
        chosen.append(dice.choice(here))
    return sorted(chosen, key=is_after_commit)


@pytest.fixture(scope="module")
def binary() -> Path:
    return nearest_server("memcached", "1.6.18-1+deb12u1").binary


# One server for all of them, since it must survive them all; the last ones hand it on from process to process.
@pytest.fixture(scope="module")
def bench(binary: Path) -> Iterator[FaultBench]:
    with FaultBench(binary) as started:
        yield started


@pytest.mark.parametrize("fault", drawn_faults(_SEED), ids=fault_name)
def test_a_fault_leaves_one_server_that_serves(bench: FaultBench, fault: Fault) -> None:
    report = bench.run(fault)
    assert not report.problems, report.told()


@pytest.mark.parametrize("times", [1, 4])
def test_an_interrupt_in_the_pause_rolls_back(bench: FaultBench, times: int) -> None:
    report = bench.run_with("interrupt", interrupted_in_pause(bench.pid, times))
    assert not report.problems, report.told()
    assert report.outcome.status == 3, report.told()
    assert report.outcome.result["failure"] == "interrupted"


def test_a_new_server_that_is_killed_in_the_pause_is_told(bench: FaultBench) -> None:
    report = bench.run_with("new killed", new_killed_in_pause(bench.pid))
    assert not report.problems, report.told()
    assert report.outcome.status == 3, report.told()
    assert "the new server (process" in report.outcome.result["failure"]


def test_a_rehearsal_that_is_killed_is_told(bench: FaultBench) -> None:
    report = bench.run_with("rehearsal killed", first_new_killed(bench.pid))
    assert not report.problems, report.told()
    assert report.outcome.status == 3, report.told()
    assert report.outcome.result["failure"].startswith("in REHEARSE: ")


def test_an_update_after_all_of_this_succeeds(bench: FaultBench) -> None:
    report = bench.run_with("plain", nothing, committed=True)
    assert not report.problems, report.told()


def test_an_old_server_that_is_killed_in_the_pause_is_told(binary: Path) -> None:
    with FaultBench(binary) as bench:
        old = bench.pid
        outcome, left = bench.lose_server(old_killed_in_pause(old))
    assert outcome.status == 3
    assert outcome.result["old_ended"]
    assert f"the old server (process {old}) has ended" in outcome.message
    assert not left
