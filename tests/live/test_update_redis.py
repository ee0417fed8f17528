"""Real security updates of redis, full of data of all kinds and of clients in the middle of things.

7.0.15 without and with Debian's 18 security patches: five ints of `redisServer` move by four bytes inside an unchanged
size. 8.0.2 and 8.0.6: a struct of shared objects grows. No annotation is needed, but of a server that has loaded its
data from a file when it started the user says that the file is the server's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.memcached import free_port
from tests.support.redis_update import RedisOutcome, RedisUpdate, update_redis
from tests.support.servers import nearest_server

pytestmark = [pytest.mark.live, pytest.mark.slow]

KEYS = 5_000


@dataclass(frozen=True)
class Pair:
    """Two builds of redis: version and variant."""

    old: tuple[str, str]
    new: tuple[str, str]

    def binaries(self) -> tuple[Path, Path]:
        """Built now if need be."""
        return nearest_server("redis", *self.old).binary, nearest_server("redis", *self.new).binary


PAIRS = {
    "7.0.15": Pair(("7.0.15-1~deb12u10", "nocve"), ("7.0.15-1~deb12u10", "debian")),
    "8.0": Pair(("8.0.2", "upstream"), ("8.0.6-3", "debian")),
}


OWN_FILE = 'input "dump.rdb" absent;\n'
SMALL_START = 18_000
"""Redis's own start-up makes fewer allocations, its start-up with all those keys more."""


@dataclass(frozen=True)
class Case:
    """One update: which, and where the keys come from."""

    pair: str
    is_loaded: bool = False
    is_saved: bool = False


CASES = {
    "8.0": Case("8.0"),
    "7.0.15-saved-since": Case("7.0.15", is_saved=True),
    "8.0-loaded-and-saved-since": Case("8.0", is_loaded=True, is_saved=True),
}


@dataclass(frozen=True)
class Outcome:
    """One update, and which build should serve."""

    redis: RedisOutcome
    new: Path


@pytest.fixture(scope="module", params=CASES.values(), ids=list(CASES))
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Redis without its security patches becomes redis with them."""
    case: Case = request.param
    directory = tmp_path_factory.mktemp("redis")
    annotations = directory / "redis.mcr"
    annotations.write_text(OWN_FILE)
    options = ("--annotations", str(annotations)) if case.is_loaded else ()
    old, new = PAIRS[case.pair].binaries()
    plan = RedisUpdate(old, new, directory, free_port(), KEYS, case.is_loaded, case.is_saved, options)
    return Outcome(update_redis(plan), new)


def test_update_when_committed_then_the_new_build_serves(
    outcome: Outcome, record_property: Callable[[str, object], None]
) -> None:
    run = outcome.redis.run
    assert run.status == 0, run.told()
    record_property("pause", f"{run.result['pause_s'] * 1000:.0f} ms, {run.result['counts']['objects']} objects")
    assert outcome.redis.serves.samefile(outcome.new)
    assert run.result["counts"]["allocations"] < SMALL_START, "the new server has loaded no data of its own"
    assert [one["id"] for one in run.result["findings"] if one["certain"]] == []


def test_update_when_committed_then_every_key_of_every_kind_is_what_it_was(outcome: Outcome) -> None:
    assert outcome.redis.data == []
    assert {b"int", b"embstr", b"raw", b"quicklist", b"listpack", b"intset", b"hashtable", b"skiplist", b"stream"} <= (
        outcome.redis.encodings
    )


def test_update_when_connections_are_in_the_middle_of_things_then_each_goes_on(outcome: Outcome) -> None:
    assert outcome.redis.scene == []


def test_update_when_committed_then_scripts_functions_settings_and_expiry_are_there(outcome: Outcome) -> None:
    assert outcome.redis.known == []


def test_update_when_over_then_it_writes_saves_reloads_and_forgets_as_ever(outcome: Outcome) -> None:
    assert outcome.redis.life == []


def test_update_when_nobody_says_that_the_file_is_the_servers_own_then_refused_and_told_what_to_say(
    tmp_path: Path,
) -> None:
    old, new = PAIRS["7.0.15"].binaries()
    plan = RedisUpdate(old, new, tmp_path, free_port(), keys=500, is_loaded=True, is_saved=True)
    redis = update_redis(plan)
    assert redis.run.status == 1, redis.run.told()
    assert f"R12:{tmp_path / 'dump.rdb'}" in redis.run.finding_ids
    assert f'input "{tmp_path / "dump.rdb"}" absent;' in redis.run.output.replace("\n", " ")
    assert (redis.data, redis.scene, redis.known, redis.life) == ([], [], [], [])
    assert redis.serves.samefile(old)
