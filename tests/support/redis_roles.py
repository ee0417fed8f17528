"""What a connection of redis can be in the middle of when an update comes; each role puts one there, then goes on."""

from __future__ import annotations

import time
from typing import ClassVar

from tests.support.redis_client import RedisClient, RedisError, Reply, Word, request
from tests.support.redis_kinds import text

BIG = 12 << 20
"""Bytes of an answer that cannot be sent at once to a client that does not read."""


class WrongAnswer(Exception):
    """The server's answer is not what it must be."""


class RedisRole:
    """One connection. Subclasses say what it does with `prepare`, and how it must go on with `finish`.

    :param number: which one of its kind.
    """

    name: ClassVar[str]
    receive_buffer: ClassVar[int | None] = None

    def __init__(self, port: int, number: int) -> None:
        self.port = port
        self.number = number
        self.client = RedisClient(port, receive_buffer=self.receive_buffer)

    @property
    def key(self) -> str:
        """A key of its own."""
        return f"scene:{self.name}:{self.number}".replace(" ", "-")

    def prepare(self) -> None:
        """Bring the connection into its state. :raises WrongAnswer: the server is wrong even before the update."""
        raise NotImplementedError

    def finish(self) -> None:
        """Go on. :raises WrongAnswer: the server does not go on rightly."""
        raise NotImplementedError

    def answer_bytes(self) -> int:
        """Bytes of an answer that the server cannot have written in full, 0 if none is in flight."""
        return 0

    def ask(self, expected: Reply, *words: Word) -> None:
        """A command that must have this answer."""
        self.client.send(request(*words))
        self.expect(expected)

    def expect(self, expected: Reply) -> None:
        """The next answer must be this one."""
        got = self.client.answer()
        if got != expected:
            raise WrongAnswer(f"{repr(got)[:200]}, not {repr(expected)[:200]}")

    def expect_silence(self) -> None:
        """Nothing may have been answered yet."""
        if not self.client.is_silent():
            raise WrongAnswer("an answer, or the end of the connection, too early")

    def elsewhere(self, *words: Word) -> Reply:
        """What another connection gets for a command."""
        with RedisClient(self.port) as other:
            return other.call(*words)


class Idle(RedisRole):
    """Between two commands, with a name and a database of its own."""

    name = "idle"

    def prepare(self) -> None:
        self.ask(b"OK", "CLIENT", "SETNAME", f"sleeper{self.number}")
        self.ask(b"OK", "SELECT", self.number % 4)
        self.ask(b"OK", "SET", self.key, self.number)

    def finish(self) -> None:
        self.ask(b"sleeper%d" % self.number, "CLIENT", "GETNAME")
        self.ask(self.number + 1, "INCR", self.key)
        self.ask(1, "DEL", self.key)


class NeverUsed(RedisRole):
    """Connected, not a byte sent."""

    name = "never used"

    def prepare(self) -> None:
        pass

    def finish(self) -> None:
        self.ask(b"PONG", "PING")


class InMulti(RedisRole):
    """Commands are queued."""

    name = "in MULTI"

    def prepare(self) -> None:
        self.ask(b"OK", "MULTI")
        for command in (("SET", self.key, "0"), ("INCR", self.key), ("RPUSH", self.key + ":list", "a", "b" * 400)):
            self.ask(b"QUEUED", *command)
        if self.number % 3 == 2:
            self.client.call("NOSUCHCOMMAND")

    def finish(self) -> None:
        self.ask(b"QUEUED", "GET", self.key)
        if self.number % 3 == 2:
            aborted = "EXECABORT Transaction discarded because of previous errors."
            self.ask(RedisError(aborted), "EXEC")
        else:
            self.ask([b"OK", 1, 2, b"1"], "EXEC")
        self.ask(b"PONG", "PING")


class Watching(RedisRole):
    """A key is watched; every other one is changed by somebody else after the update."""

    name = "watching"

    def prepare(self) -> None:
        self.ask(b"OK", "SET", self.key, "1")
        self.ask(b"OK", "WATCH", self.key, "nothing")

    def finish(self) -> None:
        if self.number % 2:
            self.elsewhere("SET", self.key, "2")
        self.ask(b"OK", "MULTI")
        self.ask(b"QUEUED", "GET", self.key)
        self.ask(None if self.number % 2 else [b"1"], "EXEC")


