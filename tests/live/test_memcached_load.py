"""The client side of the live proofs, on a plain memcached: all is right when nothing happens, and each check can fail.

A server stopped for a known time stands for an update's pause; a changed item, byte, clock or server for a failed one.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gdb_mcr.units import Range
from tests.support.gap import compare
from tests.support.memcached import (
    CheckState,
    FilledItems,
    ItemPlan,
    Lifetime,
    Load,
    MemcachedClient,
    RunningServer,
    SceneError,
    UpdateScene,
    fill,
    prepare_checks,
    run_after_checks,
    run_gentle_checks,
    running_memcached,
    verify,
    wait_until_served,
)
from tests.support.server_view import (
    listener_owner,
    mapped_ranges,
    server_side_inodes,
    thread_ids,
    threads_in_range,
)
from tests.support.servers import server_binary

OLD = "1.6.18-1+deb12u1"
VERSIONS = {OLD: "1.6.18", "1.6.38-1": "1.6.38"}
PAUSE_S = 0.15
CLOCKS_S = 0.01
"""How much later a client may send than the server stands still, and sooner be answered than we know it runs again."""

UNUSED = Range(0x0123_4567_8000, 0x0123_4567_9000)
"""Where Linux maps nothing in a PIE, and what no counter or size on a stack happens to be."""


@pytest.fixture(scope="module")
def old_binary() -> Path:
    """memcached 1.6.18."""
    return server_binary("memcached", OLD)


@pytest.fixture
def server(old_binary: Path) -> Iterator[RunningServer]:
    """A fresh memcached."""
    with running_memcached(old_binary, megabytes=128) as running:
        yield running


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    """The process does not run within the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _small_plan(seed: int = 3) -> ItemPlan:
    return ItemPlan(5000, seed, total=20_000_000, shortest_ttl=60)


# Nothing happens, or only a pause: everything must be right.


@pytest.mark.slow
@pytest.mark.parametrize("build", VERSIONS)
def test_all_of_it_when_the_server_only_pauses_then_nothing_is_wrong(
    build: str, record_property: Callable[[str, object], None]
) -> None:
    with running_memcached(server_binary("memcached", build)) as server:
        port = server.port
        begun = time.monotonic()
        filled = fill(port)
        record_property("fill_s", time.monotonic() - begun)
        state = prepare_checks(port)
        with UpdateScene(port) as scene, Load(port, 16, rate=5000) as load:
            load.wait_for(5000, timeout=20)
            quiet_end = time.monotonic()
            with _stopped(server.pid):
                time.sleep(PAUSE_S)
            load.wait_for(1000, timeout=20)
            result = load.stop()
            assert scene.finish([server.pid]) == []
        report = compare(result.waits, (result.started, quiet_end), (quiet_end, result.stopped))
        record_property("gap", report.text)
        assert (result.errors, result.error_texts) == (0, ())
        assert report.update.seconds >= PAUSE_S - CLOCKS_S
        assert report.update.seconds > report.baseline.seconds
        begun = time.monotonic()
        assert verify(port, filled) == []
        record_property("verify_s", time.monotonic() - begun)
        assert run_after_checks(port, VERSIONS[build], state) == []


def test_scene_when_finished_three_times_then_the_same_connections_serve_each_turn(server: RunningServer) -> None:
    with UpdateScene(server.port) as scene:
        inodes = scene.inodes
        for turn in range(3):
            if turn:
                scene.prepare()
            with _stopped(server.pid):
                assert len(list(scene.check_sockets([server.pid]))) == 0
            assert scene.finish() == []
            assert scene.inodes == inodes
    assert len(inodes) == 100


def test_scene_when_too_small_for_all_roles_then_refuses(server: RunningServer) -> None:
    with pytest.raises(SceneError, match="at least 75 connections"), UpdateScene(server.port, connections=20):
        pass


# Each check can fail.


