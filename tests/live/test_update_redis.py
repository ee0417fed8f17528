"""A real security update of redis: 18 patches; five ints of `redisServer` move by four bytes inside an unchanged size.

No annotation is needed. `DEBUG DIGEST` compares the whole data set, of all types, with what it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.mcr_server import McrServer, UpdateRun
from tests.support.memcached import free_port
from tests.support.redis_client import RedisClient, Reply, request, wait_until_served
from tests.support.servers import nearest_server

pytestmark = [pytest.mark.live, pytest.mark.slow]

VERSION = "7.0.15-1~deb12u10"
KEYS = 100_000

MANY_TYPES = """
for i = 1, 2000 do
  redis.call('hset', 'h' .. i, 'f', i, 'g', string.rep('x', i % 300))
  redis.call('rpush', 'l' .. i, 1, 2, i)
  redis.call('sadd', 's' .. i, 'a', 'b', i)
  redis.call('zadd', 'z' .. i, i, 'm', 2, 'n')
  redis.call('xadd', 'x' .. i, '*', 'f', i)
  redis.call('setex', 'e' .. i, 1000, i)
end
return 'done'
"""


@dataclass
class Connections:
    """Clients in the middle of things, and what each must see afterwards."""

    port: int
    clients: dict[str, RedisClient] = field(default_factory=dict)

    def open(self) -> None:
        """Bring each into its state."""
        for name in ("idle", "multi", "watch", "blocked", "subscribed", "half"):
            self.clients[name] = RedisClient(self.port)
        self.clients["multi"].call("MULTI")
        self.clients["multi"].call("INCR", "multi-counter")
        self.clients["watch"].call("SET", "watched", "1")
        self.clients["watch"].call("WATCH", "watched")
        self.clients["blocked"].send(request("BLPOP", "queue", 0))
        self.clients["subscribed"].call("SUBSCRIBE", "news")
        self.clients["half"].send(request("SET", "half", "whole")[:-4])
        self.clients["idle"].call("CLIENT", "SETNAME", "sleeper")

    def finish(self) -> dict[str, Reply]:
        """Go on with each; its answer."""
        with RedisClient(self.port) as other:
            other.call("SET", "watched", "2")
            other.call("RPUSH", "queue", "job")
            other.call("PUBLISH", "news", "flash")
        self.clients["half"].send(request("SET", "half", "whole")[-4:])
        self.clients["watch"].call("MULTI")
        return {
            "idle": self.clients["idle"].call("CLIENT", "GETNAME"),
            "multi": self.clients["multi"].call("EXEC"),
            "watch": self.clients["watch"].call("EXEC"),
            "blocked": self.clients["blocked"].answer(),
            "subscribed": self.clients["subscribed"].answer(),
            "half": self.clients["half"].answer(),
        }

    def close(self) -> None:
        """Close all."""
        for client in self.clients.values():
            client.close()


EXPECTED: dict[str, Reply] = {
    "idle": b"sleeper",
    "multi": [1],
    "watch": None,
    "blocked": [b"queue", b"job"],
    "subscribed": [b"message", b"news", b"flash"],
    "half": b"OK",
}


@dataclass(frozen=True)
class Outcome:
    """One update, and what clients saw."""

    run: UpdateRun
    port: int
    new_binary: Path
    before: Reply
    after: Reply
    answers: dict[str, Reply]
    script: Reply


@pytest.fixture(scope="module")
def outcome() -> Iterator[Outcome]:
    """Redis without its security patches becomes redis with them."""
    old, new = nearest_server("redis", VERSION, "nocve"), nearest_server("redis", VERSION)
    port = free_port()
    words = ("--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no")
    connections = Connections(port)
    with McrServer([str(old.binary), *words, "--enable-debug-command", "yes"]) as server:
        try:
            wait_until_served(port)
            with RedisClient(port) as client:
                client.call("DEBUG", "POPULATE", KEYS, "k", 50)
                assert client.call("EVAL", MANY_TYPES, 0) == b"done"
                sha = client.call("SCRIPT", "LOAD", "return redis.call('get', KEYS[1])")
                assert isinstance(sha, bytes)
                connections.open()
                before = client.call("DEBUG", "DIGEST")
                run = server.update(new.binary)
                assert run.status == 0, run.told()
                after = client.call("DEBUG", "DIGEST")
                script = client.call("EVALSHA", sha, 1, "e7")
            yield Outcome(run, port, new.binary, before, after, connections.finish(), script)
        finally:
            connections.close()


def test_update_when_committed_then_the_whole_data_set_is_what_it_was(outcome: Outcome) -> None:
    assert outcome.before == outcome.after


def test_update_when_clients_wait_then_each_gets_what_it_waits_for(outcome: Outcome) -> None:
    assert outcome.answers == EXPECTED


def test_update_when_scripts_are_loaded_then_they_run(outcome: Outcome) -> None:
    assert outcome.script == b"7"


def test_update_when_over_then_it_serves_on_as_before(
    outcome: Outcome, record_property: Callable[[str, object], None]
) -> None:
    record_property("pause", f"{outcome.run.result['pause_s'] * 1000:.0f} ms with {KEYS} keys and more")
    assert Path(f"/proc/{outcome.run.new_pids[0]}/exe").samefile(outcome.new_binary)
    with RedisClient(outcome.port) as client:
        assert client.call("SET", "short", "x", "PX", 60) == b"OK"
        assert client.call("DEL", "k:1", "k:2", "h3", "z4") == 4
        assert client.call("HGET", "h200", "f") == b"200"
        assert client.call("ZRANGE", "z5", 0, -1) == [b"n", b"m"]
        assert client.call("XLEN", "x9") == 1
        assert client.call("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"0"]
        deadline = time.monotonic() + 10
        while client.call("EXISTS", "short") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert client.call("EXISTS", "short") == 0
        assert client.call("FLUSHALL") == b"OK"
        assert client.call("DBSIZE") == 0


def test_update_when_committed_then_nothing_certain_was_told(outcome: Outcome) -> None:
    assert [one["id"] for one in outcome.run.result["findings"] if one["certain"]] == []
