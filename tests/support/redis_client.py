"""A plain RESP2 client: enough of Redis's protocol for the live proofs. Source: redis.io, "RESP protocol spec"."""

from __future__ import annotations

import socket
import time
from types import TracebackType
from typing import Self, TypeAlias

HOST = "127.0.0.1"

Reply: TypeAlias = "bytes | int | RedisError | list[Reply] | None"


class RedisError(Exception):
    """The server's answer begins with a minus."""


class RedisClient:
    """One connection. Errors are returned as values, so that a test can compare them."""

    def __init__(self, port: int, timeout: float = 10.0) -> None:
        self._socket = socket.create_connection((HOST, port), timeout)
        self._stream = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()
        self._socket.close()

    def call(self, *words: str | bytes | int) -> Reply:
        """Send a command and wait for its answer."""
        self.send(request(*words))
        return self.answer()

    def send(self, data: bytes) -> None:
        """Send bytes, whole commands or not."""
        self._socket.sendall(data)

    def answer(self) -> Reply:
        """The next answer. :raises ConnectionError: the server has closed the connection."""
        line = self._stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return self._bulk(int(rest))
        return None if rest == b"-1" else [self.answer() for _ in range(int(rest))]

    def is_silent(self, seconds: float = 0.05) -> bool:
        """Whether nothing comes for that long."""
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(1, socket.MSG_PEEK) == b""
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(10.0)

    def _bulk(self, size: int) -> bytes | None:
        if size < 0:
            return None
        data = self._stream.read(size + 2)
        if len(data) != size + 2:
            raise ConnectionError("the server closed the connection in an answer")
        return data[:-2]


def request(*words: str | bytes | int) -> bytes:
    """A command as RESP has it."""
    parts = [one if isinstance(one, bytes) else str(one).encode() for one in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in parts)


def wait_until_served(port: int, timeout: float = 10.0) -> None:
    """Wait until the port answers PING. :raises ConnectionError: it does not in time."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            with RedisClient(port) as client:
                if client.call("PING") == b"PONG":
                    return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)  # redis has no way to tell that it listens
