"""The books of a transfer: pointers by where they stand and lead, objects that stay, and what goes over of all."""

from __future__ import annotations

import struct

from tests.support.transfer_rig import GLOBALS, Outcome, Rig
from tests.support.type_builder import Types


def put(buffer: bytearray, offset: int, *words: int) -> None:
    struct.pack_into(f"<{len(words)}Q", buffer, offset, *words)


# A variable points to a chunk that points to another variable; a third variable is as it was; a chunk without a type
# has a word that looks like a pointer to the first chunk.
def outcome() -> Outcome:
    rig = Rig(Types(), Types())
    to_pointer = rig.old.pointer(rig.old.pointer(rig.old.int))
    rig.variable(0, to_pointer, 0, rig.new.pointer(rig.new.pointer(rig.new.int)))
    rig.variable(64, rig.old.int, 64, rig.new.int)
    rig.variable(128, rig.old.int, 128, rig.new.int)
    first, second = rig.chunk(0, 8), rig.chunk(64, 24)
    put(rig.theirs, 0, first)
    rig.theirs[64:68] = struct.pack("<i", 6)
    rig.theirs[128:132] = rig.base[128:132] = struct.pack("<i", 5)
    put(rig.heap, 0, GLOBALS + 64)
    put(rig.heap, second - first, 0, first, 0)
    return rig.run()


def test_pointers_are_counted_by_source_and_target() -> None:
    found = {key: count for key, count in outcome().statistics.items() if "_to_" in key and count}
    assert found == {
        "precise_static_to_dynamic": 1,
        "precise_dynamic_to_static": 1,
        "likely_dynamic_to_dynamic": 1,
    }


def test_objects_are_counted_as_held_and_as_transferred() -> None:
    books = outcome().statistics
    assert (books["objects"], books["bytes"]) == (5, 8 + 4 + 4 + 8 + 24)
    assert (books["transferred"], books["bytes_transferred"]) == (4, 8 + 4 + 8 + 24), "one variable is as it was"
    assert (books["pinned"], books["nonupdatable"]) == (1, 1), "the target stays, and its holder is not converted"
