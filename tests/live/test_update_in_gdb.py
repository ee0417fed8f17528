"""Updates out of the user's own GDB: by a script, by hand step by step, and the same steps in `mcr shell`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gdb_mcr.plugin.location import gdbinit_file
from gdb_mcr.proc.status import is_alive, status
from tests.support.gdb_script import GdbRun, run_gdb
from tests.support.gdb_session import GdbSession
from tests.support.mcr_server import ROOT, mcr
from tests.support.memcached import (
    FilledItems,
    ItemPlan,
    MemcachedClient,
    fill,
    free_port,
    server_arguments,
    verify,
    wait_until_served,
)
from tests.support.served import Served, served_memcached
from tests.support.server_view import listener_owner, listener_owners
from tests.support.servers import nearest_server

pytestmark = pytest.mark.live

ANNOTATIONS = ROOT / "scripts" / "annotations" / "memcached-1.6.18-1.6.38.mcr"
ITEMS = ItemPlan(60, largest=60, total=3_000, shortest_ttl=600)
"""Few sizes, so few of memcached's slabs: plain MI moves about a megabyte a second."""


@dataclass
class Scene:
    """A memcached with items, and a client that stays connected."""

    served: Served
    filled: FilledItems
    client: MemcachedClient
    old: int

    @property
    def owner(self) -> int:
        """The process that serves now."""
        return listener_owner(self.served.port)

    @property
    def new(self) -> str:
        """The next release and what it takes, as the verbs have it."""
        return f"{nearest_server('memcached', '1.6.38-1').binary} --annotations {ANNOTATIONS}"

    def check_taken_over(self) -> None:
        """Another process serves in the place of the old one, which has ended."""
        assert self.owner != self.old
        assert self.served.server.first_exit_status is not None
        assert self.client.version().startswith("1.6.38")
        self.check_content()

    def check_untouched(self, new: int) -> None:
        """The old process serves, nobody traces it, and the successor that was begun is gone."""
        assert self.owner == self.old
        assert status(self.old).tracer == 0
        assert not is_alive(new)
        assert self.client.version().startswith("1.6.18")
        self.check_content()

    def check_content(self) -> None:
        """What was stored is there, for new connections and the old one."""
        assert verify(self.served.port, self.filled, limit=3) == []
        kept = self.client.get(b"kept")
        assert kept is not None
        assert kept.data == b"before"
        self.client.set(b"kept", b"before")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """1.6.18, recorded and in use."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with served_memcached() as served, MemcachedClient(served.port) as client:
        filled = fill(served.port, plan=ITEMS)
        client.set(b"kept", b"before")
        old = served.server.pid
        try:
            yield Scene(served, filled, client, old)
        finally:
            if listener_owner(served.port) != old:
                served.server.note_new([listener_owner(served.port)])


def script(directory: Path, *lines: str) -> GdbRun:
    """`gdb -batch -x` of these lines, with the plugin."""
    (directory / "script.gdb").write_text("\n".join([f"source {gdbinit_file()}", *lines, ""]))
    done = run_gdb(["-x", "script.gdb"], directory)
    assert "Traceback" not in done.errors
    return done


def new_pid(file: Path) -> int:
    """The successor that a verb's JSON names."""
    (pid,) = json.loads(file.read_text())["new_pids"]
    assert isinstance(pid, int)
    return pid


def test_update_by_script_commits_and_says_so(scene: Scene, tmp_path: Path) -> None:
    done = script(tmp_path, f"mcr-update {scene.old} {scene.new} --json result.json", "output $_mcr_status")
    assert done.status == 0, done.out + done.errors
    assert done.out.splitlines()[0] == f"committed: {scene.owner} took over from {scene.old}"
    assert done.out.endswith("\n0")
    assert done.errors == ""
    assert new_pid(tmp_path / "result.json") == scene.owner
    scene.check_taken_over()


