"""Fault points, and what the phases know of a failure."""

from __future__ import annotations

import pytest

from gdb_mcr.errors import UpdateFailed, UsageError
from gdb_mcr.model.steps import Phase
from gdb_mcr.update.api import NoProgress
from gdb_mcr.update.faults import VARIABLE, Fault, FaultAction, FaultPoints, InjectedFault, When, planned_fault
from gdb_mcr.update.phases import PhaseLog


def log_with(fault: Fault | None, timeout_s: float = 60.0) -> PhaseLog:
    return PhaseLog(FaultPoints(fault, lambda _: None), timeout_s)


def test_the_environment_names_a_fault() -> None:
    assert planned_fault({}) is None
    planned = planned_fault({VARIABLE: "AUDIT:after:kill-old-gdb"})
    assert planned == Fault(Phase.AUDIT, When.AFTER, FaultAction.KILL_OLD_GDB)


@pytest.mark.parametrize("text", ["AUDIT", "AUDIT:after", "AUDIT:later:raise", "AUDIT:after:explode", "a:b:c:d"])
def test_what_is_no_fault_point_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a fault point"):
        planned_fault({VARIABLE: text})


@pytest.mark.parametrize("when", When)
def test_a_fault_breaks_its_own_phase_only(when: When) -> None:
    log = log_with(Fault(Phase.REINIT, when, FaultAction.RAISE))
    ran = []
    with log.run(Phase.REHEARSE, NoProgress()):
        ran.append(Phase.REHEARSE)
    assert log.current is None
    with pytest.raises(InjectedFault, match=f"{when.value} REINIT"), log.run(Phase.REINIT, NoProgress()):
        ran.append(Phase.REINIT)
    assert ran == [Phase.REHEARSE] if when is When.BEFORE else [Phase.REHEARSE, Phase.REINIT]
    assert log.current is Phase.REINIT
    assert [one.name for one in log.results] == [Phase.REHEARSE]


def test_a_gdb_that_is_not_there_is_not_killed() -> None:
    log = log_with(Fault(Phase.ATTACH, When.BEFORE, FaultAction.KILL_OLD_GDB))
    with log.run(Phase.ATTACH, NoProgress()) as counts:
        counts["libraries"] = 1
    assert log.totals() == {"libraries": 1}


def test_no_phase_begins_when_the_time_is_over_but_the_commit_does() -> None:
    log = log_with(None, timeout_s=0.0)
    with pytest.raises(UpdateFailed, match="ATTACH"), log.run(Phase.ATTACH, NoProgress()):
        pass
    with log.run(Phase.COMMIT, NoProgress()):
        pass
