"""Allocations whose call stacks changed, found along the pointers of those that did not."""

from __future__ import annotations

import struct
from collections.abc import Hashable

from gdb_mcr.model.startup_log import Allocation
from gdb_mcr.reinit.holders import Holder, HolderSide, pair_by_holders


def _allocation(seq: int, address: int, size: int) -> Allocation:
    return Allocation(seq, 0, 7, seq, 0, address, size, size, address, size, 0, -1)


class Memory:
    """Allocations with words in them."""

    def __init__(self) -> None:
        self.allocations: dict[int, Allocation] = {}
        self.origins: dict[int, Hashable] = {}
        self._words: dict[int, bytes] = {}

    def put(self, seq: int, address: int, origin: Hashable, *words: int) -> None:
        data = struct.pack(f"<{len(words)}Q", *words)
        self.allocations[seq] = _allocation(seq, address, len(data))
        self.origins[seq] = origin
        self._words[address] = data

    def read(self, address: int, size: int) -> bytes | None:
        data = self._words.get(address)
        return data[:size] if data is not None else None

    def side(self) -> HolderSide:
        return HolderSide(
            self.allocations,
            lambda one: one.address,
            lambda one: one.size,
            lambda one: self.origins[one.seq],
            self.read,
        )


def test_pairs_when_a_paired_object_points_to_two_of_one_origin_then_finds_them_and_what_they_hold() -> None:
    old, new = Memory(), Memory()
    old.put(0, 0x1000, "base", 0x2000, 5)
    old.put(1, 0x2000, "table", 0, 0x3000)
    old.put(2, 0x3000, "entry", 1)
    new.put(0, 0x8000, "base", 0x9100, 5)
    new.put(4, 0x9100, "table", 0, 0x9200, 0x9300)
    new.put(5, 0x9200, "entry", 1)
    new.put(6, 0x9300, "entry", 1)
    assert pair_by_holders(old.side(), new.side(), {0: 0}, ()) == {4: 1, 5: 2}


def test_pairs_when_origins_differ_then_none() -> None:
    old, new = Memory(), Memory()
    old.put(0, 0x1000, "base", 0x2000)
    old.put(1, 0x2000, "string", 1)
    new.put(0, 0x8000, "base", 0x9000)
    new.put(1, 0x9000, "table", 1)
    assert pair_by_holders(old.side(), new.side(), {0: 0}, ()) == {}


def test_pairs_when_the_origin_is_unknown_then_none() -> None:
    old, new = Memory(), Memory()
    old.put(1, 0x2000, None, 1)
    new.put(1, 0x9000, None, 1)
    old.put(0, 0x1000, "base", 0x2000)
    new.put(0, 0x8000, "base", 0x9000)
    assert pair_by_holders(old.side(), new.side(), {0: 0}, ()) == {}


def test_pairs_when_a_variable_holds_both_then_finds_them() -> None:
    old, new = Memory(), Memory()
    old.put(0, 0x100, "variable", 0x2000)
    old.put(1, 0x2000, "conn", 1)
    new.put(0, 0x200, "variable", 0x9000)
    new.put(3, 0x9000, "conn", 1)
    del old.allocations[0], new.allocations[0]
    assert pair_by_holders(old.side(), new.side(), {}, (Holder(0x100, 0x200, 8),)) == {3: 1}


def test_pairs_when_a_pointer_is_interior_then_none() -> None:
    old, new = Memory(), Memory()
    old.put(0, 0x1000, "base", 0x2008)
    old.put(1, 0x2000, "table", 1, 2)
    new.put(0, 0x8000, "base", 0x9008)
    new.put(1, 0x9000, "table", 1, 2)
    assert pair_by_holders(old.side(), new.side(), {0: 0}, ()) == {}
