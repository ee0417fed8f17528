"""The proof: memcached 1.6.18 becomes 1.6.38, twenty releases later, under load, and only its version tells."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gdb_mcr.units import Range
from tests.support.gap import GapReport, compare
from tests.support.mcr_server import ROOT, McrServer, UpdateRun
from tests.support.memcached import (
    ItemPlan,
    Load,
    UpdateScene,
    fill,
    free_port,
    prepare_checks,
    run_after_checks,
    server_arguments,
    verify,
    wait_until_served,
)
from tests.support.memcached_traffic import LoadResult
from tests.support.server_view import listener_owner, mapped_ranges, threads_in_range
from tests.support.servers import nearest_server

pytestmark = [pytest.mark.live, pytest.mark.slow]

OLD, NEW = "1.6.18-1+deb12u1", "1.6.38-1"
ITEMS = 200_000
ANNOTATIONS = ROOT / "scripts" / "annotations" / "memcached-1.6.18-1.6.38.mcr"

Property = Callable[[str, object], None]


@dataclass(frozen=True)
class Outcome:
    """What there is to look at when a live update under load is over."""

    run: UpdateRun
    port: int
    old_pid: int
    old_text: Range
    version: str
    load: LoadResult
    gap: GapReport
    scene_problems: list[str]
    wrong_items: int
    after_problems: list[str]
    listener: int
    kept_sockets: bool
    ghost_threads: dict[int, list[int]]
    first_exit: int | None


def _upstream(version: str) -> str:
    return version.partition("-")[0]


@pytest.fixture(scope="module")
def outcome() -> Iterator[Outcome]:
    """One update with all that the issue asks for going on at the same time."""
    old, new = nearest_server("memcached", OLD), nearest_server("memcached", NEW)
    port = free_port()
    with McrServer([str(old.binary), *server_arguments(port)]) as server:
        wait_until_served(port)
        old_pid, old_text = server.pid, mapped_ranges(server.pid, old.binary.name, "r-xp")[0]
        filled = fill(port, plan=ItemPlan(ITEMS, 1))
        state = prepare_checks(port)
        with UpdateScene(port) as scene, Load(port) as load:
            load.wait_for(5000, timeout=30)
            quiet_end = time.monotonic()
            run = server.update(new.binary, "--annotations", str(ANNOTATIONS))
            assert run.status == 0, run.told()
            load.wait_for(2000, timeout=30)
            result = load.stop()
            before = scene.inodes
            problems = scene.finish(run.new_pids)
            kept = list(scene.check_sockets(run.new_pids)) == [] and scene.inodes == before
            ghosts = threads_in_range(run.new_pids[0], old_text)
        yield Outcome(
            run=run,
            port=port,
            old_pid=old_pid,
            old_text=old_text,
            version=_upstream(new.version),
            load=result,
            gap=compare(result.waits, (result.started, quiet_end), (quiet_end, result.stopped)),
            scene_problems=problems,
            wrong_items=len(verify(port, filled)),
            listener=listener_owner(port),
            after_problems=run_after_checks(port, _upstream(new.version), state),
            kept_sockets=kept,
            ghost_threads=ghosts,
            first_exit=server.first_exit_status,
        )


def test_update_when_committed_then_every_item_is_right(outcome: Outcome) -> None:
    assert outcome.wrong_items == 0


def test_update_when_connections_are_in_the_middle_of_things_then_each_goes_on(outcome: Outcome) -> None:
    assert outcome.scene_problems == []
    assert outcome.kept_sockets


def test_update_when_under_load_then_no_request_fails(outcome: Outcome, record_property: Property) -> None:
    record_property("gap", outcome.gap.text)
    assert (outcome.load.errors, outcome.load.error_texts) == (0, ())


def test_update_when_over_then_incr_cas_touch_eviction_and_flush_work(outcome: Outcome) -> None:
    assert outcome.after_problems == []


def test_update_when_over_then_the_new_build_serves_and_the_old_process_is_gone(outcome: Outcome) -> None:
    new_pid = outcome.run.new_pids[0]
    assert outcome.listener == new_pid
    assert Path(f"/proc/{new_pid}/exe").samefile(nearest_server("memcached", NEW).binary)
    assert outcome.first_exit is not None, "the process that was started first has ended"
    assert outcome.ghost_threads == {}
    assert not Path(f"/proc/{outcome.old_pid}").exists()


def test_update_when_committed_then_its_json_has_what_scripts_use(outcome: Outcome) -> None:
    result = outcome.run.result
    assert result["verdict"] == "committed"
    assert result["old_pids"] == [outcome.old_pid]
    names = [one["name"] for one in result["phases"]]
    assert names == ["ANALYZE", "REHEARSE", "REINIT", "ATTACH", "QUIESCE", "TRANSFER", "AUDIT", "COMMIT"]
    assert all(one["seconds"] > 0 for one in result["phases"])
    assert result["counts"]["objects"] > 0
    assert not [one for one in result["findings"] if one["certain"]]
