"""Threads in the middle of work are got out of their calls where the profile says how: by libmcr in O, by us in N."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gdb_mcr.dwarf.identity import identify
from gdb_mcr.model.profile import EventOrigin, ProcessClass, Profile, ProfiledStop, Stability, ThreadClass, Unblocking
from gdb_mcr.model.results import Build
from gdb_mcr.model.stop_point import StopPointKind, ThreadRole
from gdb_mcr.update.api import NoProgress, UpdateOptions
from gdb_mcr.update.profiles import profile_path, write_profile
from tests.support.zoo import Zoo, build_zoo
from tests.support.zoo_cases import opened

USR1 = Unblocking(signal.SIGUSR1)
EVENT = Unblocking(0)
TIMES = 5


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def _stop(call: str, *stack: str, way: Unblocking | None = None) -> ProfiledStop:
    kind = StopPointKind.QUIESCENT if way is None else StopPointKind.BLOCKING
    return ProfiledStop(call, stack, kind, EventOrigin.EXTERNAL, 1, 1.0, 1.0, way)


def _class(start: str, creation_id: int, *stops: ProfiledStop) -> ThreadClass:
    return ThreadClass(start, (), creation_id, 1, ThreadRole.INITIATOR, Stability.STABLE, True, None, stops)


def _write_profile(binary: Path, call: str, way: Unblocking | None) -> None:
    gate = _stop("pthread_cond_wait", "zoo_wait_for_gate", "zoo_run")
    stuck = _stop(call, "get_stuck", "work", "zoo_run", way=way)
    if way is None:
        stuck = replace(stuck, kind=StopPointKind.BLOCKING)
    sleeps = [_stop("nanosleep", "zoo_sleep", name, "zoo_run") for name in ("work", "tick")]
    threads = (_class("main", 0, _stop("recv", "zoo_serve", "main")), _class("zoo_run", 1, gate, stuck, *sleeps))
    build = Build(str(binary), identify(binary).build_id)
    profile = Profile(build, (), "", 1.0, 1, 1, (ProcessClass((), 1, Stability.STABLE, threads),))
    write_profile(profile, profile_path(build.build_id))


MODES = [("signal", "write", USR1), *((mode, "syscall", EVENT) for mode in ("eventfd", "pipe", "socket"))]


@pytest.mark.parametrize(("mode", "call", "way"), MODES, ids=[mode for mode, _, _ in MODES])
def test_a_stuck_thread_is_got_out_and_comes_to_rest(mode: str, call: str, way: Unblocking, directory: Path) -> None:
    binary = build_zoo("stuck", directory)
    _write_profile(binary, call, way)
    with Zoo(binary, mode) as animal, opened(animal) as session:
        animal.open_gate()
        animal.await_work(0)
        for _ in range(TIMES):
            before = animal.number("given_up")
            found = session.quiesce(5.0, NoProgress())
            assert found.converged, found.obstacles
            assert animal.number("zoo_busy") == 0
            assert animal.number("given_up") > before
            session.release()
            _await_stuck(animal)
        assert [*animal.complaints()] == []


def _await_stuck(animal: Zoo) -> None:
    deadline = time.monotonic() + 5.0
    while animal.number("zoo_busy") == 0 and time.monotonic() < deadline:
        time.sleep(0.001)


@pytest.mark.parametrize("way", [None, Unblocking(signal.SIGUSR2)], ids=["nothing said", "a signal without a handler"])
def test_a_stuck_thread_stays_where_it_is_if_nothing_helps(way: Unblocking | None, directory: Path) -> None:
    binary = build_zoo("stuck", directory)
    _write_profile(binary, "write", way)
    with Zoo(binary, "signal") as animal, opened(animal) as session:
        animal.open_gate()
        animal.await_work(0)
        found = session.quiesce(0.5, NoProgress())
        assert not found.converged
        assert any("blocked in write" in one for one in found.obstacles), found.obstacles
        assert animal.number("given_up") == 0
        assert [*animal.complaints()] == []


def test_a_stuck_thread_of_the_new_process_is_got_out_as_well(directory: Path) -> None:
    binary = build_zoo("stuck", directory, "-DOPEN")
    _write_profile(binary, "write", USR1)
    with Zoo(binary, "signal") as animal, opened(animal) as session:
        started = session.start(binary, UpdateOptions(), NoProgress())
        assert not started.blocking
        found = session.quiesce(5.0, NoProgress())
        assert found.converged, found.obstacles
        planned = session.transfer(dry_run=True, progress=NoProgress())
        assert not [one for one in planned.findings if one.kind in ("R8", "R14")]
