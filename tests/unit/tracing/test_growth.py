"""Tables that grew in O and are longer still in N: every slot survives, and so does the length beside the pointer."""

from __future__ import annotations

import struct

import pytest

from tests.support.transfer_rig import OWN_HEAP, Rig
from tests.support.type_builder import Types


@pytest.fixture
def rig() -> Rig:
    return Rig(Types(), Types())


def put(buffer: bytearray, offset: int, *words: int) -> None:
    struct.pack_into(f"<{len(words)}Q", buffer, offset, *words)


def _tables(rig: Rig) -> tuple[int, int]:
    """A base of 4 slots; O's grew to 8, N's start-up needs 16. Slot 2 is N's own, slots 5 and 6 are O's."""
    old, new = rig.pair_chunk(0, 64, 0, 128, 32)
    put(rig.heap, 8 * 5, 0x55, 0x66)
    put(rig.own_heap, 8 * 2, 0x22)
    put(rig.own_heap, 8 * 12, 0xCC)
    return old, new


def test_the_longer_table_of_n_takes_o_s_slots_and_keeps_its_own(rig: Rig) -> None:
    _tables(rig)
    slots = struct.unpack_from("<16Q", rig.run().own_heap, 0)
    assert {index: slot for index, slot in enumerate(slots) if slot} == {2: 0x22, 5: 0x55, 6: 0x66, 12: 0xCC}


def test_the_length_beside_the_pointer_is_n_s(rig: Rig) -> None:
    old, new = _tables(rig)
    types = [
        types.struct("map", 16, ("slots", 0, types.pointer(-1)), ("count", 8, types.int), ("other", 12, types.int))
        for types in (rig.old, rig.new)
    ]
    rig.variable(0, types[0], 0, types[1])
    rig.theirs[0:16] = struct.pack("<Qii", old, 8, 8)
    rig.base[0:16] = struct.pack("<Qii", 0x999, 4, 8)
    rig.ours[0:16] = struct.pack("<Qii", new, 16, 8)
    assert struct.unpack_from("<Qii", rig.run().new, 0) == (new, 16, 8)


def test_the_length_in_opaque_memory_is_n_s_too(rig: Rig) -> None:
    old, _ = _tables(rig)
    rig.pair_chunk(0x100, 16, 0x100, 16, 16)
    rig.heap[0x100:0x110] = struct.pack("<Qii", old, 8, 77)
    rig.base_heap[0x100:0x110] = struct.pack("<Qii", 0x999, 4, 0)
    rig.own_heap[0x100:0x110] = struct.pack("<Qii", 0x800000, 16, 5)
    outcome = rig.run()
    assert struct.unpack_from("<ii", outcome.own_heap, 0x108) == (16, 77)


def _slots_five_and_six(rig: Rig, *numbers: int) -> tuple[int, ...]:
    """Both sides have filled both slots; only N has descriptor 6. :param numbers: what N's objects there hold."""
    rig.own_fds = [6]
    kind = rig.old.array(rig.old.pointer(-1), 8), rig.new.array(rig.new.pointer(-1), 8)
    rig.variable(0, kind[0], 0, kind[1])
    put(rig.theirs, 0, *([0] * 5), 0xA5, 0xA6)
    put(rig.ours, 0, *([0] * 5), OWN_HEAP, OWN_HEAP + 0x200)
    for place, number in zip((0, 0x200), numbers, strict=True):
        put(rig.own_heap, place, *([0xFF00000000] * 32))
        struct.pack_into("<i", rig.own_heap, place + 4, number)
    return rig.run().new_words(0, 8)[5:7]


def test_o_s_slot_for_a_descriptor_that_only_n_has_is_stale(rig: Rig) -> None:
    assert _slots_five_and_six(rig, 5, 6) == (0xA5, OWN_HEAP + 0x200)


def test_a_table_whose_elements_do_not_know_their_slot_is_no_table_of_descriptors(rig: Rig) -> None:
    assert _slots_five_and_six(rig, 1, 6) == (0xA5, 0xA6)
