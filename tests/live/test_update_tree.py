"""A server of several processes is updated as one: nginx, a master and two workers, becomes another one of its build.

Its security patches add a module, and with it a configuration in a pool: that is refused before anything is touched.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from gdb_mcr.proc.status import is_alive
from tests.support.mcr_server import UpdateRun, run_mcr
from tests.support.nginx import PAGE, NginxServer, ask, ids_in_table, local_ports
from tests.support.servers import server_binary

pytestmark = [pytest.mark.live, pytest.mark.slow]

VERSION = "1.22.1-9+deb12u9"
CONNECTIONS = 20
PATIENCE_S = 10.0


@dataclass(frozen=True)
class Updated:
    """A tree after its update."""

    nginx: NginxServer
    run: UpdateRun
    old_pids: list[int]
    connections: list[HTTPConnection]
    ports: list[int]
    accepted: int
    new: Path


@pytest.fixture(scope="module")
def updated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Updated]:
    """nginx with two workers has become another one; connections were idle meanwhile."""
    new = server_binary("nginx", VERSION)
    with NginxServer(new, tmp_path_factory.mktemp("tree"), workers=2) as nginx:
        pids = [nginx.pid, *nginx.worker_pids]
        connections = nginx.connect(CONNECTIONS)
        ports, accepted = local_ports(connections), nginx.accepted()
        run = nginx.update(new)
        assert run.status == 0, run.told()
        yield Updated(nginx, run, pids, connections, ports, accepted, new)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[NginxServer]:
    """nginx with two workers."""
    with NginxServer(server_binary("nginx", VERSION), tmp_path, workers=2) as nginx:
        yield nginx


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NginxServer]:
    """nginx with two workers, which all broken updates leave as it is."""
    with NginxServer(server_binary("nginx", VERSION), tmp_path_factory.mktemp("survivor"), workers=2) as nginx:
        yield nginx


def test_update_when_connections_are_idle_then_workers_of_the_new_build_answer_on_them(updated: Updated) -> None:
    assert [ask(one) for one in updated.connections] == [PAGE] * CONNECTIONS
    assert local_ports(updated.connections) == updated.ports, "no connection was opened anew"


def test_update_when_over_then_all_processes_are_new_and_related_as_before(updated: Updated) -> None:
    nginx, new_pids = updated.nginx, updated.run.new_pids
    assert sorted(new_pids) == sorted([nginx.pid, *nginx.worker_pids])
    assert len(new_pids) == len(updated.old_pids)
    assert updated.run.result["old_pids"] == updated.old_pids
    assert all(Path(f"/proc/{pid}/exe").samefile(updated.new) for pid in new_pids)
    _wait(lambda: not any(map(is_alive, updated.old_pids)))
    assert nginx.pid_file == nginx.pid


def test_update_when_a_process_remembers_the_ids_of_others_then_they_are_those_of_the_new_tree(
    updated: Updated,
) -> None:
    known = {pid: ids_in_table(pid, updated.new) for pid in updated.run.new_pids}
    assert all(one <= set(updated.run.new_pids) for one in known.values()), known
    assert known[updated.nginx.pid] == set(updated.nginx.worker_pids)


def test_status_when_a_server_is_a_tree_then_it_lists_its_processes_below_the_first(updated: Updated) -> None:
    nginx = updated.nginx
    done = run_mcr("status", str(nginx.pid), "--json", "-")
    (server,) = json.loads(done.stdout)["servers"]
    assert sorted(one["pid"] for one in server["children"]) == nginx.worker_pids
    assert {(one["parent"], one["is_followed"], one["title"]) for one in server["children"]} == {
        (nginx.pid, True, "nginx: worker process")
    }


def test_update_when_memory_is_shared_then_its_contents_go_over_once(updated: Updated) -> None:
    assert updated.nginx.accepted() == updated.accepted + 1


def test_update_when_over_then_a_worker_that_dies_is_replaced_and_logs_are_opened_anew(updated: Updated) -> None:
    nginx = updated.nginx
    victim = nginx.worker_pids[0]
    os.kill(victim, signal.SIGKILL)
    _wait(lambda: victim not in nginx.worker_pids and len(nginx.worker_pids) == 2)
    (nginx.directory / "error.log").rename(nginx.directory / "error.log.1")
    os.kill(nginx.pid, signal.SIGUSR1)
    _wait((nginx.directory / "error.log").exists)
    assert ask(nginx.connect(1)[0]) == PAGE
    refused = nginx.update(updated.new)
    assert refused.finding_ids == {"R9:children"}, "its start-up did not fork the worker that took the dead one's place"


def test_update_when_only_tried_then_the_old_tree_serves_on(tree: NginxServer) -> None:
    pids, connections = [tree.pid, *tree.worker_pids], tree.connect(5)
    ports = local_ports(connections)
    run = tree.update(server_binary("nginx", VERSION), "--dry-run")
    assert run.status == 0, run.told()
    assert run.result["verdict"] == "would-commit"
    assert [tree.pid, *tree.worker_pids] == pids
    assert [ask(one) for one in connections] == [PAGE] * 5
    assert local_ports(connections) == ports


@pytest.mark.parametrize(
    "fault", ["TRANSFER:after:kill-controller", "AUDIT:after:kill-old-gdb", "COMMIT:before:kill-controller"]
)
def test_update_when_it_breaks_then_the_old_tree_serves_on_and_nothing_is_left_of_the_new_one(
    survivor: NginxServer, fault: str
) -> None:
    pids, connections = {survivor.pid, *survivor.worker_pids}, survivor.connect(5)
    ports = local_ports(connections)
    run = survivor.update(server_binary("nginx", VERSION), fault=fault)
    assert run.status != 0, run.told()
    assert [ask(one) for one in connections] == [PAGE] * 5
    assert local_ports(connections) == ports
    _wait(lambda: survivor.processes() == pids)


def test_update_when_the_new_build_puts_other_objects_into_a_pool_then_it_is_refused(tmp_path: Path) -> None:
    old, new = server_binary("nginx", VERSION, "nocve"), server_binary("nginx", VERSION)
    with NginxServer(old, tmp_path, workers=2) as nginx:
        connections = nginx.connect(5)
        ports = local_ports(connections)
        run = nginx.update(new)
        assert run.result["verdict"] == "refused", run.told()
        assert any(one.startswith("R1:pool") for one in run.finding_ids)
        assert [ask(one) for one in connections] == [PAGE] * 5
        assert local_ports(connections) == ports


@pytest.mark.parametrize(("workers", "finding"), [(1, "R8:processes missing"), (3, "R8:processes more")])
def test_update_when_the_new_tree_has_other_processes_then_it_is_refused(
    tree: NginxServer, workers: int, finding: str
) -> None:
    pids = [tree.pid, *tree.worker_pids]
    file = tree.directory / "nginx.conf"
    file.write_text(file.read_text().replace("worker_processes 2", f"worker_processes {workers}"))
    run = tree.update(server_binary("nginx", VERSION))
    assert run.result["verdict"] == "refused", run.told()
    assert finding in run.finding_ids
    assert [tree.pid, *tree.worker_pids] == pids
    assert ask(tree.connect(1)[0]) == PAGE


def _wait(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
