"""Hostile data in every kind of value and buffer that redis has, and what of it comes back.

Left out are strings of less than 45 bytes, which stand behind their object without a type of their own, and numbers,
which stand in a `void *`: there words that lead into the old image are taken for pointers, and refuse the update.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from tests.support.hostile import hostile_values
from tests.support.redis_client import RedisClient, Reply, Words, request
from tests.support.redis_kinds import command_words

BIG = 4 << 20
"""Bytes of an answer that is still in the server's buffers."""


class RedisHostile:
    """``with RedisHostile(port, words) as data:`` stores it; update the server; ``data.differences()`` must be empty.

    :param words: that look like addresses of the server.
    """

    def __init__(self, port: int, words: Sequence[int]) -> None:
        self._port = port
        self._values = list(hostile_values(words))
        self._words = words
        self._big = b"".join(self._values)
        self._big = (self._big * (BIG // len(self._big) + 1))[:BIG]
        self._before: list[Reply] = []

    def __enter__(self) -> Self:
        self._client = RedisClient(self._port, timeout=60.0)
        self._half = RedisClient(self._port)
        self._multi = RedisClient(self._port)
        self._reader = RedisClient(self._port, receive_buffer=32768)
        for reply in self._client.pipeline(self._stores()):
            assert reply not in (None, 0), reply
        self._half.send(request("SET", "half", self._big)[: -BIG // 2])
        assert self._multi.call("MULTI") == b"OK"
        assert self._multi.call("MSET", *self._multi_words()) == b"QUEUED"
        self._reader.send(request("GET", "big"))
        self._before = list(self._client.pipeline(self._reads()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in (self._client, self._half, self._multi, self._reader):
            client.close()

    def differences(self) -> list[str]:
        """What is not byte for byte as it was stored."""
        found = [
            command_words(words)
            for words, was, now in zip(self._reads(), self._before, self._client.pipeline(self._reads()), strict=True)
            if was != now
        ]
        if self._reader.answer() != self._big:
            found.append("an answer on its way")
        self._half.send(request("SET", "half", self._big)[-BIG // 2 :])
        if self._half.answer() != b"OK" or self._client.call("GET", "half") != self._big:
            found.append("half a command")
        if self._multi.call("EXEC") != [b"OK"] or self._client.call("MGET", *self._multi_words()[::2]) != [
            *self._multi_words()[1::2]
        ]:
            found.append("a queued command")
        return found

    def _multi_words(self) -> list[str | bytes]:
        return [word for n, one in enumerate(self._values) for word in (f"multi:{n}", one)]

    def _stores(self) -> Iterator[Words]:
        for n, one in enumerate(self._values):
            yield ("SET", f"raw:{n}", one)
            yield ("SET", one, n)
            yield ("SETRANGE", f"grown:{n}", n % 8, one)
            yield ("SADD", f"members:{n % 7}", one)
            yield ("HSET", f"fields:{n % 7}", one, one)
            yield ("HSET", f"small:{n}", "f", one[:60])
            yield ("ZADD", f"scores:{n % 7}", n, one)
            yield ("RPUSH", f"list:{n % 7}", one, one[:9])
            yield ("XADD", f"stream:{n % 7}", f"{n + 1}-1", one[:30], one)
            yield ("CLIENT", "SETNAME", f"name{n}")
        yield ("SADD", "integers", *self._words)
        yield ("SET", "big", self._big)
        for n, word in enumerate(self._words[:100]):
            yield ("ZADD", "doubles", str(struct.unpack("<d", struct.pack("<Q", word))[0]), f"m{n}")
        script = b"return {" + b",".join(b"%d" % one for one in self._words[:200]) + b"}"
        yield ("SCRIPT", "LOAD", script)
        text = b"return '" + b"".join(b"\\%03d" % byte for byte in self._values[3]) + b"'"
        yield ("EVAL", text, 0)

    def _reads(self) -> Iterator[Words]:
        for n, one in enumerate(self._values):
            yield ("GET", f"raw:{n}")
            yield ("GET", one)
            yield ("GET", f"grown:{n}")
            yield ("HGET", f"small:{n}", "f")
        for n in range(7):
            yield ("LRANGE", f"list:{n}", 0, -1)
            yield ("ZRANGE", f"scores:{n}", 0, -1, "WITHSCORES")
            yield ("XRANGE", f"stream:{n}", "-", "+")
            yield ("SORT", f"members:{n}", "ALPHA")
        for one in self._values:
            yield ("HGET", f"fields:{self._values.index(one) % 7}", one)
        yield ("SORT", "integers")
        yield ("GET", "big")
        for n in range(100):
            yield ("ZSCORE", "doubles", f"m{n}")
