"""Each thread of O has its counterpart in N at the equivalent point, or the update is refused and says so."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.mcr_server import McrServer, UpdateRun
from tests.support.memcached import free_port
from tests.support.table_server import TableClient

SOURCE = Path(__file__).resolve().parents[1] / "targets" / "counterparts.c"
FLAGS = ("-std=gnu11", "-O2", "-g", "-pthread", "-Wall", "-Wextra", "-Werror")


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("counterparts")


def build(directory: Path, *options: str) -> Path:
    binary = directory / "_".join(["counterparts", *(one.strip("-") for one in options)])
    if not binary.exists():
        subprocess.run(["gcc", *FLAGS, *options, "-o", str(binary), str(SOURCE)], check=True, timeout=60)
    return binary


@contextmanager
def running(binary: Path) -> Iterator[tuple[McrServer, TableClient]]:
    port = free_port()
    with McrServer([str(binary), str(port)]) as server, TableClient(port) as client:
        assert client.ask("names") == ["worker", "mother"]
        assert client.ask("job") == ["1"]
        yield server, client


def told(run: UpdateRun) -> str:
    return " ".join(run.output.split())


def test_update_when_another_function_makes_the_worker_then_it_is_the_counterpart_all_the_same(builds: Path) -> None:
    with running(build(builds)) as (server, client):
        run = server.update(build(builds, "-DRENAMED"))
        assert run.status == 0, run.told()
        assert client.ask("job") == ["2"]


def test_update_when_a_thread_was_made_later_then_refused_until_it_has_ended(builds: Path) -> None:
    with running(build(builds)) as (server, client):
        assert client.ask("late") == ["1"]
        run = server.update(build(builds))
        assert run.status == 1, run.told()
        assert run.finding_ids == {"R8:thread late_thread"}
        assert "the new build's start-up has no such thread" in told(run)
        assert client.ask("job") == ["2"]
        assert client.ask("end") == ["0"]
        run = server.update(build(builds))
        assert run.status == 0, run.told()
        assert client.ask("job") == ["3"]


def test_update_when_a_thread_has_work_in_progress_then_refused_until_it_is_done(builds: Path) -> None:
    with running(build(builds)) as (server, client):
        assert client.ask("open") == ["1"]
        run = server.update(build(builds))
        assert run.status == 1, run.told()
        assert run.finding_ids == {"R14:thread worker"}
        assert "waits in pthread_cond_wait in do_job < worker, but its counterpart in the new build" in told(run)
        assert client.ask("close") == ["2"]
        run = server.update(build(builds))
        assert run.status == 0, run.told()
        assert client.ask("job") == ["3"]


def test_update_when_the_new_thread_does_not_come_to_its_loop_then_refused(builds: Path) -> None:
    with running(build(builds)) as (server, client):
        run = server.update(build(builds, "-DELSEWHERE"))
        assert run.status == 1, run.told()
        assert run.finding_ids == {"R14:thread worker"}
        assert "await_licence < worker" in told(run)
        assert client.ask("job") == ["2"]


def test_update_when_brief_threads_come_and_go_then_a_moment_without_them_is_found(builds: Path) -> None:
    with running(build(builds)) as (server, client):
        client.ask("brood")
        run = server.update(build(builds))
        assert run.status == 0, run.told()
        before = int(client.ask("brood")[0])
        assert client.ask("job") == ["2"]
        while int(client.ask("brood")[0]) <= before:  # or the client's time is over
            pass


def test_update_when_the_user_says_yes_then_the_work_in_progress_is_given_up(builds: Path) -> None:
    with running(build(builds)) as (server, client):
        client.ask("open")
        run = server.update(build(builds), "--yes-to", "R14:thread worker")
        assert run.status == 0, run.told()
        assert client.ask("names") == ["worker", "mother"]


def test_update_when_a_client_came_before_the_startup_was_over_then_its_connection_is_kept(builds: Path) -> None:
    with running(build(builds, "-DEARLY")) as (server, client):
        run = server.update(build(builds, "-DEARLY"))
        assert run.status == 0, run.told()
        assert client.ask("job") == ["2"]
