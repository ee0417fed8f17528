"""Start-up chunks that O has grown or moved since: in their place, beyond what N has, seen from untyped memory."""

from __future__ import annotations

import struct

import pytest

from gdb_mcr.engine.records import EventKind
from tests.support.transfer_rig import HEAP, OWN_HEAP, Outcome, Rig
from tests.support.type_builder import Types

HOLDER = 0x100
"""Where the untyped chunk of the last tests stands."""


@pytest.fixture
def rig() -> Rig:
    return Rig(Types(), Types())


def put(buffer: bytearray, offset: int, *words: int) -> None:
    struct.pack_into(f"<{len(words)}Q", buffer, offset, *words)


def _kinds(outcome: Outcome) -> set[int]:
    return {event[0] for event in outcome.events}


def test_a_chunk_that_o_has_grown_in_place_is_merged_with_n_s_and_o_s_behind_it(rig: Rig) -> None:
    rig.pair_in_place(0, 48, 16)
    put(rig.base_heap, 0, 1, 2)
    put(rig.heap, 0, 1, 3, 0, 7, 0, 9)
    put(rig.own_in_place, 0, 5, 2, 0xDEAD, 0xDEAD, 0xDEAD, 0xDEAD)  # what N has had there before its own chunk
    outcome = rig.run()
    assert struct.unpack_from("<6Q", outcome.heap, 0) == (5, 3, 0, 7, 0, 9)


def _point_to_jobs(rig: Rig) -> None:
    """A variable that points to a `struct job`, which grows by a field of 8 bytes."""
    jobs = [
        types.struct("job", size, ("id", 0, types.long), ("next", size - 8, types.pointer(-1)))
        for types, size in ((rig.old, 16), (rig.new, 24))
    ]
    rig.pairs_by_type = {jobs[0]: jobs[1]}
    rig.variable(0, rig.old.pointer(jobs[0]), 0, rig.new.pointer(jobs[1]))


def test_a_chunk_whose_object_grows_at_its_place_has_n_s_size_from_then_on(rig: Rig) -> None:
    _point_to_jobs(rig)
    put(rig.theirs, 0, rig.chunk(0, 32, capacity=48))
    rig.chunk(0x80, 32)
    assert rig.run().sizes == {HEAP: 48}


def _jobs(rig: Rig, new_count: int) -> Outcome:
    """Four jobs of O, two of them there at the end of start-up; N has room for `new_count`."""
    _point_to_jobs(rig)
    old, _ = rig.pair_chunk(0, 4 * 16, 0, new_count * 24, 2 * 16)
    put(rig.theirs, 0, old)
    put(rig.base, 0, old)
    put(rig.ours, 0, OWN_HEAP)
    put(rig.base_heap, 0, 1, 0, 2, 0)
    put(rig.heap, 0, 1, 0, 2, 0, 3, 0, 4, 0)
    return rig.run()


def test_elements_for_which_n_has_no_room_are_told(rig: Rig) -> None:
    assert EventKind.NO_HOME in _kinds(_jobs(rig, 2))


def test_elements_for_which_n_has_room_come_over(rig: Rig) -> None:
    outcome = _jobs(rig, 4)
    assert EventKind.NO_HOME not in _kinds(outcome)
    assert [struct.unpack_from("<Q", outcome.own_heap, 24 * number)[0] for number in (2, 3)] == [3, 4]


def _holder(rig: Rig, ours: int) -> tuple[int, set[int]]:
    """An untyped word that leads to a start-up chunk: O has moved that chunk, N has it at a place of its own."""
    moved, _ = rig.pair_chunk(0x40, 16, 0, 16, 16, base_offset=0)
    rig.pair_chunk(HOLDER, 8, HOLDER, 8, 8)
    put(rig.base_heap, HOLDER, HEAP)
    put(rig.heap, HOLDER, moved)
    put(rig.own_heap, HOLDER, ours)
    outcome = rig.run()
    return struct.unpack_from("<Q", outcome.own_heap, HOLDER)[0], _kinds(outcome)


def test_an_untyped_word_that_leads_to_one_chunk_on_all_sides_leads_to_n_s_place_of_it(rig: Rig) -> None:
    assert _holder(rig, OWN_HEAP) == (OWN_HEAP, set())


def test_an_untyped_word_that_n_lets_lead_elsewhere_is_o_s_and_told(rig: Rig) -> None:
    word, kinds = _holder(rig, OWN_HEAP + 8)
    assert word == HEAP + 0x40
    assert kinds