class Blocked(RedisRole):
    """Waits for an element, in each of the ways there are."""

    name = "blocked"

    def prepare(self) -> None:
        key = self.key
        if self.number == 5:
            self.ask(b"OK", "XGROUP", "CREATE", key, "g", "$", "MKSTREAM")
        waits: tuple[tuple[Word, ...], ...] = (
            ("BLPOP", key + ":none", key, 0),
            ("BRPOP", key, 0),
            ("BLMOVE", key, key + ":to", "LEFT", "RIGHT", 0),
            ("BZPOPMIN", key, 0),
            ("XREAD", "BLOCK", 0, "STREAMS", key, "$"),
            ("XREADGROUP", "GROUP", "g", "me", "BLOCK", 0, "STREAMS", key, ">"),
            ("BLMPOP", 0, 2, key, key + ":none", "RIGHT", "COUNT", 2),
        )
        self.client.send(request(*waits[self.number]))

    def finish(self) -> None:
        self.expect_silence()
        name = self.key.encode()
        if self.number in (4, 5):
            self.elsewhere("XADD", self.key, "7-7", "f", "v")
        elif self.number == 3:
            self.elsewhere("ZADD", self.key, 2, "m")
        else:
            self.elsewhere("RPUSH", self.key, "job")
        entries: Reply = [[name, [[b"7-7", [b"f", b"v"]]]]]
        expected: list[Reply] = [[name, b"job"], [name, b"job"], b"job", [name, b"m", b"2"], entries, entries]
        expected.append([name, [b"job"]])
        self.expect(expected[self.number])
        self.ask(b"PONG", "PING")


class BlockedForAWhile(RedisRole):
    """Waits for an element that does not come in time, or for replicas that there are none of."""

    name = "blocked for a while"
    seconds: ClassVar[float] = 3.0

    def prepare(self) -> None:
        self._due = time.monotonic() + self.seconds
        wait: tuple[Word, ...] = ("WAIT", 1, int(self.seconds * 1000))
        self.client.send(request(*(wait if self.number == 0 else ("BLPOP", self.key, str(self.seconds)))))

    def finish(self) -> None:
        if time.monotonic() < self._due - 0.2:
            self.expect_silence()
        self.expect(0 if self.number == 0 else None)
        if time.monotonic() < self._due - 0.1:
            raise WrongAnswer("too early")
        self.ask(b"PONG", "PING")


class Subscribed(RedisRole):
    """To a channel, to a pattern, or to a shard's channel."""

    name = "subscribed"

    def prepare(self) -> None:
        kind, what = self._subscription()
        self.ask([kind.lower().encode(), what.encode(), 1], kind, what)

    def finish(self) -> None:
        kind, what = self._subscription()
        channel = what.replace("*", "flash")
        self.elsewhere("SPUBLISH" if kind == "SSUBSCRIBE" else "PUBLISH", channel, "news")
        start: list[Reply] = [b"pmessage", what.encode()] if kind == "PSUBSCRIBE" else []
        self.expect([*(start or [b"smessage" if kind == "SSUBSCRIBE" else b"message"]), channel.encode(), b"news"])
        left = kind.replace("SUB", "UNSUB")
        self.ask([left.lower().encode(), what.encode(), 0], left, what)
        self.ask(b"PONG", "PING")

    def _subscription(self) -> tuple[str, str]:
        kinds = (("SUBSCRIBE", self.key), ("PSUBSCRIBE", self.key + ":*"), ("SSUBSCRIBE", self.key))
        return kinds[self.number % 3]


class Monitoring(RedisRole):
    """Is told every command."""

    name = "monitoring"

    def prepare(self) -> None:
        self.ask(b"OK", "MONITOR")

    def finish(self) -> None:
        self.elsewhere("ECHO", self.key)
        while self.key.encode() not in (line := self.client.answer() or b""):  # type: ignore[operator]
            if not isinstance(line, bytes):
                raise WrongAnswer(repr(line)[:200])


