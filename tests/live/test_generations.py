"""Updates in a row: what N of one update is as O of the next, and that nothing grows with each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gdb_mcr.update.recorded import find_recorded
from tests.support.footprint import Footprint, footprint, growth
from tests.support.mcr_server import ROOT, McrServer
from tests.support.memcached import (
    FilledItems,
    ItemPlan,
    UpdateScene,
    fill,
    free_port,
    server_arguments,
    verify,
    wait_until_served,
)
from tests.support.servers import nearest_server
from tests.support.word_keeper import build_word_keeper, expected, running_word_keeper

pytestmark = [pytest.mark.live, pytest.mark.slow]

ANNOTATIONS = ROOT / "scripts" / "annotations" / "memcached-1.6.18-1.6.38.mcr"
BUILDS = {"18": "1.6.18-1+deb12u1", "38": "1.6.38-1", "45": "1.6.45-1"}
BANKS = 16

BANK_MAPPINGS = 4
"""Of a bank in use: the open part and the rest behind it, in the window and in its table of pages."""
GHOST_MAPPINGS = 8
MODULES = 6
START_UP_SITES = 4
"""Sites whose chunks both generations have."""

Property = Callable[[str, object], None]


def binary(name: str) -> Path:
    return nearest_server("memcached", BUILDS[name]).binary


class Memcached:
    """A recorded memcached with items and clients in the middle of things."""

    def __init__(self, server: McrServer, port: int, items: FilledItems, scene: UpdateScene) -> None:
        self.server = server
        self._port = port
        self._items = items
        self._scene = scene
        self._prepared = True

    def update(self, old: str, new: str) -> tuple[Footprint, Footprint]:
        """One update, everything verified after it; what the old and the new process occupied right around it."""
        if not self._prepared:
            self._scene.prepare()
        before = footprint(self.server.pid)
        options = ("--annotations", str(ANNOTATIONS)) if (old, new) == ("18", "38") else ()
        run = self.server.update(binary(new), *options)
        assert run.status == 0, run.told()
        after = footprint(self.server.pid)
        self._prepared = False
        assert self._scene.finish(run.new_pids) == []
        assert verify(self._port, self._items) == []
        return before, after


@contextmanager
def memcached(old: str) -> Iterator[Memcached]:
    port = free_port()
    with McrServer([str(binary(old)), *server_arguments(port, megabytes=64)]) as server:
        wait_until_served(port)
        items = fill(port, plan=ItemPlan(3000, total=4_000_000))
        with UpdateScene(port, 75) as scene:
            yield Memcached(server, port, items, scene)


def check_no_leaks(before: Footprint, after: Footprint) -> None:
    """Of an update to the same build.

    A generation may leave behind a bank of the heap that chunks of it live in, its modules' names and its ghost, as
    long as something refers to them.
    """
    assert (after.fds, after.threads, after.children) == (before.fds, before.threads, 0)
    assert (after.chunks, after.operations, after.allocations) == (before.chunks, before.operations, before.allocations)
    grown = growth(before, after)
    assert grown.pop("mappings", 0) <= BANK_MAPPINGS + GHOST_MAPPINGS, grown
    assert grown.pop("modules", 0) <= MODULES, grown
    assert grown.pop("sites", 0) <= START_UP_SITES, grown
    assert grown.pop("resident_kb", 0) < 0.05 * before.resident_kb, grown
    assert grown.pop("accessible_mb", 0) <= 2, grown
    assert grown.pop("private_ranges", 0) <= 2, grown  # they touch, or not
    assert not grown


def test_the_same_build_three_times_and_nothing_grows(record_property: Property) -> None:
    with memcached("18") as server:
        rounds = [server.update("18", "18") for _ in range(3)]
    for number, (before, after) in enumerate(rounds):
        record_property(f"before update {number + 1}", str(before))
        record_property(f"after update {number + 1}", str(after))
    for before, after in rounds[1:]:
        check_no_leaks(before, after)


def test_releases_in_a_row(record_property: Property) -> None:
    with memcached("18") as server:
        rounds = [server.update(old, new) for old, new in (("18", "38"), ("38", "45"))]
    for number, (before, after) in enumerate(rounds):
        record_property(f"before update {number + 1}", str(before))
        record_property(f"after update {number + 1}", str(after))
    for before, after in rounds:
        assert (after.threads, after.children) == (before.threads, 0)


@pytest.fixture(scope="module")
def keepers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two versions of a small server."""
    directory = tmp_path_factory.mktemp("keeper")
    return build_word_keeper(directory / "keeper"), build_word_keeper(directory / "later", later=True)


def test_addresses_of_earlier_images_lead_on_until_nothing_holds_them(
    keepers: tuple[Path, Path], tmp_path: Path
) -> None:
    """Each generation adds a note that points into its own image. The first one's file is replaced meanwhile."""
    first = tmp_path / "first"
    shutil.copy(keepers[0], first)
    with running_word_keeper(first, tmp_path) as keeper:
        keeper.ask("a")
        for generation in range(1, 4):
            run = keeper.update(keepers[generation % 2])
            first.write_bytes(b"no program")
            assert run.result["counts"]["ghosts_of_earlier_builds"] == generation - 1
            assert keeper.ask("r") == expected(generation)
            keeper.ask("a")
        full = footprint(keeper.server.pid)
        assert keeper.ask("r") == expected(4)
        keeper.ask("f")
        run = keeper.update(keepers[0])
        assert run.result["counts"]["ghosts_of_earlier_builds"] == 0
        bare = footprint(keeper.server.pid)
        assert (bare.mappings, bare.modules) < (full.mappings, full.modules)
        keeper.ask("a")
        assert keeper.ask("r") == expected(1)


def test_every_generation_starts_as_the_first_did(keepers: tuple[Path, Path], tmp_path: Path) -> None:
    """Unless the user gives other arguments, which then stay."""
    with running_word_keeper(keepers[0], tmp_path, "one", environment={"WORD": "kept"}) as keeper:
        first = find_recorded(keeper.server.pid).facts
        keeper.update(keepers[1])
        assert keeper.ask("e") == "kept one\n"
        second = find_recorded(keeper.server.pid).facts
        assert replace(second, exe=first.exe) == first
        assert not any(one.startswith((b"LD_PRELOAD=", b"LD_BIND_NOW=")) for one in second.environ)
        keeper.update(keepers[0], "--args", str(keeper.socket_path), "two")
        assert keeper.ask("e") == "kept two\n"
        keeper.update(keepers[1])
        assert keeper.ask("e") == "kept two\n"
        last = find_recorded(keeper.server.pid).facts
        assert last.argv == (first.argv[0], os.fsencode(keeper.socket_path), b"two")
        assert replace(last, exe=first.exe, argv=first.argv) == first


def test_more_updates_than_the_heap_has_banks(
    keepers: tuple[Path, Path], tmp_path: Path, record_property: Property
) -> None:
    with running_word_keeper(keepers[0], tmp_path) as keeper:
        keeper.ask("a")
        rounds = []
        for _ in range(BANKS + 2):
            keeper.update(keepers[0])
            rounds.append(footprint(keeper.server.pid))
        assert keeper.ask("r") == expected(1)
    record_property("after update 3", str(rounds[2]))
    record_property(f"after update {len(rounds)}", str(rounds[-1]))
    for one in rounds[3:]:
        check_no_leaks(rounds[2], one)
