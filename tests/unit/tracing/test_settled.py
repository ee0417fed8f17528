"""Memory that changes hands inside the program: free lists, reused buffers, objects known only from their inside.

The layout is memcached's: a cache hands out chunks of one size, for responses or as buffers, and keeps freed ones in a
list of `struct free` objects; what was in a chunk before stays there as stale words.
"""

from __future__ import annotations

import struct

from gdb_mcr.engine.records import EventKind, ObjectFlag
from gdb_mcr.tracing.policy import Policy
from tests.support.transfer_rig import HEAP, NEW_HEAP, Outcome, Rig
from tests.support.type_builder import Types

FREE, LIVE, BUFFER = 0x000, 0x100, 0x200
"""Offsets of three chunks of 64 bytes."""


class CacheRig:
    """`struct resp` grows a field in front of `next`; `struct conn` points to a response and a buffer."""

    def __init__(self, *, free: bool = False, plain: bool = False) -> None:
        self.rig = Rig(Types(), Types())
        old, new = self.rig.old, self.rig.new
        self.free = old.reserve()
        old.struct("free", 8, ("next", 0, old.pointer(self.free)), at=self.free)
        self.resp = self._resp(old, 16, ("next", 8))
        new_resp = self._resp(new, 24, ("next", 16))
        self.rig.pairs_by_type = {self.resp: new_resp}
        conn = old.struct("conn", 16, ("resp", 0, old.pointer(self.resp)), ("buf", 8, old.pointer(old.char)))
        new_conn = new.struct("conn", 16, ("resp", 0, new.pointer(new_resp)), ("buf", 8, new.pointer(new.char)))
        head, new_head = old.pointer(self.free), new.pointer(-1)
        self.rig.variable(0, head, 0, new_head)
        self.rig.variable(8, old.pointer(head), 8, new.pointer(new_head))
        self.rig.variable(16, conn, 16, new_conn)
        self.rig.policy = Policy(
            free_types=frozenset({self.free}) if free else frozenset(),
            plain_fields=frozenset({"conn.buf"}) if plain else frozenset(),
        )
        for offset in (FREE, LIVE, BUFFER):
            self.rig.chunk(offset, 64)

    @staticmethod
    def _resp(types: Types, size: int, last: tuple[str, int]) -> int:
        index = types.reserve()
        types.struct("resp", size, ("id", 0, types.long), (last[0], last[1], types.pointer(index)), at=index)
        return index

    def put(self, offset: int, *words: int) -> None:
        struct.pack_into(f"<{len(words)}Q", self.rig.heap, offset, *words)

    def end_list_at(self, offset: int) -> None:
        """Lets a second variable point to the last free object, where the next one would be linked in."""
        struct.pack_into("<Q", self.rig.theirs, 8, HEAP + offset)

    def run(self) -> Outcome:
        struct.pack_into("<Q", self.rig.theirs, 0, HEAP + FREE)
        struct.pack_into("<QQ", self.rig.theirs, 16, HEAP + LIVE, HEAP + BUFFER)
        return self.rig.run()


def _kinds(outcome: Outcome) -> set[int]:
    return {event[0] for event in outcome.events}


def test_stale_pointers_into_a_free_chunk_conflict_without_annotation_and_are_nothing_with_it() -> None:
    for free in (False, True):
        cache = CacheRig(free=free)
        cache.put(FREE, 0, HEAP + LIVE, 7)
        cache.put(LIVE, 1, HEAP + FREE)
        outcome = cache.run()
        assert (EventKind.TYPE_CONFLICT in _kinds(outcome)) is not free


def test_the_words_behind_a_free_object_hold_nothing_in_place() -> None:
    cache = CacheRig(free=True)
    cache.put(FREE, 0, HEAP + LIVE + 8)
    outcome = cache.run()
    assert not outcome.flags[HEAP + LIVE] & ObjectFlag.IMMUTABLE
    assert outcome.flags[HEAP + FREE] & ObjectFlag.SETTLED


def test_a_free_list_is_followed_to_its_end() -> None:
    cache = CacheRig(free=True)
    cache.put(FREE, HEAP + BUFFER)
    cache.put(BUFFER, 0)
    outcome = cache.run()
    assert outcome.flags[HEAP + BUFFER] & ObjectFlag.SETTLED


def test_what_stale_words_behind_a_free_object_lead_to_is_not_free() -> None:
    """The list's end is a pointer to a pointer: a chunk that is not known to be free yet looks like a table of them."""
    cache = CacheRig(free=True)
    cache.put(FREE, 0, HEAP + LIVE)
    cache.put(LIVE, 1, HEAP + LIVE)
    cache.end_list_at(FREE)
    outcome = cache.run()
    assert outcome.flags[HEAP + FREE] & ObjectFlag.SETTLED
    assert not outcome.flags[HEAP + LIVE] & ObjectFlag.SETTLED
    assert struct.unpack_from("<QQQ", outcome.moved[NEW_HEAP]) == (1, 0, NEW_HEAP), "it has N's layout"


def test_a_buffer_that_clients_fill_holds_nothing_in_place_once_it_is_said_to_be_bytes() -> None:
    for plain in (False, True):
        cache = CacheRig(plain=plain)
        cache.put(BUFFER, HEAP + LIVE + 8, 0x4141414141414141)
        outcome = cache.run()
        held = ObjectFlag.HELD_INSIDE in outcome.flags[HEAP + LIVE]
        assert held is not plain


def test_bytes_come_over_as_they_are() -> None:
    cache = CacheRig(plain=True)
    cache.put(BUFFER, 0x10000, 0x4141414141414141)  # the address of a variable of O, by chance
    outcome = cache.run()
    assert struct.unpack_from("<QQ", outcome.heap, BUFFER) == (0x10000, 0x4141414141414141)


def test_an_object_known_only_from_a_pointer_into_it_is_found_through_what_stands_there() -> None:
    rig = Rig(Types(), Types())
    old, new = rig.old, rig.new
    bundles = []
    for types, resp_size in ((old, 16), (new, 24)):
        bundle = types.reserve()
        resp = types.struct("resp", resp_size, ("bundle", 0, types.pointer(bundle)), ("id", resp_size - 8, types.long))
        types.struct("bundle", 8, ("count", 0, types.long), ("r", 8, types.array(resp, 0)), at=bundle)
        bundles.append((bundle, resp))
    rig.pairs_by_type = dict(zip(*bundles, strict=True))
    rig.variable(0, old.pointer(bundles[0][1]), 0, new.pointer(bundles[1][1]))
    rig.chunk(0, 8 + 3 * 16, capacity=128)
    struct.pack_into("<Q", rig.theirs, 0, HEAP + 8 + 16)
    for number in range(3):
        struct.pack_into("<QQ", rig.heap, 8 + 16 * number, HEAP, number)
    outcome = rig.run()
    assert _kinds(outcome) == set()
    assert outcome.new_words(0, 1) == (HEAP + 8 + 24,)
    ids = [struct.unpack_from("<Q", outcome.heap, 8 + 24 * number + 16)[0] for number in range(3)]
    assert ids == [0, 1, 2]
