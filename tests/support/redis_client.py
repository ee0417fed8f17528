"""A plain RESP2 and RESP3 client: enough of Redis's protocol for the live proofs. Source: redis.io, "protocol spec"."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from types import TracebackType
from typing import Self, TypeAlias

HOST = "127.0.0.1"
BATCH = 500

Word: TypeAlias = str | bytes | int
Words: TypeAlias = tuple[Word, ...]
Reply: TypeAlias = "bytes | int | RedisError | list[Reply] | None"


class RedisError(Exception):
    """The server's answer begins with a minus."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RedisError) and self.args == other.args

    def __hash__(self) -> int:
        return hash(self.args)


class RedisClient:
    """One connection. Errors are returned as values, so that a test can compare them.

    :param receive_buffer: bytes of the kernel's buffer, so that large answers stay with the server.
    """

    def __init__(self, port: int, timeout: float = 10.0, receive_buffer: int | None = None) -> None:
        self._timeout = timeout
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect((HOST, port))
        except OSError:
            self.socket.close()
            raise
        self._stream = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def local_port(self) -> int:
        """The client's own port."""
        port: int = self.socket.getsockname()[1]
        return port

    def set_timeout(self, seconds: float) -> None:
        """How long an answer may take."""
        self._timeout = seconds
        self.socket.settimeout(seconds)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()
        self.socket.close()

    def call(self, *words: Word) -> Reply:
        """Send a command and wait for its answer."""
        self.send(request(*words))
        return self.answer()

    def send(self, data: bytes) -> None:
        """Send bytes, whole commands or not."""
        self.socket.sendall(data)

    def pipeline(self, commands: Iterable[Words]) -> Iterator[Reply]:
        """Send commands many at a time; their answers in order."""
        rest = iter(commands)
        while batch := list(islice(rest, BATCH)):
            self.send(b"".join(request(*one) for one in batch))
            for _ in batch:
                yield self.answer()

    def answer(self) -> Reply:
        """The next answer; a map of RESP3 is a flat list. :raises ConnectionError: the server has closed."""
        line = self._stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        match kind:
            case b"+" | b",":
                return rest
            case b"-":
                return RedisError(rest.decode())
            case b":":
                return int(rest)
            case b"$":
                return self._bulk(int(rest))
            case b"*" | b"~" | b">":
                return None if rest == b"-1" else [self.answer() for _ in range(int(rest))]
            case b"%":
                return [self.answer() for _ in range(2 * int(rest))]
            case b"_":
                return None
            case _:
                raise ConnectionError(f"no answer begins with {line[:20]!r}")

    def is_silent(self, seconds: float = 0.05) -> bool:
        """Whether nothing comes for that long."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(self._timeout)

    def _bulk(self, size: int) -> bytes | None:
        if size < 0:
            return None
        data = self._stream.read(size + 2)
        if len(data) != size + 2:
            raise ConnectionError("the server closed the connection in an answer")
        return data[:-2]


def request(*words: Word) -> bytes:
    """A command as RESP has it."""
    parts = [one if isinstance(one, bytes) else str(one).encode() for one in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in parts)


def wait_until_served(port: int, timeout: float = 10.0) -> None:
    """Wait until the port answers PING, and has loaded what it loads. :raises ConnectionError: it does not in time."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            with RedisClient(port) as client:
                if client.call("PING") == b"PONG":
                    return
        except OSError:
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            raise ConnectionError(f"port {port} does not serve in {timeout} s")
        time.sleep(0.02)  # redis has no way to tell that it listens
