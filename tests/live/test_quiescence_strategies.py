"""The seed's strategies side by side, and what a profile adds to the barrier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gdb_mcr.dwarf.identity import identify
from gdb_mcr.errors import UsageError
from gdb_mcr.model.stop_point import StopPointKind
from gdb_mcr.model.strategy import Strategy
from gdb_mcr.proc.status import is_alive
from gdb_mcr.update.api import NoProgress, UpdateOptions
from gdb_mcr.update.profiles import profile_path, write_profile
from tests.support.profiles import profile_of, stop, thread_class
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


MAIN = thread_class("main", 0, stop("recv", "zoo_serve", "main"))
RUN = thread_class(
    "zoo_run",
    1,
    stop("poll", "wait_for", "loop", "zoo_run"),
    stop("poll", "wait_for", "handle", "loop", "zoo_run", kind=StopPointKind.BLOCKING),
    stop("nanosleep", "zoo_sleep", "ask", "zoo_run"),
)
"""Of `nested`, whatever program it is said to be of."""


def test_a_profile_tells_the_inner_event_loop_from_the_outer_one(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    binary = build_zoo("nested", directory)
    write_profile(profile_of(binary, MAIN, RUN), profile_path(identify(binary).build_id))
    with Zoo(binary) as animal, opened(animal) as session:
        animal.open_gate()
        animal.await_work(0)
        for _ in range(10):
            found = session.quiesce(5.0, PROGRESS)
            assert found.converged, found.obstacles
            assert found.notes == ()
            assert animal.number("zoo_busy") == 0
            session.release()


def test_a_profile_that_the_user_names_is_used_instead_of_the_one_of_the_build(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    binary, named = build_zoo("nested", directory), tmp_path / "named.toml"
    write_profile(profile_of(binary, MAIN, RUN), profile_path(identify(binary).build_id))
    write_profile(profile_of(binary, MAIN, replace(RUN, stops=())), named)
    with Zoo(binary) as animal, opened(animal) as session:
        animal.open_gate()
        animal.await_work(0)
        for given, converges in ((None, True), (named, False), (None, True)):
            found = session.quiesce(10.0 if converges else 0.5, PROGRESS, profile=given)
            assert found.converged is converges, found.obstacles
            if converges:
                session.release()


def test_a_profile_that_cannot_be_read_ends_nothing(directory: Path, tmp_path: Path) -> None:
    with Zoo(build_zoo("nested", directory)) as animal, opened(animal) as session:
        session.start(build_zoo("nested", directory), UpdateOptions(), PROGRESS)
        with pytest.raises(UsageError, match="cannot be read"):
            session.quiesce(0.5, PROGRESS, profile=tmp_path / "none.toml")
        assert session.new_pids
        assert all(is_alive(pid) for pid in session.new_pids)


def test_a_place_that_the_profile_does_not_list_keeps_the_update_waiting(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    binary = build_zoo("timers", directory)
    write_profile(profile_of(binary, MAIN, RUN), profile_path(identify(binary).build_id))
    with Zoo(binary) as animal, opened(animal) as session:
        found = session.quiesce(0.3, PROGRESS)
        assert not found.converged
        assert any("which the profile does not list" in one for one in found.obstacles)
        assert animal.report().eintr == 0
