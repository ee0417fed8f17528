"""Real security updates of redis, full of data of all kinds and of clients in the middle of things.

7.0.15 without and with Debian's 18 security patches: five ints of `redisServer` move by four bytes inside an unchanged
size. 8.0.2 and 8.0.6: a struct of shared objects grows. No annotation is needed.
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

KEYS = 10_000


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


@dataclass(frozen=True)
class Outcome:
    """One update, and which build should serve."""

    redis: RedisOutcome
    new: Path


@pytest.fixture(scope="module", params=PAIRS.values(), ids=list(PAIRS))
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Redis without its security patches becomes redis with them."""
    old, new = request.param.binaries()
    plan = RedisUpdate(old, new, tmp_path_factory.mktemp("redis"), free_port(), KEYS)
    return Outcome(update_redis(plan), new)


def test_update_when_committed_then_the_new_build_serves(
    outcome: Outcome, record_property: Callable[[str, object], None]
) -> None:
    run = outcome.redis.run
    assert run.status == 0, run.told()
    record_property("pause", f"{run.result['pause_s'] * 1000:.0f} ms, {run.result['counts']['objects']} objects")
    assert outcome.redis.serves.samefile(outcome.new)
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