class HalfCommand(RedisRole):
    """A command of which the server has a part: of its header, of a length, of a word, all but the last byte."""

    name = "half a command"
    word_bytes: ClassVar[int] = 1000

    def prepare(self) -> None:
        self.client.send(self._request()[: self._cut()])

    def finish(self) -> None:
        self.expect_silence()
        self.client.send(self._request()[self._cut() :])
        self.expect(b"OK")
        self.ask(self._word(), "GET", self.key)

    def _word(self) -> bytes:
        return text(self.number, 1, self.word_bytes, self.word_bytes)

    def _request(self) -> bytes:
        return request("SET", self.key, self._word())

    def _cut(self) -> int:
        whole = len(self._request())
        start = whole - self.word_bytes
        return (1, 3, 6, start - 8, start - 3, start + 1, whole // 2, whole - 2, whole - 1)[self.number % 9]


class HalfLargeCommand(HalfCommand):
    """The same with a word that redis reads into memory of its own."""

    name = "half a large command"
    word_bytes = 300_000

    def _cut(self) -> int:
        whole = len(self._request())
        return (whole // 3, whole - 1, whole - self.word_bytes + 40_000)[self.number % 3]


class LargeAnswer(RedisRole):
    """An answer larger than all buffers is on its way, in one piece or in many, and more are asked for behind it."""

    name = "large answer"
    receive_buffer = 32768
    parts: ClassVar[int] = 120

    def prepare(self) -> None:
        if self.number % 2:
            self._parts = [text(self.number, n, BIG // self.parts, BIG // self.parts) for n in range(self.parts)]
            self.elsewhere("RPUSH", self.key, *self._parts)
            self.client.send(request("LRANGE", self.key, 0, -1))
        else:
            self._parts = [text(self.number, 0, BIG, BIG)]
            self.elsewhere("SET", self.key, self._parts[0])
            self.client.send(request("GET", self.key))
        self.client.send(request("ECHO", "behind it"))

    def finish(self) -> None:
        whole: list[Reply] = list(self._parts)
        self.expect(whole if self.number % 2 else self._parts[0])
        self.expect(b"behind it")
        self.elsewhere("DEL", self.key)

    def answer_bytes(self) -> int:
        return BIG


class UnreadAnswers(RedisRole):
    """Many commands were sent and answered, and no answer was read yet."""

    name = "unread answers"

    def prepare(self) -> None:
        self.client.send(b"".join(request("INCR", self.key) for _ in range(200)))

    def finish(self) -> None:
        for n in range(200):
            self.expect(n + 1)


class Tracking(RedisRole):
    """Speaks RESP3 and is told when a key that it has read changes."""

    name = "tracking"

    def prepare(self) -> None:
        self.client.call("HELLO", 3)
        self.ask(b"OK", "SET", self.key, "1")
        self.ask(b"OK", "CLIENT", "TRACKING", "ON")
        self.ask(b"1", "GET", self.key)

    def finish(self) -> None:
        self.elsewhere("SET", self.key, "2")
        self.expect([b"invalidate", [self.key.encode()]])
        self.ask(b"2", "GET", self.key)


class Restricted(RedisRole):
    """A user who may not do everything, with a password; others are told that they may not."""

    name = "restricted"

    def prepare(self) -> None:
        user = f"user{self.number}"
        rules = (">secret", "~scene:*", "+@read", "+acl|whoami", "+auth", "-@dangerous")
        if self.elsewhere("ACL", "SETUSER", user, "on", *rules) != b"OK":
            raise WrongAnswer("no such user can be made")
        self.ask(b"OK", "AUTH", user, "secret")

    def finish(self) -> None:
        user = f"user{self.number}"
        self.ask(user.encode(), "ACL", "WHOAMI")
        self.ask(None, "GET", self.key)
        answer = self.client.call("SET", self.key, "1")
        if not isinstance(answer, RedisError) or not str(answer).startswith("NOPERM"):
            raise WrongAnswer(f"{answer!r} to what it may not do")
        self.ask(b"OK", "AUTH", user, "secret")
        if not isinstance(self.client.call("AUTH", user, "wrong"), RedisError):
            raise WrongAnswer("a wrong password is taken")


class Muted(RedisRole):
    """Gets no answers until it asks for them."""

    name = "muted"

    def prepare(self) -> None:
        self.client.send(request("CLIENT", "REPLY", "OFF") + request("SET", self.key, "1"))

    def finish(self) -> None:
        self.client.send(request("INCR", self.key))
        self.ask(b"OK", "CLIENT", "REPLY", "ON")
        self.ask(b"2", "GET", self.key)


class Scanning(RedisRole):
    """In the middle of a SCAN, which must meet every key that is there all the time."""

    name = "scanning"
    fields: ClassVar[int] = 3000

    def prepare(self) -> None:
        self.elsewhere("HSET", self.key, *(word for n in range(self.fields) for word in (f"f{n}", "x" * 70)))
        self._cursor: Reply = 0
        self._seen: set[Reply] = set()
        for _ in range(20):
            self._step()

    def finish(self) -> None:
        while self._cursor != b"0":
            self._step()
        if len(self._seen) != self.fields:
            raise WrongAnswer(f"{len(self._seen)} of {self.fields} fields were met")

    def _step(self) -> None:
        cursor = self._cursor if isinstance(self._cursor, bytes) else b"0"
        answer = self.client.call("HSCAN", self.key, cursor, "COUNT", 50)
        if not isinstance(answer, list) or not isinstance(answer[1], list):
            raise WrongAnswer(repr(answer)[:200])
        self._cursor = answer[0]
        self._seen.update(answer[1][::2])
