"""A large set of items whose every byte follows from a seed, so that it can be verified without keeping a copy.

Sizes are heavy-tailed; keys have three lengths; flags differ from item to item; some items have a time to live,
relative or as a Unix time; each item's CAS value is remembered.
"""

from __future__ import annotations

import random
import struct
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from tests.support.memcached_client import MemcachedClient, UnexpectedAnswer, Value

_POOL_SPARE = 1 << 20
_BATCH_BYTES = 1 << 18
_REQUEST_BYTES = 900  # below 1 KiB, so that the server needs no larger read buffer
_REQUESTS_AHEAD = 16  # 14 kB of requests fit into any socket buffer, so neither side can block the other
_TTL_SLACK_S = 2.0
_MASK = (1 << 64) - 1

# Of 10,000 items: how many have sizes in [low, high), spread evenly over the logarithm.
_SIZE_CLASSES = ((9000, 1, 1_000), (900, 1_000, 10_000), (90, 10_000, 100_000), (10, 100_000, 700_000))


class Lifetime(Enum):
    """How an item expires."""

    FOREVER = "forever"
    SECONDS = "seconds"
    UNIX_TIME = "unix time"


@dataclass(frozen=True, slots=True)
class WrongItem:
    """An item that is not what it must be."""

    key: bytes
    why: str


class ItemPlan:
    """What the items are. Item ``index`` is in [0, count).

    :param largest: bytes in the largest value; above 512 KiB memcached keeps a value in several chunks.
    :param total: bytes in all values together, at most; the last items are small if it runs out.
    :param planted: words (addresses inside the server, say) that some values contain at every alignment: an update that
        takes a client's bytes for pointers would change them.
    """

    def __init__(
        self,
        count: int = 200_000,
        seed: int = 1,
        *,
        largest: int = 700_000,
        total: int = 250_000_000,
        shortest_ttl: int = 5,
        planted: Sequence[int] = (),
    ) -> None:
        self.count = count
        self.seed = seed
        self.shortest_ttl = shortest_ttl
        self._pool = random.Random(seed).randbytes(largest + _POOL_SPARE)
        self._planted = _planted_words(planted)
        self._sizes = _sizes(random.Random(seed + 1), count, largest, total)
        self._keys = [self._make_key(index) for index in range(count)]

    @property
    def value_bytes(self) -> int:
        """Bytes in all values together."""
        return sum(self._sizes)

    def key(self, index: int) -> bytes:
        """6 to 250 bytes."""
        return self._keys[index]

    def flags(self, index: int) -> int:
        """32 bits that differ from item to item."""
        return self._mix(index) & 0xFFFFFFFF

    def data(self, index: int) -> bytes:
        """The value."""
        size = self._sizes[index]
        offset = (self._mix(index) >> 32) % _POOL_SPARE
        if self._planted and index % 16 == 3 and size >= len(self._planted):
            return self._planted + self._pool[offset : offset + size - len(self._planted)]
        return self._pool[offset : offset + size]

    def lifetime(self, index: int) -> Lifetime:
        """Two items of a hundred expire: one after a number of seconds, one at a Unix time."""
        place = index % 100
        if place == 13:
            return Lifetime.SECONDS
        return Lifetime.UNIX_TIME if place == 57 else Lifetime.FOREVER

    def ttl(self, index: int) -> int:
        """Seconds that the item lives: from ``shortest_ttl`` for half of the mortal ones, over an hour for the rest."""
        if index % 200 < 100:
            return self.shortest_ttl + self._mix(index) % 300
        return 3600 + self._mix(index) % 3600

    def matches(self, index: int, value: Value) -> str:
        """Empty if the value is right, else how it differs."""
        if value.flags != self.flags(index):
            return f"flags are {value.flags}, not {self.flags(index)}"
        wanted = self.data(index)
        if value.data == wanted:
            return ""
        if len(value.data) != len(wanted):
            return f"has {len(value.data)} bytes, not {len(wanted)}"
        at = next(i for i, (got, want) in enumerate(zip(value.data, wanted, strict=True)) if got != want)
        got_bytes, wanted_bytes = value.data[at : at + 8].hex(), wanted[at : at + 8].hex()
        return f"differs from byte {at} of {len(wanted)}: {got_bytes}, not {wanted_bytes}"

    def _make_key(self, index: int) -> bytes:
        if index % 997 == 0:
            return (b"item:%d:" % index).ljust(250, b"k")
        if index % 7 == 0:
            return b"item:%d:%016x" % (index, self._mix(index))
        return b"item:%d" % index

    # splitmix64's output function over the index: the source of everything that varies.
    def _mix(self, index: int) -> int:
        x = (index * 0x9E3779B97F4A7C15 + self.seed) & _MASK
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
        return x ^ (x >> 31)


