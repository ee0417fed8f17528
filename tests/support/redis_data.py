"""A redis server's data and a copy of it: filled through the protocol, compared through the protocol."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.support.redis_client import RedisClient, RedisError, Reply, Words
from tests.support.redis_kinds import Kind, kind_of

SHOWN = 5


@dataclass
class RedisData:
    """What one database of a server holds. Every fifth key has a time to live, far in the future.

    :param count: keys.
    :param expires_ms: when the first of them ends, in milliseconds since 1970; the others one after another.
    """

    port: int
    count: int
    expires_ms: int
    database: int = 5
    _grown: dict[int, int] = field(default_factory=dict)
    """By key number: how often it was changed; absent = never."""
    _gone: set[int] = field(default_factory=set)
    _encodings: list[Reply] = field(default_factory=list)

    def fill(self) -> None:
        """Make all keys. :raises AssertionError: the server does not take them."""
        self._do(command for i in range(self.count) for command in self._made(i))
        self._encodings = self._ask_encodings()

    def encodings(self) -> set[Reply]:
        """The encodings that occur."""
        return set(self._encodings)

    def differences(self, *, has_been_reloaded: bool = False) -> list[str]:
        """How the server's keys differ from the copy; empty if nothing does. The first few in words, then a number.

        :param has_been_reloaded: from a file: a key that has been larger may have the encoding of small ones again.
        """
        if has_been_reloaded:
            self._encodings = self._ask_encodings()
        found = [*self._wrong_values(), *self._wrong_encodings()]
        return [*found[:SHOWN], *([f"... {len(found)} in all"] if len(found) > SHOWN else [])]

    def live_on(self, seed: int, changes: int) -> None:
        """Change, delete and make anew keys at random, on the server and in the copy."""
        dice = random.Random(seed)
        commands: list[Words] = []
        for i in dice.choices(range(self.count), k=changes):
            commands += self._changed(i, dice.random())
        self._do(commands)
        self._encodings = self._ask_encodings()

    def _changed(self, i: int, luck: float) -> Iterable[Words]:
        if i in self._gone:
            self._gone.discard(i)
            self._grown.pop(i, None)
            return self._made(i)
        if luck < 0.3:
            self._gone.add(i)
            return [("DEL" if luck < 0.2 else "UNLINK", _key(i))]
        turn = self._grown.get(i, 0)
        self._grown[i] = turn + 1
        return [kind_of(i).grow(_key(i), i, turn)]

    def _made(self, i: int) -> Iterator[Words]:
        yield from kind_of(i).fill(_key(i), i)
        if self._has_ttl(i):
            yield ("PEXPIREAT", _key(i), self.expires_ms + i)

    def _has_ttl(self, i: int) -> bool:
        return i % 5 == 0

    def _do(self, commands: Iterable[Words]) -> None:
        with self._client() as client:
            errors = [one for one in client.pipeline(commands) if isinstance(one, RedisError)]
        assert errors == [], errors[:SHOWN]

    def _client(self) -> RedisClient:
        client = RedisClient(self.port, timeout=60.0)
        assert client.call("SELECT", self.database) == b"OK"
        return client

    def _kept(self) -> list[int]:
        return [i for i in range(self.count) if i not in self._gone]

    def _wrong_values(self) -> Iterator[str]:
        kept = self._kept()
        with self._client() as client:
            size = client.call("DBSIZE")
            if size != len(kept):
                yield f"database {self.database} has {size!r} keys, not {len(kept)}"
            for i, reply in zip(kept, client.pipeline(kind_of(i).read(_key(i)) for i in kept), strict=True):
                kind = kind_of(i)
                if kind.value(reply) != kind.expected(i, self._grown.get(i, 0)):
                    yield _told(i, kind, reply)
            mortal = [i for i in kept if self._has_ttl(i)]
            for i, reply in zip(mortal, client.pipeline(("PEXPIRETIME", _key(i)) for i in mortal), strict=True):
                if reply != self.expires_ms + i:
                    yield f"key {i} ends at {reply!r}, not {self.expires_ms + i}"
            for i, reply in zip(
                gone := sorted(self._gone), client.pipeline(("EXISTS", _key(i)) for i in gone), strict=True
            ):
                if reply != 0:
                    yield f"key {i} was deleted and is there"

    def _wrong_encodings(self) -> Iterator[str]:
        for i, (had, has) in enumerate(zip(self._encodings, self._ask_encodings(), strict=True)):
            if had != has:
                yield f"key {i} ({kind_of(i).name}) had encoding {had!r} and has {has!r}"

    def _ask_encodings(self) -> list[Reply]:
        with self._client() as client:
            return list(client.pipeline(("OBJECT", "ENCODING", _key(i)) for i in range(self.count)))


def _key(i: int) -> bytes:
    return b"key:%d" % i


def _told(i: int, kind: Kind, reply: Reply) -> str:
    return f"key {i} ({kind.name}) holds {repr(reply)[:80]}, not {repr(kind.expected(i, 0))[:80]}"
