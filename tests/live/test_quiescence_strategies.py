"""The seed's strategies side by side, and what a profile adds to the barrier."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gdb_mcr.dwarf.identity import identify
from gdb_mcr.errors import UsageError
from gdb_mcr.model.profile import EventOrigin, ProcessClass, Profile, ProfiledStop, Stability, ThreadClass
from gdb_mcr.model.results import Build
from gdb_mcr.model.stop_point import StopPointKind, ThreadRole
from gdb_mcr.model.strategy import Strategy
from gdb_mcr.update.api import NoProgress
from gdb_mcr.update.profiles import profile_path, write_profile
from tests.support.zoo import Zoo, build_zoo
from tests.support.zoo_cases import opened
from tests.support.zoo_strategies import side_by_side

PROGRESS = NoProgress()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


@pytest.fixture
def shifts(directory: Path) -> Iterator[Zoo]:
    with Zoo(build_zoo("shifts", directory)) as animal:
        animal.open_gate()
        animal.await_work(0)
        yield animal


def test_barrier_converges_where_free_riding_does_not_and_refuses_what_the_function_check_admits(
    directory: Path,
) -> None:
    rows = {(one.program, one.strategy): one for one in side_by_side(directory, 8)}
    ridden, caught = rows["shifts", Strategy.FREE_RIDING], rows["shifts", Strategy.BARRIER]
    assert ridden.rested < caught.rested == 8
    unlucky, whole = rows["bank", Strategy.FUNCTION], rows["bank", Strategy.BARRIER]
    assert unlucky.broken > 0, "money was never on its way, of eight times"
    assert whole.rested == unlucky.rested == 8
    assert caught.broken == whole.broken == 0


def test_free_riding_says_who_is_in_the_way(shifts: Zoo) -> None:
    with opened(shifts) as session:
        ridden = session.quiesce(0.5, PROGRESS, Strategy.FREE_RIDING)
        assert not ridden.converged
        assert any("day" in one or "night" in one for one in ridden.obstacles)


def test_free_riding_comes_to_rest_where_there_is_a_moment_of_it(directory: Path) -> None:
    with Zoo(build_zoo("ping_pong", directory), "timed") as animal, opened(animal) as session:
        found = session.quiesce(2.0, PROGRESS, Strategy.FREE_RIDING)  # the gate is closed: all wait
        assert found.converged
        session.release()


def test_the_function_check_needs_to_know_what_changes(shifts: Zoo) -> None:
    with opened(shifts) as session, pytest.raises(UsageError):
        session.quiesce(0.5, PROGRESS, Strategy.FUNCTION)


def _stop(call: str, *stack: str, kind: StopPointKind = StopPointKind.QUIESCENT) -> ProfiledStop:
    return ProfiledStop(call, stack, kind, EventOrigin.EXTERNAL, 1, 1.0, 1.0)


def _class(start: str, creation_id: int, *stops: ProfiledStop) -> ThreadClass:
    return ThreadClass(start, (), creation_id, 1, ThreadRole.INITIATOR, Stability.STABLE, True, None, stops)


# Whatever program the binary is.
def _nested_profile(binary: Path) -> Profile:
    threads = (
        _class("main", 0, _stop("recv", "zoo_serve", "main")),
        _class(
            "zoo_run",
            1,
            _stop("poll", "wait_for", "loop", "zoo_run"),
            _stop("poll", "wait_for", "handle", "loop", "zoo_run", kind=StopPointKind.BLOCKING),
            _stop("nanosleep", "zoo_sleep", "ask", "zoo_run"),
        ),
    )
    build = Build(str(binary), identify(binary).build_id)
    return Profile(build, (str(binary),), "", 1.0, 1, 1, (ProcessClass((), 1, Stability.STABLE, threads),))


def test_a_profile_tells_the_inner_event_loop_from_the_outer_one(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    binary = build_zoo("nested", directory)
    write_profile(_nested_profile(binary), profile_path(identify(binary).build_id))
    with Zoo(binary) as animal, opened(animal) as session:
        animal.open_gate()
        animal.await_work(0)
        for _ in range(10):
            found = session.quiesce(5.0, PROGRESS)
            assert found.converged, found.obstacles
            assert found.notes == ()
            assert animal.number("zoo_busy") == 0
            session.release()


def test_a_place_that_the_profile_does_not_list_keeps_the_update_waiting(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    binary = build_zoo("timers", directory)
    write_profile(_nested_profile(binary), profile_path(identify(binary).build_id))
    with Zoo(binary) as animal, opened(animal) as session:
        found = session.quiesce(0.3, PROGRESS)
        assert not found.converged
        assert any("which the profile does not list" in one for one in found.obstacles)
        assert animal.report().eintr == 0
