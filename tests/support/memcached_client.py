"""A blocking client of memcached's text protocol that also lets a test stop in the middle of a request or of an answer.

Source: doc/protocol.txt of memcached 1.6.18 and 1.6.38.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"


class ClientFailure(Exception):
    """The server did not do what its protocol says; the text names the connection by its local port."""


class UnexpectedAnswer(ClientFailure):
    """An answer came, but not the right one."""


class ConnectionLost(ClientFailure):
    """The connection was closed or reset by the server."""


class AnswerTimeout(ClientFailure):
    """No answer came in time."""


@dataclass(frozen=True, slots=True)
class Value:
    """One item as `get` or `gets` answers it. ``cas`` is 0 after a plain `get`."""

    data: bytes
    flags: int
    cas: int = 0


@dataclass(frozen=True, slots=True)
class MetaAnswer:
    """The answer to a meta command: its two-letter code, its flags, and the value if one came (`VA`)."""

    code: str
    flags: tuple[str, ...]
    data: bytes | None = None

    def flag(self, letter: str) -> str | None:
        """What stands after ``letter`` in the flags, or None if the flag is absent."""
        return next((flag[1:] for flag in self.flags if flag[0] == letter), None)


class MemcachedClient:
    """One TCP connection. It is never opened again: when it breaks, every later call fails.

    :param timeout: seconds without a byte after which a call fails.
    :param receive_buffer: SO_RCVBUF in bytes, set before connecting; small values let the server block in a write.
    :param read_ahead: bytes that a read may take from the kernel beyond what was asked for; 0 or 1 takes none.
    :raises ClientFailure: in every call, when the answer is wrong, late, or the connection is gone.
    """

    def __init__(
        self, port: int, *, timeout: float = 10.0, receive_buffer: int | None = None, read_ahead: int = 1 << 16
    ) -> None:
        self.port = port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if receive_buffer is not None:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self._socket.settimeout(timeout)
            self._socket.connect((HOST, port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            self._socket.close()
            raise ConnectionLost(f"cannot connect to port {port}: {error}") from error
        self._read_ahead = max(1, read_ahead)
        self._input = bytearray()
        self._local_port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def socket(self) -> socket.socket:
        """The socket itself, for those who look at it from outside."""
        return self._socket

    @property
    def local_port(self) -> int:
        """The client's TCP port: the name of this connection."""
        return self._local_port

    @property
    def socket_inode(self) -> int:
        """The inode of the client's own end."""
        return os.fstat(self._socket.fileno()).st_ino

    def set_timeout(self, seconds: float) -> None:
        """Fail later calls after so many seconds without a byte."""
        self._socket.settimeout(seconds)

    def close(self) -> None:
        """Close the connection; harmless if closed."""
        self._socket.close()

    # Raw access.

    def send(self, data: bytes) -> None:
        """Send exactly these bytes."""
        try:
            self._socket.sendall(data)
        except TimeoutError as error:
            raise AnswerTimeout(f"{self._who}: the server takes no more bytes") from error
        except OSError as error:
            raise ConnectionLost(f"{self._who}: {error}") from error

    def read_line(self, limit: int = 1 << 16, end: bytes = b"\r\n") -> bytes:
        """The next line without its ``end``.

        :raises UnexpectedAnswer: the line is longer than ``limit`` bytes.
        """
        searched = 0
        while (place := self._input.find(end, max(0, searched - 1))) < 0:
            searched = len(self._input)
            if searched > limit:
                raise UnexpectedAnswer(f"{self._who}: no end of line in {searched} bytes: {self._input[:60]!r}")
            self._receive(self._read_ahead)
        line = bytes(self._input[:place])
        del self._input[: place + len(end)]
        return line

    def read_exactly(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        while len(self._input) < size:
            self._receive(max(self._read_ahead, min(size - len(self._input), 1 << 20)))
        data = bytes(self._input[:size])
        del self._input[:size]
        return data

    def has_input(self) -> bool:
        """Whether a byte, or the end of the connection, waits to be read."""
        return bool(self._input) or bool(select.select([self._socket], [], [], 0)[0])

    def expect_line(self, wanted: bytes) -> None:
        """Read a line that must be ``wanted``."""
        line = self.read_line()
        if line != wanted:
            raise UnexpectedAnswer(f"{self._who}: wanted {wanted[:80]!r}, got {line[:80]!r}")

    def read_value(self, wanted_key: bytes) -> Value:
        """Read one `VALUE` line, which must be of ``wanted_key``, and its block of data."""
        line = self.read_line()
        words = line.split(b" ")
        if words[0] != b"VALUE" or words[1:2] != [wanted_key]:
            raise UnexpectedAnswer(f"{self._who}: wanted a VALUE of {wanted_key[:60]!r}, got {line[:80]!r}")
        return self.read_block(line)

    def read_block(self, line: bytes) -> Value:
        """Read the block of data that ``line``, a `VALUE` line, announces."""
        words = line.split(b" ")
        if len(words) not in (4, 5):
            raise UnexpectedAnswer(f"{self._who}: not a VALUE line: {line[:80]!r}")
        data = self.read_exactly(int(words[3]) + 2)
        if not data.endswith(b"\r\n"):
            raise UnexpectedAnswer(f"{self._who}: the block of {words[1][:60]!r} does not end with CR LF")
        return Value(data[:-2], int(words[2]), int(words[4]) if len(words) == 5 else 0)

    def command(self, line: bytes, data: bytes | None = None) -> bytes:
        """Send one command (with its data block) and read the first line of its answer."""
        self.send(line + b"\r\n" if data is None else line + b"\r\n" + data + b"\r\n")
        return self.read_line()

    # Commands.

    def set(self, key: bytes, data: bytes, *, flags: int = 0, exptime: int = 0, noreply: bool = False) -> None:
        """Store an item. ``exptime`` in seconds, 0 = never, over 30 days = a Unix time."""
        line = b"set %s %d %d %d" % (key, flags, exptime, len(data))
        if noreply:
            self.send(line + b" noreply\r\n" + data + b"\r\n")
        else:
            self._expect(self.command(line, data), b"STORED")

    def get(self, key: bytes) -> Value | None:
        """The item, or None."""
        return self._one_value(b"get ", key)

    def gets(self, key: bytes) -> Value | None:
        """The item with its CAS value, or None."""
        return self._one_value(b"gets ", key)

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, Value]:
        """The items that exist, by key, in one request."""
        self.send(b"get " + b" ".join(keys) + b"\r\n")
        return self._values_until_end(set(keys))

    def cas(self, key: bytes, data: bytes, cas: int, *, flags: int = 0) -> str:
        """Store if the item still has this CAS value: "STORED", "EXISTS" (it has another) or "NOT_FOUND"."""
        line = self.command(b"cas %s %d 0 %d %d" % (key, flags, len(data), cas), data)
        return self._one_of(line, "STORED", "EXISTS", "NOT_FOUND")

    def incr(self, key: bytes, by: int = 1) -> int | None:
        """The counter's new value, or None if there is no such item."""
        line = self.command(b"incr %s %d" % (key, by))
        if line == b"NOT_FOUND":
            return None
        if not line.isdigit():
            raise UnexpectedAnswer(f"{self._who}: incr answered {line[:80]!r}")
        return int(line)

    def touch(self, key: bytes, exptime: int) -> bool:
        """Give the item a new time to live, in seconds; False if there is no such item."""
        line = self.command(b"touch %s %d" % (key, exptime))
        return self._one_of(line, "TOUCHED", "NOT_FOUND") == "TOUCHED"

    def gat(self, key: bytes, exptime: int) -> Value | None:
        """Get and touch in one."""
        return self._one_value(b"gat %d " % exptime, key)

    def delete(self, key: bytes) -> bool:
        """Remove the item; False if there was none."""
        return self._one_of(self.command(b"delete " + key), "DELETED", "NOT_FOUND") == "DELETED"

    def flush_all(self) -> None:
        """Make every item older than this second invalid."""
        self._expect(self.command(b"flush_all"), b"OK")

    def version(self) -> str:
        """The version that the server says it is, such as "1.6.38"."""
        line = self.command(b"version")
        if not line.startswith(b"VERSION "):
            raise UnexpectedAnswer(f"{self._who}: version answered {line[:80]!r}")
        return line.removeprefix(b"VERSION ").decode()

    def stats(self, group: str = "") -> dict[str, str]:
        """The statistics, general or of one group ("items", "slabs", "settings"…)."""
        self.send(f"stats {group}".rstrip().encode() + b"\r\n")
        found: dict[str, str] = {}
        while (line := self.read_line()) != b"END":
            if not line.startswith(b"STAT "):
                raise UnexpectedAnswer(f"{self._who}: stats answered {line[:80]!r}")
            name, _, value = line.removeprefix(b"STAT ").partition(b" ")
            found[name.decode()] = value.decode()
        return found

    def meta(self, line: bytes, data: bytes | None = None) -> MetaAnswer:
        """Send one meta command (`mg`, `ms`, `md`, `ma`, `mn`) and read its answer."""
        return self.read_meta(self.command(line, data))

    def read_meta(self, line: bytes | None = None) -> MetaAnswer:
        """Read one meta answer, whose first line may have been read already."""
        words = (self.read_line() if line is None else line).decode().split(" ")
        if words[0] != "VA":
            return MetaAnswer(words[0], tuple(word for word in words[1:] if word))
        data = self.read_exactly(int(words[1]) + 2)
        return MetaAnswer("VA", tuple(words[2:]), data[:-2])

    # Private parts.

    @property
    def _who(self) -> str:
        return f"connection {self._local_port}"

    # One read from the kernel into the buffer, of at most `size` bytes.
    def _receive(self, size: int) -> None:
        try:
            data = self._socket.recv(size)
        except TimeoutError as error:
            raise AnswerTimeout(f"{self._who}: no answer in {self._socket.gettimeout()} s") from error
        except OSError as error:
            raise ConnectionLost(f"{self._who}: {error}") from error
        if not data:
            raise ConnectionLost(f"{self._who}: closed by the server")
        self._input += data

    def _expect(self, line: bytes, wanted: bytes) -> None:
        if line != wanted:
            raise UnexpectedAnswer(f"{self._who}: wanted {wanted!r}, got {line[:80]!r}")

    def _one_of(self, line: bytes, *wanted: str) -> str:
        text = line.decode(errors="replace")
        if text not in wanted:
            raise UnexpectedAnswer(f"{self._who}: wanted {' or '.join(wanted)}, got {text[:80]!r}")
        return text

    def _one_value(self, verb: bytes, key: bytes) -> Value | None:
        self.send(verb + key + b"\r\n")
        return self._values_until_end({key}).get(key)

    def _values_until_end(self, keys: Iterable[bytes]) -> dict[bytes, Value]:
        found: dict[bytes, Value] = {}
        wanted = set(keys)
        while (line := self.read_line()) != b"END":
            key = line.split(b" ")[1] if line.startswith(b"VALUE ") else b""
            if key not in wanted:
                raise UnexpectedAnswer(f"{self._who}: get answered {line[:80]!r}")
            found[key] = self.read_block(line)
        return found
