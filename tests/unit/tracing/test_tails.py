"""What stands behind a struct, where it begins before sizeof, and chunks of which nobody knows what they are."""

from __future__ import annotations

import struct

import pytest

from gdb_mcr.engine.records import EventKind, ObjectFlag
from tests.support.transfer_rig import NEW_HEAP, Rig
from tests.support.type_builder import Types


def _text(types: Types, *, grown: bool, count: int) -> int:
    """`long a; int used; char data[];`, whose data begin at 12 of 16; the new one has another int before them."""
    rows = [("a", 0, types.long), ("used", 8, types.int)]
    if grown:
        rows += [("flags", 12, types.int), ("more", 16, types.int)]
    return types.struct(
        "text", 24 if grown else 16, *rows, ("data", 20 if grown else 12, types.array(types.char, count))
    )


@pytest.mark.parametrize("size", [12, 15, 30])
def test_bytes_of_a_flexible_array_that_begin_before_sizeof(size: int) -> None:
    rig = Rig(Types(), Types())
    old, new = _text(rig.old, grown=False, count=0), _text(rig.new, grown=True, count=0)
    rig.pairs_by_type[old] = new
    rig.variable(0, rig.old.pointer(old), 0, rig.new.pointer(new))
    struct.pack_into("<Q", rig.theirs, 0, rig.chunk(0, size))
    rig.heap[0:size] = (struct.pack("<qi", 5, size - 12) + b"abcdefghijklmnopqrstuvwxyz")[:size]
    moved = rig.run().moved[NEW_HEAP]
    assert struct.unpack_from("<qi", moved) == (5, size - 12)
    assert moved[20 : 20 + size - 12] == b"abcdefghijklmnopqrstuvwxyz"[: size - 12]


@pytest.mark.parametrize(("size", "told"), [(32, [EventKind.AMBIGUOUS]), (16, [])])
def test_an_array_of_one_may_go_on_or_be_two_objects(size: int, told: list[EventKind]) -> None:
    rig = Rig(Types(), Types())
    old, new = _text(rig.old, grown=False, count=1), _text(rig.new, grown=True, count=1)
    rig.pairs_by_type[old] = new
    rig.variable(0, rig.old.pointer(old), 0, rig.new.pointer(new))
    struct.pack_into("<Q", rig.theirs, 0, rig.chunk(0, size))
    assert [event[0] for event in rig.run().events] == told


def _untyped(flags: ObjectFlag, size: int, *, by_text: bool = False) -> list[int]:
    """Events of a transfer in which only an untyped pointer leads to a chunk; a struct of 16 bytes grows."""
    rig = Rig(Types(), Types())
    old, new = (types.struct("s", 16 + more, ("a", more, types.long)) for types, more in ((rig.old, 0), (rig.new, 8)))
    rig.pairs_by_type[old] = new
    rig.variable(8, rig.old.pointer(old), 8, rig.new.pointer(new))
    target = rig.old.char if by_text else -1
    rig.variable(0, rig.old.pointer(target), 0, rig.new.pointer(-1))
    site = rig.site(-1)
    rig.site_flags[site] = flags
    struct.pack_into("<Q", rig.theirs, 0, rig.chunk(0, size, site=site))
    return [event[0] for event in rig.run().events]


def test_a_chunk_that_may_be_of_a_changed_type_is_told() -> None:
    assert _untyped(ObjectFlag(0), 16) == [EventKind.CHANGED_IN_OPAQUE]


def test_a_chunk_that_cannot_be_of_a_changed_type_is_none() -> None:
    assert _untyped(ObjectFlag(0), 17) == []
    assert _untyped(ObjectFlag.FOREIGN, 16) == []
    assert _untyped(ObjectFlag(0), 16, by_text=True) == []
