"""What a memcached must still do after an update, beyond having its items: checked on new connections.

`prepare_checks` before the update, `run_after_checks` after it; the last two checks throw the items away.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from tests.support.memcached_client import ClientFailure, MemcachedClient

_TTL_STEP_S = 5
_TTL_LAST_S = 300
_SLACK_S = 2.0
_LONG_S = 1000
_EVICTION_ITEM = 200_000
_EVICTION_FACTOR = 1.3


@dataclass(frozen=True, slots=True)
class CheckState:
    """What was set before the update. Times are seconds of CLOCK_MONOTONIC."""

    set_at: float
    ttls: tuple[int, ...]
    """Items `check:ttl:N` live N seconds from ``set_at``; so do `check:touch:N` and `check:gat:N` unless touched."""
    right_cas: int
    stale_cas: int
    counter: int
    before: dict[str, str]
    """`stats` at that time."""


def prepare_checks(port: int) -> CheckState:
    """Set a ladder of items that expire every 5 s, a counter, an item whose CAS value is kept with a stale one.

    An update that moved the server's clock shows only if the server had been up for longer than the slack of 2 s.
    """
    ttls = tuple(range(_TTL_STEP_S, _TTL_LAST_S + 1, _TTL_STEP_S))
    with MemcachedClient(port) as client:
        client.set(b"check:cas", b"first")
        stale = _cas_of(client, b"check:cas")
        client.set(b"check:cas", b"second")
        client.set(b"check:counter", b"41")
        counter = client.incr(b"check:counter") or 0
        set_at = time.monotonic()
        for ttl in ttls:
            for kind in (b"ttl", b"touch", b"gat"):
                client.set(b"check:%s:%d" % (kind, ttl), b"%d" % ttl, exptime=ttl)
        return CheckState(set_at, ttls, _cas_of(client, b"check:cas"), stale, counter, client.stats())


def run_after_checks(port: int, expected_version: str, state: CheckState | None = None) -> list[str]:
    """Run every check; the server's items are gone afterwards.

    :param state: from before the update; None = prepared now, which proves less.
    :returns: what is wrong, one text each; empty if everything is right.
    """
    state = prepare_checks(port) if state is None else state
    return [*run_gentle_checks(port, expected_version, state), *run_destructive_checks(port)]


def run_gentle_checks(port: int, expected_version: str, state: CheckState) -> list[str]:
    """The checks that leave the other items alone, so that another update may follow. Takes up to 10 s."""
    return [
        *_guarded("version", lambda: check_version(port, expected_version)),
        *_guarded("new connections", lambda: check_new_connections(port)),
        *_guarded("incr", lambda: check_incr(port, state)),
        *_guarded("cas", lambda: check_cas(port, state)),
        *_guarded("touch and expiry", lambda: check_lifetimes(port, state)),
    ]


def run_destructive_checks(port: int) -> list[str]:
    """Eviction and `flush_all`."""
    return [
        *_guarded("eviction", lambda: check_eviction(port)),
        *_guarded("flush_all", lambda: check_flush_all(port)),
    ]


def check_version(port: int, expected: str) -> Iterator[str]:
    """`version` and `stats` agree with ``expected``, such as "1.6.38"."""
    with MemcachedClient(port) as client:
        for source, found in (("version", client.version()), ("stats", client.stats()["version"])):
            if found != expected:
                yield f"{source} says {found}, not {expected}"


def check_new_connections(port: int, count: int = 50) -> Iterator[str]:
    """Many new connections at once, all answered, all given back when closed."""
    with MemcachedClient(port) as first, ExitStack() as stack:
        open_before = int(first.stats()["curr_connections"])
        clients = [stack.enter_context(MemcachedClient(port)) for _ in range(count)]
        for number, client in enumerate(clients):
            client.set(b"check:new:%d" % number, b"%d" % number)
        for number, client in enumerate(reversed(clients)):
            value = client.get(b"check:new:%d" % number)
            if value is None or value.data != b"%d" % number:
                yield f"new connection {number} reads {value} where another wrote {number}"
        open_then = int(first.stats()["curr_connections"])
        if open_then < open_before + count:
            yield f"stats counts {open_then} connections, {open_before} before {count} were opened"
        stack.close()
        # Other clients (a load) may come and go, so a few more than before are no failure.
        wanted = open_before + count // 2
        if not _becomes_true(lambda: int(first.stats()["curr_connections"]) <= wanted):
            yield f"stats still counts {first.stats()['curr_connections']} connections after {count} were closed"


def check_incr(port: int, state: CheckState) -> Iterator[str]:
    """The counter goes on where it was. The next update finds it where it stands then: ask only once a state."""
    with MemcachedClient(port) as client:
        found = (client.incr(b"check:counter"), client.incr(b"check:counter", 1000))
        if found != (wanted := (state.counter + 1, state.counter + 1001)):
            yield f"counts {found}, not {wanted}"


def check_cas(port: int, state: CheckState) -> Iterator[str]:
    """A stale CAS value is refused, the right one accepted once, and new ones are larger than any before."""
    with MemcachedClient(port) as client:
        for cas, wanted in ((state.stale_cas, "EXISTS"), (state.right_cas, "STORED"), (state.right_cas, "EXISTS")):
            if (found := client.cas(b"check:cas", b"third", cas)) != wanted:
                yield f"cas with {cas} answered {found}, not {wanted}"
        if (now := _cas_of(client, b"check:cas")) <= state.right_cas:
            yield f"a new CAS value is {now}, not above {state.right_cas} of before"


def check_lifetimes(port: int, state: CheckState) -> Iterator[str]:
    """Items expire at their time by the client's clock, and a touched one does not."""
    with MemcachedClient(port) as client:
        next_ttl = next((t for t in state.ttls if state.set_at + t > time.monotonic() + _SLACK_S), None)
        if next_ttl is None:
            yield f"the update took longer than {_TTL_LAST_S} s: no item is left whose end could be seen"
            return
        if not client.touch(b"check:touch:%d" % next_ttl, _LONG_S):
            yield f"touch does not find an item of {next_ttl} s"
        if client.gat(b"check:gat:%d" % next_ttl, _LONG_S) is None:
            yield f"gat does not find an item of {next_ttl} s"
        yield from _check_ladder(client, state)
        yield from _check_end(client, state, next_ttl)
        for kind in ("touch", "gat"):
            if client.get(f"check:{kind}:{next_ttl}".encode()) is None:
                yield f"an item of {next_ttl} s is gone at its old end although {kind} extended it"
            left = client.meta(f"mg check:{kind}:{next_ttl} t".encode()).flag("t")
            if left is None or not _LONG_S - 60 <= int(left) <= _LONG_S:
                yield f"{kind} left {left} s to live, not {_LONG_S}"


