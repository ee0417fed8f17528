"""Clients that push a server on: each sends one request after the other and checks every answer.

Redis: `RedisPusher` gives its background threads work, too. A proxy: `ProxyPusher` needs an `Origin` behind it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Protocol

from tests.support.redis_client import RedisClient

HOST = "127.0.0.1"
TIMEOUT_S = 5.0

SET_SIZE = 300  # redis leaves what has more than 64 parts to a thread of its own
LAZY_EVERY = 25


class WrongAnswer(Exception):
    """An answer that is not what the request asked for."""


class Pusher(Protocol):
    """One client."""

    def push(self, number: int) -> None:
        """One request and its answer.

        :raises WrongAnswer: or OSError.
        """
        ...


class RedisPusher:
    """Sets, reads and counts its own keys; now and then it makes a large set and lets redis free it by a thread."""

    def __init__(self, port: int, index: int) -> None:
        self._client = RedisClient(port, TIMEOUT_S)
        self._index = index
        self._count = 0
        self._client.call("DEL", f"n:{index}")

    def push(self, number: int) -> None:
        """As `Pusher`."""
        key, value = f"k:{self._index}:{number % 50}", f"{number}:" + "x" * (number % 300)
        if number % LAZY_EVERY == 0:
            members = [f"member {one}" for one in range(SET_SIZE)]
            self._expect(SET_SIZE, "SADD", f"s:{self._index}", *members)
            self._expect(1, "UNLINK", f"s:{self._index}")
        elif number % 2:
            self._expect(b"OK", "SET", key, value)
            self._expect(value.encode(), "GET", key)
        else:
            self._count += 1
            self._expect(self._count, "INCR", f"n:{self._index}")

    def _expect(self, wanted: object, *words: str) -> None:
        if (answer := self._client.call(*words)) != wanted:
            raise WrongAnswer(f"{words[0]}: {answer!r} instead of {wanted!r}")


class ProxyPusher:
    """Asks for a page through the proxy, on a connection of its own each time."""

    def __init__(self, port: int, index: int) -> None:
        self._port = port
        self._index = index
        self._origin = Origin()

    def push(self, number: int) -> None:
        """As `Pusher`."""
        page = f"/{self._index}/{number}"
        request = f"GET http://{HOST}:{self._origin.port}{page} HTTP/1.0\r\nHost: {HOST}\r\n\r\n"
        with closing(socket.create_connection((HOST, self._port), TIMEOUT_S)) as connection:
            connection.sendall(request.encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        if not answer.endswith(page.encode() * 100) or b" 200 " not in answer[:20]:
            raise WrongAnswer(f"GET {page}: {answer[:80]!r}…{answer[-20:]!r}")


class Origin:
    """The server behind a proxy: a page says its own name a hundred times. Its thread ends with the process."""

    def __init__(self) -> None:
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with closing(connection), suppress(OSError):
                request = b""
                while b"\r\n\r\n" not in request and (part := connection.recv(65536)):
                    request += part
                page = request.split(b" ")[1]
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (100 * len(page)) + page * 100)


PUSHERS: dict[str, Callable[[int, int], Pusher]] = {"redis": RedisPusher, "proxy": ProxyPusher}
"""By name; arguments are the server's port and the client's number."""
