"""Updates in a row: what N of one update is as O of the next, and that nothing grows with each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gdb_mcr.dwarf.load import load_program
from gdb_mcr.model.datatype import TypeKind
from gdb_mcr.runtime_abi.heap import read_heap
from gdb_mcr.tracing.heap import chunks_of
from gdb_mcr.update.recorded import find_recorded
from tests.support.footprint import Footprint, footprint, growth
from tests.support.mcr_server import ROOT, McrServer
from tests.support.memcached import (
    ItemPlan,
    Load,
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

TO_38 = ROOT / "scripts" / "annotations" / "memcached-1.6.18-1.6.38.mcr"
TO_45 = ROOT / "scripts" / "annotations" / "memcached-1.6.38-1.6.45.mcr"
BUILDS = {"18": "1.6.18-1+deb12u1", "38": "1.6.38-1", "45": "1.6.45-1"}
BANKS = 16

BANK_MAPPINGS = 4
"""Of a bank in use: the open part and the rest behind it, in the window and in its table of pages."""
GHOST_MAPPINGS = (4 + 5) + (1 + 2)
"""An update adds one ghost at most.

Its image: constants before the text, behind it and in RELRO, the text, and what lies unreadable before, between and
behind these. Its islands, which stand elsewhere, and what is left of the reserved memory around them.
"""
MODULES = 6
"""The names that one generation brings: its executable, its libraries and libmcr."""
MEGABYTES = 256
"""For the items and three scenes of some 50 MB each: nothing that is looked for may be evicted."""
START_UP_SITES = 4
"""Sites whose chunks both generations have."""

Property = Callable[[str, object], None]


def binary(name: str) -> Path:
    return nearest_server("memcached", BUILDS[name]).binary


def size_of(name: str, build: str) -> int:
    """Bytes of a struct."""
    return next(one.size for one in load_program(binary(build)).types.named(name) if one.kind is TypeKind.STRUCT)


class Memcached:
    """A recorded memcached with items and clients in the middle of things."""

    def __init__(self, server: McrServer, port: int) -> None:
        self.server = server
        self._port = port
        self._items = fill(port, plan=ItemPlan(3000, total=4_000_000))

    def update(self, new: str, scene: UpdateScene, *options: str) -> tuple[Footprint, Footprint]:
        """One update, everything verified after it; what the old and the new process occupied right around it."""
        before = footprint(self.server.pid)
        run = self.server.update(binary(new), *options)
        assert run.status == 0, run.told()
        after = footprint(self.server.pid)
        assert scene.finish(run.new_pids) == []
        self.verify()
        return before, after

    def verify(self) -> None:
        """All items are what they were."""
        assert verify(self._port, self._items) == []

    def scene(self) -> UpdateScene:
        """Connections in the middle of all sorts of things."""
        return UpdateScene(self._port, 75)

    def load(self) -> Load:
        """Further clients, thousands of requests a second."""
        return Load(self._port)

    def chunk_sizes(self) -> set[int]:
        """Of all chunks on the heap."""
        process = find_recorded(self.server.pid)
        return set(chunks_of(read_heap(process.memory, process.control())).sizes)


@contextmanager
def memcached(old: str) -> Iterator[Memcached]:
    port = free_port()
    with McrServer([str(binary(old)), *server_arguments(port, megabytes=MEGABYTES)]) as server:
        wait_until_served(port)
        yield Memcached(server, port)


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
    assert grown.pop("resident_kb", 0) < 0.05 * before.resident_kb, grown  # a second heap would be nearly all of it
    assert grown.pop("accessible_mb", 0) <= 2, grown  # a ghost is smaller than 1 MB, and pages are rounded up
    assert grown.pop("private_ranges", 0) <= 2, grown  # they touch, or not
    assert not grown


def record(record_property: Property, rounds: Sequence[tuple[Footprint, Footprint]]) -> None:
    for number, (before, after) in enumerate(rounds):
        record_property(f"before update {number + 1}", str(before))
        record_property(f"after update {number + 1}", str(after))


def test_the_same_build_three_times_and_nothing_grows(record_property: Property) -> None:
    rounds = []
    with memcached("18") as server, server.scene() as scene:
        for number in range(3):
            if number:
                scene.prepare()
            rounds.append(server.update("18", scene))
    record(record_property, rounds)
    for before, after in rounds[1:]:
        check_no_leaks(before, after)


def test_releases_in_a_row(record_property: Property) -> None:
    """Under load and with clients in the middle of all sorts of things, both times."""
    with memcached("18") as server, server.scene() as scene, server.load() as load:
        rounds = [server.update("38", scene, "--annotations", str(TO_38))]
        sizes = size_of("conn", "18"), size_of("conn", "38")
        assert server.chunk_sizes().intersection(sizes) == {sizes[1]}, "a connection's chunk is as large as it is now"
        scene.prepare()
        rounds.append(server.update("45", scene, "--annotations", str(TO_45)))
        load.wait_for(1000, timeout=30)
        result = load.stop()
    record(record_property, rounds)
    assert (result.errors, result.error_texts) == (0, ())
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
        keeper.update(keepers[0], "--args", f"{keeper.socket_path} two")
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