class FilledItems:
    """Items in a server: the plan, when they were set, and the CAS value each got (0 = had expired already)."""

    def __init__(self, plan: ItemPlan, begun: float, ended: float, unix_base: int) -> None:
        self.plan = plan
        self.begun = begun
        self.ended = ended
        self.unix_base = unix_base
        self.cas = array("Q", bytes(8 * plan.count))

    def remaining(self, index: int, now: float) -> tuple[float, float]:
        """Bounds on the seconds that the item still has at monotonic time ``now``; memcached counts whole seconds."""
        ttl = self.plan.ttl(index)
        return self.begun + ttl - now - _TTL_SLACK_S, self.ended + ttl - now + _TTL_SLACK_S


def fill(port: int, n: int = 200_000, seed: int = 1, *, plan: ItemPlan | None = None) -> FilledItems:
    """Set all items with pipelined `noreply` requests, read everything back, and remember the CAS values.

    :raises UnexpectedAnswer: an item is wrong right after it was set, so the server cannot be used for a proof.
    """
    plan = ItemPlan(n, seed) if plan is None else plan
    unix_base = int(time.time())
    begun = time.monotonic()
    with MemcachedClient(port, timeout=30) as client:
        for batch in _set_requests(plan, unix_base):
            client.send(batch)
        client.version()  # answered only after all sets are done
        filled = FilledItems(plan, begun, time.monotonic(), unix_base)
        wrong = list(_check_all(client, filled, remember=True))
    if wrong:
        raise UnexpectedAnswer(f"{len(wrong)} of {plan.count} items wrong right after the fill, first {wrong[0]}")
    return filled


def verify(port: int, filled: FilledItems, *, limit: int = 1000) -> list[WrongItem]:
    """The items that are not what `fill` set: missing, other bytes, flags or CAS value, alive too long or too short.

    :param limit: stop after so many.
    """
    wrong: list[WrongItem] = []
    with MemcachedClient(port, timeout=30) as client:
        for check in (_check_all(client, filled, remember=False), _check_lifetimes(client, filled)):
            for item in check:
                wrong.append(item)
                if len(wrong) >= limit:
                    return wrong
    return wrong


def _planted_words(addresses: Sequence[int]) -> bytes:
    words = struct.pack(f"<{len(addresses)}Q", *addresses)
    return b"".join(words + b"\xff" for _ in range(8)) if words else b""


def _sizes(rng: random.Random, count: int, largest: int, total: int) -> array[int]:
    sizes = array("I")
    budget = total - count  # one byte for each item is always left
    for _ in range(count):
        size = 1 + min(_draw_size(rng, largest) - 1, budget)
        budget -= size - 1
        sizes.append(size)
    return sizes


def _draw_size(rng: random.Random, largest: int) -> int:
    place = rng.random() * 10_000
    for share, low, high in _SIZE_CLASSES:
        if place < share:
            return min(largest, int(low * (high / low) ** (place / share)))
        place -= share
    return largest


def _set_requests(plan: ItemPlan, unix_base: int) -> Iterator[bytes]:
    parts: list[bytes] = []
    size = 0
    for index in range(plan.count):
        data = plan.data(index)
        numbers = (plan.flags(index), _exptime(plan, index, unix_base), len(data))
        head = b"set %s %d %d %d noreply\r\n" % (plan.key(index), *numbers)
        parts += (head, data, b"\r\n")
        size += len(head) + len(data) + 2
        if size >= _BATCH_BYTES:
            yield b"".join(parts)
            parts.clear()
            size = 0
    yield b"".join(parts)


