"""What a connection can be in the middle of when an update comes: each role puts one connection there and then goes on.

A role is prepared and finished once a turn, on the same connection, so that several updates in a row can be proven.
"""

from __future__ import annotations

import random
import struct
from typing import ClassVar

from tests.support.memcached_client import MemcachedClient, UnexpectedAnswer
from tests.support.server_view import send_buffer_limit


def blob(name: bytes, size: int) -> bytes:
    """``size`` bytes that follow from ``name``."""
    return random.Random(name).randbytes(size)


class Role:
    """One connection and what it is doing. Subclasses say what with `prepare` and how it must go on with `finish`.

    :param number: which one of its kind; varies where a request is cut.
    """

    name: ClassVar[str]
    receive_buffer: ClassVar[int | None] = None
    read_ahead: ClassVar[int] = 1 << 16
    patience: ClassVar[float] = 0.0
    """Seconds that a server in order may need for an answer."""

    def __init__(self, port: int, number: int) -> None:
        self.client = MemcachedClient(port, receive_buffer=self.receive_buffer, read_ahead=self.read_ahead)
        self.number = number
        self.key = b""

    def begin(self, turn: int) -> None:
        """Prepare for the update that is number ``turn`` of this connection's life."""
        self.key = f"scene:{self.name}:{self.number}:{turn}".replace(" ", "-").encode()
        self.prepare()

    def prepare(self) -> None:
        """Bring the connection into its state.

        :raises ClientFailure: the server answers wrongly even before the update.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """Go on where `prepare` stopped.

        :raises ClientFailure: the server does not go on rightly.
        """
        raise NotImplementedError

    def answer_bytes(self) -> int:
        """Bytes of an answer that the server cannot have written in full, 0 if none is in flight."""
        return 0

    # What all roles share.

    def expect_stored(self, data: bytes, *, flags: int = 0) -> None:
        """The key must hold exactly ``data``."""
        value = self.client.get(self.key)
        if value is None or value.data != data or value.flags != flags:
            got = "nothing" if value is None else f"{len(value.data)} bytes, flags {value.flags}"
            raise UnexpectedAnswer(f"{self.key.decode()} holds {got}, not the {len(data)} bytes that were sent")

    def expect_silence(self) -> None:
        """Nothing may have been answered to half a request."""
        if self.client.has_input():
            raise UnexpectedAnswer(f"{self.key.decode()}: an answer, or the end of the connection, to half a request")


class NeverUsed(Role):
    """Connected, not a byte sent (in its first turn)."""

    name = "never used"

    def prepare(self) -> None:
        """Nothing."""

    def finish(self) -> None:
        """The first request must be answered."""
        self.client.set(self.key, self.key)
        self.expect_stored(self.key)


class IdleAfterUse(Role):
    """Idle between two requests."""

    name = "idle after use"

    def prepare(self) -> None:
        """Store and read back."""
        self.client.set(self.key, blob(self.key, 300), flags=self.number)
        self.expect_stored(blob(self.key, 300), flags=self.number)

    def finish(self) -> None:
        """The item is still there, can be replaced and deleted."""
        self.expect_stored(blob(self.key, 300), flags=self.number)
        self.client.set(self.key, b"new")
        self.expect_stored(b"new")
        if not self.client.delete(self.key) or self.client.get(self.key) is not None:
            raise UnexpectedAnswer(f"{self.key.decode()} cannot be deleted")


class HalfSplit(Role):
    """A request of which the server has read the first part only. Subclasses give the request and where to cut it."""

    def request(self) -> bytes:
        """The whole request."""
        raise NotImplementedError

    def cut(self, request: bytes) -> int:
        """How many bytes of it are sent before the update."""
        raise NotImplementedError

    def check_answer(self) -> None:
        """Read the answer and check what it did."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Send the first part."""
        request = self.request()
        self.client.send(request[: self.cut(request)])

    def finish(self) -> None:
        """Send the rest."""
        self.expect_silence()
        request = self.request()
        self.client.send(request[self.cut(request) :])
        self.check_answer()