def test_user_s_gdb_lends_the_server_and_has_its_successor_afterwards(scene: Scene, tmp_path: Path) -> None:
    with GdbSession(["-p", str(scene.old), "-x", str(gdbinit_file())], tmp_path) as gdb:
        gdb.run("break process_get_command")
        gdb.run("break item_link")
        gdb.verb(f"mcr-start {scene.new}")
        assert scene.client.version().startswith("1.6.18"), "the old one serves on while its successor is held"
        assert "quiescent point" in gdb.verb("mcr-quiesce")
        assert "in the way" not in gdb.verb(f"mcr-status {scene.old}")
        assert "lru_maintainer_thread" in gdb.verb("mcr-threads")
        assert "planned, nothing written" in gdb.verb("mcr-transfer --dry-run")
        gdb.verb("mcr-transfer")
        assert "next: mcr-audit or mcr-rollback" in gdb.verb("mcr-transfer", status=2)
        assert "lru_maintainer_thread" in gdb.verb("mcr-threads")
        assert "clean" in gdb.verb("mcr-audit")
        said = gdb.verb("mcr-commit")
        assert f"took over from {scene.old}" in said
        assert "breakpoint 2 (item_link) is disabled: the new program has no such place" in said
        assert gdb.pid() == scene.owner
        scene.client.send(b"get kept\r\n")
        assert "Breakpoint 1, process_get_command" in gdb.run("continue")
        gdb.run("delete")
    value = scene.client.read_value(b"kept")
    assert value.data == b"before"
    scene.client.expect_line(b"END")
    scene.check_taken_over()


def test_quiesced_first_released_and_rolled_back_on_the_way(scene: Scene, tmp_path: Path) -> None:
    with GdbSession(["-p", str(scene.old), "-x", str(gdbinit_file())], tmp_path) as gdb:
        gdb.verb("mcr-quiesce")
        gdb.verb(f"mcr-start {scene.new} --json first.json")
        assert "ready" in gdb.verb(f"mcr-status {scene.old}")
        assert f"{scene.old} serves on" in gdb.verb("mcr-release")
        scene.client.set(b"kept", b"before")
        gdb.verb("mcr-quiesce")
        gdb.verb("mcr-transfer")
        assert f"rolled back: {scene.old} serves on" in gdb.verb("mcr-rollback")
        assert gdb.pid() == scene.old
        gdb.run("detach")
        scene.check_untouched(new_pid(tmp_path / "first.json"))
        for line in (
            f"mcr-quiesce {scene.old}",
            f"mcr-start {scene.new}",
            "mcr-transfer",
            "mcr-audit",
            "mcr-commit",
        ):
            gdb.verb(line)
        assert gdb.pid() == 0
    scene.check_taken_over()


def test_failing_step_ends_the_script_and_the_end_of_gdb_the_update(scene: Scene, tmp_path: Path) -> None:
    start = f"mcr-start {scene.old} {scene.new} --json start.json"
    done = script(tmp_path, start, "mcr-quiesce", "mcr-commit", "echo went on\\n")
    assert done.status == 1
    assert "mcr-commit needs an update that is audited; this one is ready" in done.errors
    assert "went on" not in done.out
    scene.check_untouched(new_pid(tmp_path / "start.json"))


def test_quitting_gdb_after_the_transfer_rolls_back(scene: Scene, tmp_path: Path) -> None:
    with GdbSession(["-p", str(scene.old), "-x", str(gdbinit_file())], tmp_path) as gdb:
        gdb.verb(f"mcr-start {scene.new} --json start.json")
        gdb.verb("mcr-quiesce")
        gdb.verb("mcr-transfer")
    scene.check_untouched(new_pid(tmp_path / "start.json"))


def test_update_by_plain_mi_commands_has_the_same_result(scene: Scene) -> None:
    run = scene.served.server.update(
        nearest_server("memcached", "1.6.38-1").binary, "--annotations", str(ANNOTATIONS), "--memory", "mi"
    )
    assert run.status == 0, run.told()
    scene.check_taken_over()


def test_steps_as_a_script_of_the_shell(scene: Scene) -> None:
    steps = [
        f"start {scene.old} {scene.new}",
        f"status {scene.old}",
        "quiesce",
        "transfer --dry-run",
        "transfer",
        "audit",
        "commit",
    ]
    done = subprocess.run(
        mcr("shell"), cwd=ROOT, input="\n".join(steps), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"committed: {scene.owner} took over from {scene.old}" in done.stdout
    scene.check_taken_over()


def test_server_started_and_updated_in_gdb_outlives_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    binary, port = nearest_server("memcached", "1.6.18-1+deb12u1").binary, free_port()
    with GdbSession(["-x", str(gdbinit_file())], tmp_path) as gdb:
        gdb.verb(f"mcr-run --json run.json -- {binary} {' '.join(server_arguments(port, megabytes=64))}")
        pids = [json.loads((tmp_path / "run.json").read_text())["pid"]]
        try:
            wait_until_served(port)
            gdb.verb(f"mcr-update {pids[0]} {binary} --json update.json")
            pids.append(new_pid(tmp_path / "update.json"))
            gdb.quit()
            assert listener_owner(port) == pids[1]
            with MemcachedClient(port) as client:
                client.set(b"a", b"b")
        finally:
            for pid in listener_owners(port):
                os.kill(pid, signal.SIGKILL)
