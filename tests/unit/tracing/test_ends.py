"""Pointers whose value alone does not tell what they lead to: one past the end, and with bits of the program's own."""

from __future__ import annotations

import struct

import pytest

from gdb_mcr.engine.records import EventKind
from tests.support.transfer_rig import HEAP, NEW_HEAP, Rig
from tests.support.type_builder import Types


def _node(types: Types, *, grown: bool) -> int:
    node = types.reserve()
    rows = [("added", 0, types.long)] if grown else []
    start = 8 * len(rows)
    rows += [("value", start, types.long), ("next", start + 8, types.pointer(node))]
    return types.struct("node", start + 16, *rows, at=node)


@pytest.fixture
def rig() -> Rig:
    """Variables: 0 = node *, 8 = node *, 16 = other *, 24 = other *; nodes grow, others do not."""
    rig = Rig(Types(), Types())
    old, new = _node(rig.old, grown=False), _node(rig.new, grown=True)
    other, same = (
        types.struct("other", 16, ("a", 0, types.long), ("b", 8, types.long)) for types in (rig.old, rig.new)
    )
    rig.pairs_by_type.update({old: new, other: same})
    for offset, before, after in ((0, old, new), (8, old, new), (16, other, same), (24, other, same)):
        rig.variable(offset, rig.old.pointer(before), offset, rig.new.pointer(after))
    return rig


def point(rig: Rig, offset: int, address: int) -> None:
    struct.pack_into("<Q", rig.theirs, offset, address)


def test_the_end_of_an_array_follows_it(rig: Rig) -> None:
    array = rig.chunk(0, 48)
    point(rig, 0, array)
    point(rig, 8, array + 48)
    assert rig.run().new_words(0, 2) == (NEW_HEAP, NEW_HEAP + 3 * 24)


def test_the_end_of_an_array_is_not_what_stands_behind_it(rig: Rig) -> None:
    array, other = rig.chunk(0, 32), rig.chunk(32, 16)
    point(rig, 0, array)
    point(rig, 8, other)  # by its type the array's end
    point(rig, 16, other)
    outcome = rig.run()
    assert outcome.new_words(0, 3) == (NEW_HEAP, NEW_HEAP + 2 * 24, HEAP + 32)
    assert EventKind.TYPE_CONFLICT not in [event[0] for event in outcome.events]


def test_an_array_that_stands_behind_another_of_its_type_is_told(rig: Rig) -> None:
    point(rig, 0, rig.chunk(0, 32))
    point(rig, 8, rig.chunk(32, 32, capacity=64))  # it stays where it is, the other must move
    assert [event[0] for event in rig.run().events] == [EventKind.AMBIGUOUS]


def test_a_node_behind_another_one_is_no_end(rig: Rig) -> None:
    first, second = rig.chunk(0, 16), rig.chunk(16, 16)
    point(rig, 0, first)
    struct.pack_into("<Q", rig.heap, 8, second)
    outcome = rig.run()
    assert outcome.events == []
    assert struct.unpack_from("<Q", outcome.moved[NEW_HEAP], 16) == (NEW_HEAP + 32,)


def test_a_pointer_to_characters_never_means_an_end() -> None:
    """A text behind another one, as buffers of one size stand on the heap."""
    rig = Rig(Types(), Types())
    old, new = (types.pointer(types.char) for types in (rig.old, rig.new))
    rig.variable(0, rig.old.array(rig.old.char, 16), 32, rig.new.array(rig.new.char, 16))
    rig.variable(16, old, 0, new)
    point(rig, 16, 0x10000 + 16)  # the variable's own address
    assert rig.run().new_words(0, 1) == (0x50000,)


@pytest.mark.parametrize("tag", [1, 5, 7])
def test_bits_that_no_address_of_the_type_has_are_the_program_s_own(rig: Rig, tag: int) -> None:
    node = rig.chunk(0, 16)
    point(rig, 0, node | tag)
    outcome = rig.run()
    assert outcome.new_words(0, 1) == (NEW_HEAP | tag,)
    assert outcome.events == []