def _exptime(plan: ItemPlan, index: int, unix_base: int) -> int:
    kind = plan.lifetime(index)
    if kind is Lifetime.FOREVER:
        return 0
    return plan.ttl(index) + (unix_base if kind is Lifetime.UNIX_TIME else 0)


# Reads every item and yields those that are wrong. Items near their end may be there or not.
def _check_all(client: MemcachedClient, filled: FilledItems, *, remember: bool) -> Iterator[WrongItem]:
    plan = filled.plan
    for window in _windows(_requests(plan, range(plan.count))):
        client.send(b"".join(b"gets " + b" ".join(map(plan.key, batch)) + b"\r\n" for batch in window))
        for batch in window:
            found = _answers(client, plan, batch)
            for index in batch:
                if why := _judge(filled, index, found.get(index), remember=remember):
                    yield WrongItem(plan.key(index), why)


def _judge(filled: FilledItems, index: int, value: Value | None, *, remember: bool) -> str:
    plan = filled.plan
    low, high = (1.0, 1.0)
    if plan.lifetime(index) is not Lifetime.FOREVER:
        low, high = filled.remaining(index, time.monotonic())
    if value is None:
        return "is missing" if low > 0 else ""
    if high < 0:
        return f"is there {-high:.1f} s after its time to live of {plan.ttl(index)} s"
    if why := plan.matches(index, value):
        return why
    if remember:
        filled.cas[index] = value.cas
    elif value.cas != filled.cas[index]:
        return f"has CAS value {value.cas}, not {filled.cas[index]}"
    return ""


# Asks the server how long each item that expires still has: a moved clock shows at once, not only when they expire.
def _check_lifetimes(client: MemcachedClient, filled: FilledItems) -> Iterator[WrongItem]:
    plan = filled.plan
    mortal = [i for i in range(plan.count) if plan.lifetime(i) is not Lifetime.FOREVER]
    for start in range(0, len(mortal), 256):
        batch = mortal[start : start + 256]
        client.send(b"".join(b"mg %s t\r\n" % plan.key(i) for i in batch))
        for index in batch:
            answer = client.read_meta()
            low, high = filled.remaining(index, time.monotonic())
            left = int(answer.flag("t") or 0)
            if answer.code == "HD" and not low <= left <= high:
                yield WrongItem(plan.key(index), f"has {left} s to live, not {low:.0f} to {high:.0f}")
            if answer.code != "HD" and low > 0:
                yield WrongItem(plan.key(index), f"mg answers {answer.code}, {low:.0f} s before its end")


def _answers(client: MemcachedClient, plan: ItemPlan, batch: Sequence[int]) -> dict[int, Value]:
    wanted = {plan.key(index): index for index in batch}
    found: dict[int, Value] = {}
    while (line := client.read_line()) != b"END":
        index = wanted.pop(line.split(b" ", 2)[1], None) if line.startswith(b"VALUE ") else None
        if index is None:
            raise UnexpectedAnswer(f"gets answered {line[:80]!r} in a batch that begins with {plan.key(batch[0])!r}")
        found[index] = client.read_block(line)
    return found


def _requests(plan: ItemPlan, indices: Iterable[int]) -> Iterator[list[int]]:
    batch: list[int] = []
    size = 0
    for index in indices:
        size += len(plan.key(index)) + 1
        if size > _REQUEST_BYTES and batch:
            yield batch
            batch, size = [], len(plan.key(index)) + 1
        batch.append(index)
    if batch:
        yield batch


def _windows(requests: Iterable[list[int]]) -> Iterator[list[list[int]]]:
    window: list[list[int]] = []
    for request in requests:
        window.append(request)
        if len(window) == _REQUESTS_AHEAD:
            yield window
            window = []
    if window:
        yield window
