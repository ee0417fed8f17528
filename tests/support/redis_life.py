"""What a redis server knows besides its keys, and its further life after an update."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.redis_client import RedisClient, RedisError, Reply, Word
from tests.support.redis_data import RedisData

SOON_KEYS = 200
SOON_DATABASE = 9
CHILD_S = 60.0

_LIBRARY = """#!lua name=counting
local step = 3
redis.register_function('count_on', function(keys, args) return redis.call('INCRBY', keys[1], step) end)
redis.register_function{function_name='look', callback=function(keys) return redis.call('GET', keys[1]) end,
                        flags={'no-writes'}}
"""
_SCRIPT = "local a = redis.call('INCR', KEYS[1]) return {a, ARGV[1] .. tostring(a), cjson.encode({n = a})}"

_SETTINGS = {
    "maxmemory": "4000000000",
    "maxmemory-policy": "allkeys-lfu",
    "slowlog-max-len": "77",
    "notify-keyspace-events": "AKE",
    "hz": "50",
    "client-output-buffer-limit": "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
}


@dataclass
class ServerLife:
    """`prepare` before an update; `check` and then `go_on` after it: what is wrong, one text each.

    :param soon_s: seconds after `prepare` at which some keys end.
    """

    port: int
    soon_s: float = 6.0

    def prepare(self) -> None:
        """Load scripts and functions, change settings, set keys that end soon. :raises AssertionError: it cannot."""
        with RedisClient(self.port) as client:
            sha = client.call("SCRIPT", "LOAD", _SCRIPT)
            assert isinstance(sha, bytes), sha
            self._sha = sha
            assert client.call("FUNCTION", "LOAD", _LIBRARY) == b"counting"
            assert self._run_scripts(client, 0) == []
            for name, value in _SETTINGS.items():
                assert client.call("CONFIG", "SET", name, value) == b"OK", name
            assert client.call("PFADD", "visitors", *range(1000)) == 1
            assert client.call("SETBIT", "bits", 1_000_000, 1) == 0
            assert client.call("GEOADD", "places", "13.36", "38.11", "Palermo", "15.08", "37.50", "Catania") == 2
            assert client.call("CONFIG", "SET", "slowlog-log-slower-than", 0) == b"OK"
            client.call("ECHO", "slow enough")
            assert client.call("CONFIG", "SET", "slowlog-log-slower-than", -1) == b"OK"
            self._ends_ms = int((time.time() + self.soon_s) * 1000)
            client.call("SELECT", SOON_DATABASE)
            for n in range(SOON_KEYS):
                client.call("SET", f"soon:{n}", n, "PXAT", self._ends_ms + n)
            self._before = self._remembered(client)

    def check(self) -> list[str]:
        """Nothing that the server knew may be lost; expiry goes on, of keys that nobody asks for as well."""
        with RedisClient(self.port) as client:
            client.call("SELECT", SOON_DATABASE)
            problems = [
                f"{name}: {now!r}, not {was!r}"
                for (name, was), now in zip(self._before.items(), self._remembered(client).values(), strict=True)
                if was != now
            ]
            problems += self._run_scripts(client, 1)
            problems += self._expire(client)
        return problems

    def go_on(self, data: RedisData) -> list[str]:
        """Write, delete, save, reload and throw everything away, with more clients than ever."""
        data.live_on(seed=1, changes=min(2 * data.count, 100_000))
        problems = [f"after more changes: {one}" for one in data.differences()]
        with RedisClient(self.port, timeout=CHILD_S) as client:
            problems += self._persist(client, data)
            problems += self._change_settings(client)
        problems += self._many_clients()
        with RedisClient(self.port, timeout=CHILD_S) as client:
            problems += _unless(client, b"OK", "SCRIPT", "FLUSH")
            problems += _unless(client, b"OK", "FUNCTION", "FLUSH")
            problems += _unless(client, b"OK", "FLUSHALL")
            problems += _unless(client, 0, "DBSIZE")
            problems += _unless(client, b"OK", "SET", "a", "1")
        return problems

    def _run_scripts(self, client: RedisClient, turn: int) -> list[str]:
        counted = b"%d" % (turn + 1)
        in_json = b'{"n":%s}' % counted
        return [
            *_unless(client, [1], "SCRIPT", "EXISTS", self._sha),
            *_unless(client, b"OK", "SET", "counter", turn),
            *_unless(client, [turn + 1, b"n" + counted, in_json], "EVALSHA", self._sha, 1, "counter", "n"),
            *_unless(client, turn + 4, "FCALL", "count_on", 1, "counter"),
            *_unless(client, b"%d" % (turn + 4), "FCALL_RO", "look", 1, "counter"),
            *_unless(client, b"x", "EVAL", "return string.sub(ARGV[1], 1, 1)", 0, "xyz"),
        ]

    def _remembered(self, client: RedisClient) -> dict[str, Reply]:
        found = {f"CONFIG {name}": client.call("CONFIG", "GET", name) for name in _SETTINGS}
        asked: tuple[tuple[Word, ...], ...] = (
            ("FUNCTION", "LIST", "WITHCODE"),
            ("ACL", "LIST"),
            ("SLOWLOG", "GET", 100),
            ("PUBSUB", "CHANNELS"),
            ("PUBSUB", "NUMPAT"),
        )
        found.update({" ".join(map(str, words)): client.call(*words) for words in asked})
        client.call("SELECT", 0)
        for words in (("PFCOUNT", "visitors"), ("BITCOUNT", "bits"), ("GEODIST", "places", "Palermo", "Catania")):
            found[words[0]] = client.call(*words)
        client.call("SELECT", SOON_DATABASE)
        return found

    # Redis's own clock (serverCron) must remove them; they are only counted, never read.
    def _expire(self, client: RedisClient) -> Iterator[str]:
        if time.time() * 1000 < self._ends_ms - 500 and (size := client.call("DBSIZE")) != SOON_KEYS + 1:
            yield f"{size!r} keys are left of {SOON_KEYS} that must not have ended yet, and a counter"
        deadline = self._ends_ms / 1000 + 10
        while client.call("DBSIZE") != 1 and time.time() < deadline:
            time.sleep(0.05)
        if (size := client.call("DBSIZE")) != 1:
            yield f"{size!r} keys are left of those that should have ended, and a counter"
        if time.time() * 1000 < self._ends_ms:
            yield "keys have ended too early"

    def _persist(self, client: RedisClient, data: RedisData) -> Iterator[str]:
        digest = client.call("DEBUG", "DIGEST")
        yield from _unless(client, b"OK", "CONFIG", "SET", "appendonly", "yes")
        yield from self._child(client, "aof_rewrite_in_progress", "aof_last_bgrewrite_status")
        client.call("BGSAVE", "SCHEDULE")
        yield from self._child(client, "rdb_bgsave_in_progress", "rdb_last_bgsave_status")
        client.call("BGREWRITEAOF")
        yield from self._child(client, "aof_rewrite_in_progress", "aof_last_bgrewrite_status")
        yield from _unless(client, digest, "DEBUG", "DIGEST")
        yield from _unless(client, b"OK", "DEBUG", "LOADAOF")
        yield from _unless(client, digest, "DEBUG", "DIGEST")
        yield from _unless(client, b"OK", "DEBUG", "RELOAD")
        yield from _unless(client, digest, "DEBUG", "DIGEST")
        yield from (f"after a reload: {one}" for one in data.differences(has_been_reloaded=True))
        yield from _unless(client, b"OK", "CONFIG", "SET", "appendonly", "no")

    def _child(self, client: RedisClient, running: str, status: str) -> Iterator[str]:
        deadline = time.monotonic() + CHILD_S
        while _info(client, running) != "0" or _info(client, running.replace("in_progress", "scheduled")) == "1":
            if time.monotonic() > deadline:
                yield f"{running} for {CHILD_S} s"
                return
            time.sleep(0.02)
        if (said := _info(client, status)) != "ok":
            yield f"{status}: {said}"

    def _change_settings(self, client: RedisClient) -> Iterator[str]:
        for name, value in (
            ("maxmemory", "0"),
            ("hz", "10"),
            ("maxmemory-policy", "noeviction"),
            ("maxclients", "500"),
        ):
            yield from _unless(client, b"OK", "CONFIG", "SET", name, value)
            yield from _unless(client, [name.encode(), value.encode()], "CONFIG", "GET", name)
        yield from _unless(client, b"OK", "CONFIG", "RESETSTAT")
        yield from _unless(client, b"OK", "CONFIG", "SET", "activerehashing", "no")

    def _many_clients(self) -> Iterator[str]:
        clients = [RedisClient(self.port) for _ in range(300)]
        for n, client in enumerate(clients):
            yield from _unless(client, b"OK", "SET", f"many:{n}", n)
        for n, client in enumerate(clients):
            yield from _unless(client, b"%d" % n, "GET", f"many:{n}")
            client.close()


def _info(client: RedisClient, name: str) -> str:
    said = client.call("INFO", "persistence")
    assert isinstance(said, bytes)
    rows = dict(line.split(":", 1) for line in said.decode().splitlines() if ":" in line)
    return rows.get(name, "")


def _unless(client: RedisClient, expected: Reply, *words: Word) -> list[str]:
    got = client.call(*words)
    if got == expected and not (isinstance(got, RedisError) and not isinstance(expected, RedisError)):
        return []
    return [f"{' '.join(str(one)[:30] for one in words)}: {repr(got)[:100]}, not {repr(expected)[:100]}"]
