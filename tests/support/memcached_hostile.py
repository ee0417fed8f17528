"""Hostile data in items of memcached, and in a request of which the server has half."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tests.support.hostile import hostile_values
from tests.support.memcached_client import MemcachedClient


class MemcachedHostile:
    """``with MemcachedHostile(port, words) as data:`` stores it; update; ``data.differences()`` must be empty.

    :param words: that look like addresses of the server.
    """

    def __init__(self, port: int, words: Sequence[int]) -> None:
        self._port = port
        self._values = [one * times for one in hostile_values(words) for times in (1, 3)]

    def __enter__(self) -> Self:
        self._client, self._half = MemcachedClient(self._port), MemcachedClient(self._port)
        for n, one in enumerate(self._values):
            self._client.set(b"hostile:%d" % n, one)
        self._body = self._values[5] * 8
        self._half.send(b"set half 0 0 %d\r\n" % len(self._body) + self._body[:-100])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self._half.close()

    def differences(self) -> list[str]:
        """What is not byte for byte as it was stored."""
        found = []
        for n, one in enumerate(self._values):
            value = self._client.get(b"hostile:%d" % n)
            if value is None or value.data != one:
                found.append(f"item {n}")
        self._half.send(self._body[-100:] + b"\r\n")
        self._half.expect_line(b"STORED")
        value = self._client.get(b"half")
        return [*found, *(["half a request"] if value is None or value.data != self._body else [])]