def check_eviction(port: int) -> Iterator[str]:
    """Filled beyond its memory limit, the server evicts and lives."""
    with MemcachedClient(port, timeout=30) as client:
        before = client.stats()
        limit = int(before["limit_maxbytes"])
        block = b"e" * _EVICTION_ITEM
        count = int(limit * _EVICTION_FACTOR) // _EVICTION_ITEM
        for number in range(count):
            client.set(b"check:evict:%d" % number, block, noreply=True)
        after = client.stats()
        if int(after["evictions"]) <= int(before["evictions"]):
            yield f"{count * _EVICTION_ITEM} bytes set into {limit}, and no eviction counted"
        if int(after["bytes"]) > limit:
            yield f"holds {after['bytes']} bytes, above its limit of {limit}"
        last = client.get(b"check:evict:%d" % (count - 1))
        if last is None or last.data != block:
            yield "the item set last is not there"


def check_flush_all(port: int) -> Iterator[str]:
    """What was set before is gone, what is set after stays. memcached's clock ticks in seconds, so this takes two."""
    with MemcachedClient(port) as client:
        client.set(b"check:flush", b"old")
        time.sleep(_SLACK_S)  # an item of the same second may outlive flush_all (1.6.38 proto_text.c)
        client.flush_all()
        if client.get(b"check:flush") is not None:
            yield "an item set 2 s before flush_all is still there"
        client.set(b"check:flush", b"new")
        if not _becomes_true(lambda: _set_and_get(client, b"check:flush:later")):
            yield "an item set after flush_all is not there"


# Every item of the ladder that must be gone is gone, every one that must be there is there and knows its end.
def _check_ladder(client: MemcachedClient, state: CheckState) -> Iterator[str]:
    for ttl in state.ttls:
        value = client.get(b"check:ttl:%d" % ttl)
        remaining = state.set_at + ttl - time.monotonic()
        if value is None and remaining > _SLACK_S:
            yield f"an item of {ttl} s is gone {remaining:.1f} s before its end"
        if value is not None and remaining < -_SLACK_S:
            yield f"an item of {ttl} s is there {-remaining:.1f} s after its end"


# Watch one item disappear.
def _check_end(client: MemcachedClient, state: CheckState, ttl: int) -> Iterator[str]:
    end = state.set_at + ttl
    key = b"check:ttl:%d" % ttl
    gone = _becomes_true(lambda: client.get(key) is None, end + _SLACK_S - time.monotonic())
    now = time.monotonic()
    if not gone:
        yield f"an item of {ttl} s is still there {now - end:.1f} s after its end"
    elif now < end - _SLACK_S:
        yield f"an item of {ttl} s went {end - now:.1f} s before its end"


def _set_and_get(client: MemcachedClient, key: bytes) -> bool:
    client.set(key, b"later")
    value = client.get(key)
    return value is not None and value.data == b"later"


def _cas_of(client: MemcachedClient, key: bytes) -> int:
    value = client.gets(key)
    if value is None:
        raise ClientFailure(f"{key.decode()} is missing")
    return value.cas


def _becomes_true(condition: Callable[[], bool], timeout: float = 5.0) -> bool:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


# A check that the server cuts short (a wrong answer, a lost connection) is a failure like any other.
def _guarded(name: str, check: Callable[[], Iterator[str]]) -> Iterator[str]:
    try:
        for failure in check():
            yield f"{name}: {failure}"
    except (ClientFailure, ValueError, KeyError) as failure:  # the latter two: statistics that are absent or no numbers
        yield f"{name}: {type(failure).__name__}: {failure}"