def test_gap_when_the_server_stops_then_is_found_with_its_length_and_time(server: RunningServer) -> None:
    with Load(server.port, 8, rate=4000) as load:
        load.wait_for(4000, timeout=20)
        stop = time.monotonic()
        with _stopped(server.pid):
            time.sleep(PAUSE_S)
        go = time.monotonic()
        load.wait_for(2000, timeout=20)
        result = load.stop()
    assert result.errors == 0
    for series in (result.waits, result.gaps):
        report = compare(series, (result.started, stop), (stop, go))
        assert PAUSE_S - CLOCKS_S <= report.update.seconds <= go - stop + 0.1
        assert report.update.start <= stop + 0.05
        assert go - CLOCKS_S <= report.update.end <= go + 0.1
        assert report.baseline.seconds < PAUSE_S / 2, "the noise must be well below what is to be measured"
    bins = result.histogram[int((stop - result.started) * 10) : int((go - result.started) * 10) + 1]
    assert min(bins) < min(result.histogram[:5]) / 2


def test_load_when_no_connection_is_answered_in_time_then_each_is_an_error(server: RunningServer) -> None:
    with Load(server.port, 4, rate=1000, timeout=0.3) as load:
        load.wait_for(100, timeout=20)
        with _stopped(server.pid):
            load.wait_for(1_000_000, timeout=20)
        result = load.stop()
    assert result.errors == 4
    assert all("no answer in 0." in text for text in result.error_texts)


def test_load_when_the_server_is_killed_then_each_connection_is_an_error(server: RunningServer) -> None:
    with Load(server.port, 5, rate=2000) as load:
        load.wait_for(100, timeout=20)
        os.kill(server.pid, signal.SIGKILL)
        load.wait_for(1_000_000, timeout=20)
        result = load.stop()
    assert result.errors == 5
    assert all("closed by the server" in text or "reset" in text for text in result.error_texts)


def test_load_when_another_client_changes_its_items_then_errors_show_the_answer(server: RunningServer) -> None:
    with Load(server.port, 2, rate=2000) as load, MemcachedClient(server.port) as client:
        load.wait_for(100, timeout=20)
        for number in range(50):
            client.set(b"load:0:%d" % number, b"changed")
        load.wait_for(1_000_000, timeout=20)
        result = load.stop()
    assert result.errors == 1
    assert "connection 0 at" in result.error_texts[0]
    assert "changed" in result.error_texts[0] or " 0 7" in result.error_texts[0]


def _overwrite(client: MemcachedClient, filled: FilledItems, index: int) -> None:
    data = filled.plan.data(index)
    client.set(filled.plan.key(index), data[:-1] + bytes([data[-1] ^ 1]), flags=filled.plan.flags(index))


def _set_again(client: MemcachedClient, filled: FilledItems, index: int) -> None:
    client.set(filled.plan.key(index), filled.plan.data(index), flags=filled.plan.flags(index))


def _other_flags(client: MemcachedClient, filled: FilledItems, index: int) -> None:
    client.set(filled.plan.key(index), filled.plan.data(index), flags=filled.plan.flags(index) ^ 4)


def _delete(client: MemcachedClient, filled: FilledItems, index: int) -> None:
    client.delete(filled.plan.key(index))


def _live_longer(client: MemcachedClient, filled: FilledItems, index: int) -> None:
    client.touch(filled.plan.key(index), filled.plan.ttl(index) + 30)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_overwrite, "differs from byte"),
        (_set_again, "has CAS value"),
        (_other_flags, "flags are"),
        (_delete, "is missing"),
        (_live_longer, "s to live, not"),
    ],
)
def test_verify_when_one_item_is_changed_then_it_and_no_other_is_named(
    server: RunningServer, change: Callable[[MemcachedClient, FilledItems, int], None], why: str
) -> None:
    filled = fill(server.port, plan=_small_plan())
    kind = Lifetime.SECONDS if change is _live_longer else Lifetime.FOREVER
    index = next(i for i in range(4000, 5000) if filled.plan.lifetime(i) is kind)
    with MemcachedClient(server.port) as client:
        change(client, filled, index)
    wrong = verify(server.port, filled)
    assert [item.key for item in wrong] == [filled.plan.key(index)]
    assert why in wrong[0].why


def test_verify_when_one_bit_of_the_servers_memory_flips_then_the_item_is_named(server: RunningServer) -> None:
    filled = fill(server.port, plan=_small_plan())
    index = next(i for i in range(4000, 5000) if len(filled.plan.data(i)) > 1000)
    _flip_bit(server.pid, filled.plan.key(index), filled.plan.data(index), at=500)
    wrong = verify(server.port, filled)
    assert [item.key for item in wrong] == [filled.plan.key(index)]
    assert "differs from byte 500" in wrong[0].why


