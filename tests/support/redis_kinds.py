"""The kinds of values of redis, small and large, as each of its encodings holds them; each follows from a number.

A value is never stored here: key number `i`, grown `grown` times, holds what `Kind.expected` says, so the copy of a
million keys is a few numbers.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar, TypeAlias

from tests.support.redis_client import Reply, Word, Words

Value: TypeAlias = "bytes | list[bytes] | frozenset[bytes] | dict[bytes, bytes] | Reply"

LARGE = 300
"""Elements of a large collection: beyond every limit of the small encodings, with their long elements."""


def text(i: int, part: int, low: int, high: int) -> bytes:
    """Between `low` and `high` bytes that follow from the two numbers."""
    dice = random.Random(i * 1_000_003 + part)
    return dice.randbytes(dice.randint(low, high))


class Kind:
    """One kind of value."""

    name: ClassVar[str]

    def fill(self, key: bytes, i: int) -> Sequence[Words]:
        """The commands that make it."""
        raise NotImplementedError

    def grow(self, key: bytes, i: int, turn: int) -> Words:
        """The command that changes it where it stands, for the `turn`-th time."""
        raise NotImplementedError

    def read(self, key: bytes) -> Words:
        """The command that asks for all of it."""
        raise NotImplementedError

    def value(self, reply: Reply) -> Value:
        """The answer to `read`, in a form that can be compared."""
        return reply

    def expected(self, i: int, grown: int) -> Value:
        """What `value` must be."""
        raise NotImplementedError


class Integer(Kind):
    """A number, which redis keeps in the pointer itself (or shares, if it is small)."""

    name = "int"

    def fill(self, key: bytes, i: int) -> Sequence[Words]:
        return [("SET", key, i)]

    def grow(self, key: bytes, i: int, turn: int) -> Words:
        return ("INCRBY", key, 10**9)

    def read(self, key: bytes) -> Words:
        return ("GET", key)

    def expected(self, i: int, grown: int) -> Value:
        return b"%d" % (i + 10**9 * grown)


class Text(Kind):
    """A string: short ones stand behind their object (embstr), long ones by themselves (raw)."""

    def __init__(self, name: str, low: int, high: int) -> None:
        self.name = name  # type: ignore[misc]
        self._low, self._high = low, high

    def fill(self, key: bytes, i: int) -> Sequence[Words]:
        return [("SET", key, text(i, 0, self._low, self._high))]

    def grow(self, key: bytes, i: int, turn: int) -> Words:
        return ("APPEND", key, b"+%d" % turn)

    def read(self, key: bytes) -> Words:
        return ("GET", key)

    def expected(self, i: int, grown: int) -> Value:
        return text(i, 0, self._low, self._high) + b"".join(b"+%d" % turn for turn in range(grown))


class Collection(Kind):
    """Something with elements. Subclasses say which they are."""

    def __init__(self, name: str, count: int, low: int, high: int) -> None:
        self.name = name  # type: ignore[misc]
        self._count, self._low, self._high = count, low, high

    def elements(self, i: int) -> list[bytes]:
        """Its elements, none twice."""
        count = self._count if self._count == LARGE else 1 + i % self._count
        return [b"%d:" % n + text(i, n, self._low, self._high) for n in range(count)]


class Many(Collection):
    """A list."""

    def fill(self, key: bytes, i: int) -> Sequence[Words]:
        return [("RPUSH", key, *self.elements(i))]

    def grow(self, key: bytes, i: int, turn: int) -> Words:
        return ("LPUSH", key, turn)

    def read(self, key: bytes) -> Words:
        return ("LRANGE", key, 0, -1)

    def expected(self, i: int, grown: int) -> Value:
        return [*(b"%d" % turn for turn in reversed(range(grown))), *self.elements(i)]


class Members(Collection):
    """A set of texts."""

    def fill(self, key: bytes, i: int) -> Sequence[Words]:
        return [("SADD", key, *self.elements(i))]

    def grow(self, key: bytes, i: int, turn: int) -> Words:
        return ("SADD", key, b"more %d" % turn)

    def read(self, key: bytes) -> Words:
        return ("SMEMBERS", key)

    def value(self, reply: Reply) -> Value:
        return frozenset(one for one in reply if isinstance(one, bytes)) if isinstance(reply, list) else reply

    def expected(self, i: int, grown: int) -> Value:
        return frozenset([*self.elements(i), *(b"more %d" % turn for turn in range(grown))])


class Numbers(Members):
    """A set of integers (intset) of two, four or eight bytes; no longer one when it grows."""

    def elements(self, i: int) -> list[bytes]:
        step = (1, 70_000, 2**33)[i % 3]
        return [b"%d" % ((i + n) * step % 2**62) for n in range(1 + i % self._count)]


class Fields(Collection):
    """A hash."""

    def fill(self, key: bytes, i: int) -> Sequence[Words]:
        return [("HSET", key, *(word for n, one in enumerate(self.elements(i)) for word in (n, one)))]

    def grow(self, key: bytes, i: int, turn: int) -> Words:
        return ("HSET", key, b"more %d" % turn, turn)

    def read(self, key: bytes) -> Words:
        return ("HGETALL", key)

    def value(self, reply: Reply) -> Value:
        return _pairs(reply) if isinstance(reply, list) else reply

    def expected(self, i: int, grown: int) -> Value:
        more = {b"more %d" % turn: b"%d" % turn for turn in range(grown)}
        return {b"%d" % n: one for n, one in enumerate(self.elements(i))} | more


class Scores(Collection):
    """A sorted set; its order is by score."""

    def fill(self, key: bytes, i: int) -> Sequence[Words]:
        return [("ZADD", key, *(word for n, one in enumerate(self.elements(i)) for word in (n, one)))]

    def grow(self, key: bytes, i: int, turn: int) -> Words:
        return ("ZADD", key, -1 - turn, b"more %d" % turn)

    def read(self, key: bytes) -> Words:
        return ("ZRANGE", key, 0, -1, "WITHSCORES")

    def expected(self, i: int, grown: int) -> Value:
        found: list[bytes] = []
        for turn in reversed(range(grown)):
            found += [b"more %d" % turn, b"%d" % (-1 - turn)]
        for n, one in enumerate(self.elements(i)):
            found += [one, b"%d" % n]
        return found


class Entries(Collection):
    """A stream with a group, one of whose members has been given the first entry and has not acknowledged it."""

    def fill(self, key: bytes, i: int) -> Sequence[Words]:
        entries: list[Words] = [("XADD", key, f"{n + 1}-1", "f", one) for n, one in enumerate(self.elements(i))]
        group: list[Words] = [
            ("XGROUP", "CREATE", key, "g", "0"),
            ("XREADGROUP", "GROUP", "g", "member", "COUNT", 1, "STREAMS", key, ">"),
        ]
        return [*entries, *group]

    def grow(self, key: bytes, i: int, turn: int) -> Words:
        return ("XADD", key, f"{10_000 + turn}-1", "more", turn)

    def read(self, key: bytes) -> Words:
        # One answer: the entries, the group, and who has what.
        script = (
            "local k = KEYS[1] return {redis.call('xrange', k, '-', '+'), "
            "redis.call('xpending', k, 'g', '-', '+', 10)[1][2], redis.call('xlen', k)}"
        )
        return ("EVAL", script, 1, key)

    def expected(self, i: int, grown: int) -> Value:
        entries: list[Reply] = [[b"%d-1" % (n + 1), [b"f", one]] for n, one in enumerate(self.elements(i))]
        entries += [[b"%d-1" % (10_000 + turn), [b"more", b"%d" % turn]] for turn in range(grown)]
        found: list[Reply] = [entries, b"member", len(entries)]
        return found


def _pairs(flat: Sequence[Reply]) -> dict[bytes, bytes]:
    words = [one for one in flat if isinstance(one, bytes)]
    return dict(zip(words[::2], words[1::2], strict=True))


_SMALL: tuple[tuple[Kind, int], ...] = (
    (Integer(), 140),
    (Text("embstr", 1, 40), 240),
    (Text("raw", 45, 300), 120),
    (Many("short list", 8, 1, 30), 100),
    (Numbers("intset", 20, 0, 0), 80),
    (Members("small set", 6, 1, 30), 80),
    (Fields("small hash", 8, 1, 30), 120),
    (Scores("small sorted set", 8, 1, 30), 80),
    (Entries("stream", 6, 1, 30), 34),
)
_LARGE: tuple[tuple[Kind, int], ...] = (
    (Text("long text", 20_000, 60_000), 1),
    (Many("long list", LARGE, 60, 120), 1),
    (Members("large set", LARGE, 1, 90), 1),
    (Fields("large hash", LARGE, 60, 100), 1),
    (Scores("large sorted set", LARGE, 60, 100), 1),
    (Entries("long stream", LARGE, 1, 90), 1),
)

_CYCLE = [kind for kind, share in (*_LARGE, *_SMALL) for _ in range(share)]
random.Random(1).shuffle(_CYCLE)

KINDS: tuple[Kind, ...] = tuple(kind for kind, _ in (*_SMALL, *_LARGE))


def kind_of(i: int) -> Kind:
    """The kind of key number `i`: of a thousand keys one or so is large in each way."""
    return _CYCLE[i % len(_CYCLE)]


def command_words(words: Sequence[Word]) -> str:
    """A command for a message."""
    return " ".join(str(one)[:40] for one in words)