class HalfHeader(HalfSplit):
    """A `set` line cut at some byte, once just before its line feed."""

    name = "half set header"

    def request(self) -> bytes:
        """A small `set`."""
        return b"set %s 5 0 100\r\n%s\r\n" % (self.key, blob(self.key, 100))

    def cut(self, request: bytes) -> int:
        """After 1, 4, … bytes of the line."""
        end = request.index(b"\n")
        return (1, 4, 10, end - 4, end - 1, end)[self.number % 6]

    def check_answer(self) -> None:
        """STORED, once."""
        self.client.expect_line(b"STORED")
        self.expect_stored(blob(self.key, 100), flags=5)


class HalfBody(HalfSplit):
    """A storage command whose data block is cut: small ones, some in one chunk, some in several chunks of memory."""

    name = "half set body"
    verbs: ClassVar = ((b"set", b""), (b"add", b""), (b"replace", b"old"), (b"append", b"old"), (b"prepend", b"old"))
    sizes: ClassVar = (40, 5_000, 300_000, 900_000)

    @property
    def _data(self) -> bytes:
        return blob(self.key, self.sizes[self.number % 4])

    @property
    def _verb(self) -> tuple[bytes, bytes]:
        return self.verbs[self.number % 5]

    def prepare(self) -> None:
        """Store what the verb needs, then send the first part."""
        if self._verb[1]:
            self.client.set(self.key, self._verb[1])
        super().prepare()

    def request(self) -> bytes:
        """The verb with its whole data block."""
        return b"%s %s 0 0 %d\r\n%s\r\n" % (self._verb[0], self.key, len(self._data), self._data)

    def cut(self, request: bytes) -> int:
        """After none, one, half, all of the data, or all but the last line feed."""
        start, end = request.index(b"\n") + 1, len(request)
        return (start, start + 1, (start + end) // 2, end - 2, end - 1)[self.number // 4 % 5]

    def check_answer(self) -> None:
        """STORED; the item is what the verb makes of the two parts."""
        self.client.expect_line(b"STORED")
        verb, old = self._verb
        wanted = {b"append": old + self._data, b"prepend": self._data + old}.get(verb, self._data)
        self.expect_stored(wanted)


class HalfMultiget(HalfSplit):
    """A `get` of many keys, its line cut beyond 2 KiB: the server has moved it into a larger buffer."""

    name = "half multiget"

    def _keys(self) -> list[bytes]:
        return [b"%s:%03d" % (self.key, i) for i in range(300)]

    def prepare(self) -> None:
        """Store every third key, then send the first part."""
        for key in self._keys()[::3]:
            self.client.set(key, key, noreply=True)
        self.client.version()
        super().prepare()

    def request(self) -> bytes:
        """300 keys, about 10 kB."""
        return b"get " + b" ".join(self._keys()) + b"\r\n"

    def cut(self, request: bytes) -> int:
        """Some kilobytes into the line."""
        return 3000 + 2000 * (self.number % 3)

    def check_answer(self) -> None:
        """Every third key and no other."""
        for key in self._keys()[::3]:
            if self.client.read_value(key).data != key:
                raise UnexpectedAnswer(f"{key.decode()} has another value")
        self.client.expect_line(b"END")


class LargeGet(Role):
    """An answer larger than any send buffer, of which the client has read nothing: the server is halfway."""

    name = "large get in flight"
    receive_buffer = 8192
    read_ahead = 1
    _size: ClassVar = 1_000_000

    @property
    def _count(self) -> int:
        return 2 + -(-send_buffer_limit() // self._size)

    def _keys(self) -> list[bytes]:
        return [b"%s:%d" % (self.key, i) for i in range(self._count)]

    def prepare(self) -> None:
        """Store the values, ask for all, read nothing."""
        for key in self._keys():
            self.client.set(key, blob(key, self._size))
        self.client.send(b"get " + b" ".join(self._keys()) + b"\r\n")

    def finish(self) -> None:
        """Every byte comes."""
        for key in self._keys():
            if self.client.read_value(key).data != blob(key, self._size):
                raise UnexpectedAnswer(f"{key.decode()} came with wrong bytes")
        self.client.expect_line(b"END")

    def answer_bytes(self) -> int:
        """All of it."""
        return self._count * self._size


class HalfReadBatch(Role):
    """Hundreds of pipelined requests, some answers read, the server blocked in writing one and with requests unread."""

    name = "half read batch"
    receive_buffer = 8192
    read_ahead = 1
    _count: ClassVar = 300
    _read: ClassVar = 20

    def _wanted(self) -> bytes:
        return blob(self.key, (send_buffer_limit() + 2_000_000) // (self._count - self._read))

    def prepare(self) -> None:
        """Ask 300 times, read 20 answers."""
        self.client.set(self.key, self._wanted())
        self.client.send(b"get %s\r\n" % self.key * self._count)
        self._take(self._read)

    def finish(self) -> None:
        """The other answers come, then the connection still works."""
        self._take(self._count - self._read)
        self.expect_stored(self._wanted())

    def answer_bytes(self) -> int:
        """What was not read."""
        return (self._count - self._read) * len(self._wanted())

    def _take(self, count: int) -> None:
        wanted = self._wanted()
        for _ in range(count):
            if self.client.read_value(self.key).data != wanted:
                raise UnexpectedAnswer(f"{self.key.decode()} came with wrong bytes")
            self.client.expect_line(b"END")


class AnswerPending(Role):
    """An answer that the server has written and the client has not read."""

    name = "answer not read"

    def prepare(self) -> None:
        """Store, ask, do not read."""
        self.client.set(self.key, blob(self.key, 50_000))
        self.client.send(b"get %s\r\nincr %s:n 1\r\n" % (self.key, self.key))

    def finish(self) -> None:
        """Both answers come once."""
        if self.client.read_value(self.key).data != blob(self.key, 50_000):
            raise UnexpectedAnswer(f"{self.key.decode()} came with wrong bytes")
        self.client.expect_line(b"END")
        self.client.expect_line(b"NOT_FOUND")
        self.client.version()


class PendingCas(Role):
    """A CAS value in the client's hand; every other connection has also sent half of the `cas`."""

    name = "gets before cas"

    def prepare(self) -> None:
        """Take the CAS value."""
        self.client.set(self.key, b"first")
        value = self.client.gets(self.key)
        if value is None:
            raise UnexpectedAnswer(f"{self.key.decode()} is missing right after it was set")
        self._cas = value.cas
        self._request = b"cas %s 0 0 6 %d\r\nsecond\r\n" % (self.key, self._cas)
        self._sent = len(self._request) - 4 if self.number % 2 else 0
        self.client.send(self._request[: self._sent])

    def finish(self) -> None:
        """It is right once and stale afterwards."""
        self.expect_silence()
        self.client.send(self._request[self._sent :])
        self.client.expect_line(b"STORED")
        if self.client.cas(self.key, b"third!", self._cas) != "EXISTS":
            raise UnexpectedAnswer(f"{self.key.decode()}: a stale CAS value was accepted")
        self.expect_stored(b"second")


class Counter(HalfSplit):
    """A counter that must not lose or repeat a step; an `incr` is half sent."""

    name = "incr"

    def prepare(self) -> None:
        """Count to 18446744073709551610, then send half an `incr`."""
        self.client.set(self.key, b"18446744073709551609")
        if self.client.incr(self.key) != 18446744073709551610:
            raise UnexpectedAnswer("incr is wrong before the update")
        super().prepare()

    def request(self) -> bytes:
        """One step."""
        return b"incr %s 1\r\n" % self.key

    def cut(self, request: bytes) -> int:
        """Every third connection has sent nothing."""
        return 0 if self.number % 3 == 0 else len(request) - 2 * (self.number % 3)

    def check_answer(self) -> None:
        """One further, and one more."""
        self.client.expect_line(b"18446744073709551611")
        if self.client.incr(self.key, 2) != 18446744073709551613:
            raise UnexpectedAnswer(f"{self.key.decode()} counts wrongly")


class HalfMetaSet(HalfSplit):
    """`ms` with a cut data block."""

    name = "half meta set"

    def request(self) -> bytes:
        """Flags F7, time to live, key echoed."""
        return b"ms %s 3000 F7 T900 k\r\n%s\r\n" % (self.key, blob(self.key, 3000))

    def cut(self, request: bytes) -> int:
        """In the line or in the data."""
        return (5, request.index(b"\n") + 1, len(request) // 2, len(request) - 1)[self.number % 4]

    def check_answer(self) -> None:
        """HD, then the item with its flags and time to live."""
        answer = self.client.read_meta()
        if answer.code != "HD" or answer.flag("k") != self.key.decode():
            raise UnexpectedAnswer(f"ms {self.key.decode()} answered {answer}")
        self.expect_stored(blob(self.key, 3000), flags=7)
        left = int(self.client.meta(b"mg %s t" % self.key).flag("t") or 0)
        if not 0 < left <= 900:
            raise UnexpectedAnswer(f"{self.key.decode()} has {left} s to live, not up to 900")


class MetaPipeline(HalfSplit):
    """Quiet `mg` commands, ended by `mn`, of which one byte is sent."""

    name = "meta pipeline"

    def prepare(self) -> None:
        """Store one of the two keys first."""
        self.client.set(self.key, blob(self.key, 200))
        super().prepare()

    def request(self) -> bytes:
        """A miss (silent), a hit, the end."""
        return b"mg %s:none v q\r\nmg %s v q k O%d\r\nmn\r\n" % (self.key, self.key, self.number)

    def cut(self, request: bytes) -> int:
        """Before or inside the hit's line: an answered hit would not be silence."""
        return request.index(b"\n") + 1 + (0, 8)[self.number % 2]

    def check_answer(self) -> None:
        """The hit with its opaque word, then MN."""
        answer = self.client.read_meta()
        wanted = ("VA", blob(self.key, 200), str(self.number))
        if (answer.code, answer.data, answer.flag("O")) != wanted:
            raise UnexpectedAnswer(f"mg {self.key.decode()} answered {answer.code} {answer.flags}")
        self.client.expect_line(b"MN")


class HalfNoreply(HalfSplit):
    """A `noreply` set with a cut data block, after many whole ones."""

    name = "noreply"

    def _others(self) -> list[bytes]:
        return [b"%s:%d" % (self.key, i) for i in range(50)]

    def prepare(self) -> None:
        """50 whole ones and a delete, then half a one."""
        for key in self._others():
            self.client.set(key, key, noreply=True)
        self.client.send(b"delete %s noreply\r\n" % self._others()[0])
        super().prepare()

    def request(self) -> bytes:
        """A set that is not answered."""
        return b"set %s 0 0 2000 noreply\r\n%s\r\n" % (self.key, blob(self.key, 2000))

    def cut(self, request: bytes) -> int:
        """In the line, or in the data."""
        return (request.index(b"\n") - 3, len(request) - 700)[self.number % 2]

    def check_answer(self) -> None:
        """No answer to it; all items are right."""
        self.expect_stored(blob(self.key, 2000))
        found = self.client.get_many(self._others())
        if {key: value.data for key, value in found.items()} != {key: key for key in self._others()[1:]}:
            raise UnexpectedAnswer(f"{self.key.decode()}: {len(found)} of 49 items stored without a reply are right")


class HalfBinary(HalfSplit):
    """A request of the binary protocol, cut in its header or in its key. Source: doc/protocol-binary.txt."""

    name = "half binary request"

    def request(self) -> bytes:
        """GETK (opcode 12) of a key that is not there, so that the answer repeats the key."""
        return struct.pack(">BBHBBHIIQ", 0x80, 0x0C, len(self.key), 0, 0, 0, len(self.key), 77, 0) + self.key

    def cut(self, request: bytes) -> int:
        """In the header or in the key."""
        return (10, 30)[self.number % 2]

    def check_answer(self) -> None:
        """Status 1, not found, with our opaque word."""
        magic, opcode, _, _, _, status, size, opaque, _ = struct.unpack(">BBHBBHIIQ", self.client.read_exactly(24))
        body = self.client.read_exactly(size)
        if (magic, opcode, status, opaque) != (0x81, 0x0C, 1, 77) or self.key not in body:
            raise UnexpectedAnswer(f"binary get answered {magic:#x} {opcode} status {status} opaque {opaque}")


class Watcher(Role):
    """`watch connevents`: the server's log thread, not a worker, writes to this connection."""

    name = "watch"
    patience = 4.0  # the log thread sleeps for up to a second between two looks (logger.c, MAX_LOGGER_SLEEP)

    def prepare(self) -> None:
        """Begin to watch, in the first turn."""
        if self.key.endswith(b":1"):
            self.client.send(b"watch connevents\r\n")
            self.client.expect_line(b"OK")

    def finish(self) -> None:
        """A new connection must be told of."""
        with MemcachedClient(self.client.port) as fresh:
            fresh.version()
            wanted = b"rport=%d" % fresh.local_port
            for _ in range(10_000):
                if wanted in self.client.read_line(end=b"\n").split(b" "):
                    return
        raise UnexpectedAnswer("10,000 lines of the log, and none of the new connection")