# Changes one byte of an item's value in the server's memory. The value follows its key, by fewer bytes than it has
# itself; other items' values may contain the same bytes.
def _flip_bit(pid: int, key: bytes, data: bytes, at: int) -> None:
    found = 0
    with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
        for area in mapped_ranges(pid, "", "rw"):
            memory.seek(area.start)
            content = memory.read(area.size)
            for place in _places(content, key + b"\0"):
                value = content.find(data, place, place + 2 * len(data))
                if value >= 0:
                    memory.seek(area.start + value + at)
                    memory.write(bytes([data[at] ^ 1]))
                    found += 1
    assert found


def _places(content: bytes, needle: bytes) -> Iterator[int]:
    place = content.find(needle)
    while place >= 0:
        yield place
        place = content.find(needle, place + 1)


def test_scene_when_the_server_is_another_one_then_every_connection_fails_in_bounded_time(old_binary: Path) -> None:
    with running_memcached(old_binary, megabytes=128) as server, UpdateScene(server.port) as scene:
        os.kill(server.pid, signal.SIGKILL)
        begun = time.monotonic()
        failures = scene.finish(timeout=5)
        assert time.monotonic() - begun < 30
    text = "\n".join(failures)
    assert all(f"(client port {port})" in text for port in scene.inodes)


def test_scene_when_the_server_hangs_then_every_busy_connection_fails_in_bounded_time(server: RunningServer) -> None:
    with UpdateScene(server.port) as scene, _stopped(server.pid):
        begun = time.monotonic()
        failures = scene.finish(timeout=1, late=0.05)
        assert time.monotonic() - begun < 60
    assert len(failures) >= 95


def _expect(state: CheckState, **change: object) -> CheckState:
    return replace(state, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"counter": 5}, "incr: counts"),
        ({"right_cas": 1}, "cas: cas with 1 answered EXISTS, not STORED"),
        ({"stale_cas": "right"}, "answered STORED, not EXISTS"),
        ({"set_at": 20.0}, "before its end"),
        ({"set_at": -20.0}, "after its end"),
    ],
)
def test_checks_when_the_server_differs_from_the_state_then_one_fails(
    server: RunningServer, change: dict[str, object], why: str
) -> None:
    state = prepare_checks(server.port)
    if "set_at" in change:
        change = {"set_at": state.set_at + float(str(change["set_at"]))}
    if "stale_cas" in change:
        change = {"stale_cas": state.right_cas}
    assert any(why in text for text in run_gentle_checks(server.port, "1.6.18", _expect(state, **change)))


def test_checks_when_the_version_is_another_then_fails(server: RunningServer) -> None:
    failures = run_gentle_checks(server.port, "1.6.38", prepare_checks(server.port))
    assert failures == ["version: version says 1.6.18, not 1.6.38", "version: stats says 1.6.18, not 1.6.38"]


def test_checks_when_the_server_dies_then_each_fails_with_a_sentence(old_binary: Path) -> None:
    with running_memcached(old_binary, megabytes=128) as server:
        state = prepare_checks(server.port)
        os.kill(server.pid, signal.SIGKILL)
        os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
        failures = run_after_checks(server.port, "1.6.18", state)
    assert len(failures) == 7
    assert all("ConnectionLost" in text for text in failures)


# The view of the server from outside.


def test_view_when_clients_are_connected_then_their_server_ends_belong_to_the_listener(server: RunningServer) -> None:
    assert listener_owner(server.port) == server.pid
    with MemcachedClient(server.port) as first, MemcachedClient(server.port) as second:
        first.version()
        second.version()
        inodes = server_side_inodes(server.pid, [first.socket, second.socket])
        assert set(inodes) == {first.local_port, second.local_port}
        assert len(set(inodes.values())) == 2
        assert server_side_inodes(os.getpid(), [first.socket]) == {}


def test_threads_in_range_when_the_code_is_the_servers_then_finds_its_threads(server: RunningServer) -> None:
    """Every thread waits in libc, so only their return addresses can tell; all must be found by them."""
    (code,) = mapped_ranges(server.pid, "/memcached", "x")
    assert set(threads_in_range(server.pid, code)) == set(thread_ids(server.pid))
    assert threads_in_range(server.pid, UNUSED) == {}


def test_wait_until_served_when_up_then_says_the_version(server: RunningServer) -> None:
    assert wait_until_served(server.port) == "1.6.18"
