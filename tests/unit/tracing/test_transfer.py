"""The engine on fabricated memory: each case is a situation that broke an update by hand (FACTS-E2E section 2)."""

from __future__ import annotations

import struct

import pytest

from gdb_mcr.engine.records import EventKind, ObjectFlag, OpFlag, Symbol, SymbolKind
from gdb_mcr.tracing.policy import Policy
from tests.support.transfer_rig import GLOBALS, HEAP, NEW_GLOBALS, NEW_HEAP, Outcome, Rig
from tests.support.type_builder import Types


def _kinds(outcome: Outcome) -> list[int]:
    return [event[0] for event in outcome.events]


@pytest.fixture
def rig() -> Rig:
    return Rig(Types(), Types())


def put(buffer: bytearray, offset: int, *words: int) -> None:
    struct.pack_into(f"<{len(words)}Q", buffer, offset, *words)


def test_a_field_that_o_did_not_change_keeps_n_s_value(rig: Rig) -> None:
    rig.variable(0, rig.old.int, 8, rig.new.int)
    rig.theirs[0:4] = rig.base[0:4] = struct.pack("<i", 5)
    rig.ours[8:12] = struct.pack("<i", 7)
    assert struct.unpack_from("<i", rig.run().new, 8) == (7,)


def test_a_field_that_o_changed_moves_and_the_both_changed_case_is_reported(rig: Rig) -> None:
    rig.variable(0, rig.old.int, 8, rig.new.int)
    rig.theirs[0:4] = struct.pack("<i", 6)
    rig.base[0:4] = struct.pack("<i", 5)
    rig.ours[8:12] = struct.pack("<i", 7)
    outcome = rig.run()
    assert struct.unpack_from("<i", outcome.new, 8) == (6,)
    assert _kinds(outcome) == [EventKind.BOTH_CHANGED]


@pytest.mark.parametrize(("flag", "expected"), [(OpFlag.KEEP_OLD, 5), (OpFlag.KEEP_NEW, 7), (OpFlag.COUNTER, 13)])
def test_annotations_decide_the_merge(flag: OpFlag, expected: int) -> None:
    rig = Rig(Types(), Types(), Policy(field_flags={"hits": flag}))
    rig.variable(0, rig.old.int, 8, rig.new.int, "hits")
    theirs = 5 if flag is OpFlag.KEEP_OLD else 11
    rig.theirs[0:4], rig.base[0:4] = struct.pack("<i", theirs), struct.pack("<i", 5)
    rig.ours[8:12] = struct.pack("<i", 7)
    assert struct.unpack_from("<i", rig.run().new, 8) == (expected,)


def test_a_pointer_to_a_global_follows_it_to_n_s_image(rig: Rig) -> None:
    rig.variable(0, rig.old.pointer(rig.old.int), 0x100, rig.new.pointer(rig.new.int))
    rig.variable(64, rig.old.int, 0x200, rig.new.int)
    put(rig.theirs, 0, GLOBALS + 64)
    assert rig.run().new_words(0x100, 1) == (NEW_GLOBALS + 0x200,)


def _list_types(types: Types, *, grown: bool) -> int:
    node = types.reserve()
    link = types.pointer(node)
    if grown:
        return types.struct("node", 32, ("next", 0, link), ("added", 8, types.long), ("value", 16, types.int), at=node)
    return types.struct("node", 16, ("next", 0, link), ("value", 8, types.int), at=node)


def test_objects_that_outgrow_their_place_move_and_every_pointer_follows(rig: Rig) -> None:
    old, new = _list_types(rig.old, grown=False), _list_types(rig.new, grown=True)
    rig.pairs_by_type[old] = new
    rig.variable(0, rig.old.pointer(old), 0, rig.new.pointer(new))
    first, second = rig.chunk(0, 16), rig.chunk(64, 16)
    put(rig.theirs, 0, first)
    put(rig.heap, 0, second, 41)
    put(rig.heap, 64, 0, 42)
    outcome = rig.run()
    assert outcome.new_words(0, 1) == (NEW_HEAP,)
    assert struct.unpack("<QQi", outcome.moved[NEW_HEAP][:20]) == (NEW_HEAP + 32, 0, 41)
    assert struct.unpack("<QQi", outcome.moved[NEW_HEAP + 32][:20]) == (0, 0, 42)


def test_objects_with_room_are_converted_in_place(rig: Rig) -> None:
    old, new = _list_types(rig.old, grown=False), _list_types(rig.new, grown=True)
    rig.pairs_by_type[old] = new
    rig.variable(0, rig.old.pointer(old), 0, rig.new.pointer(new))
    put(rig.theirs, 0, rig.chunk(0, 16, capacity=32))
    put(rig.heap, 0, 0, 41, 0xDEAD, 0xDEAD)
    outcome = rig.run()
    assert struct.unpack_from("<QQiI", outcome.heap, 0) == (0, 0, 41, 0)
    assert outcome.moved == {}


def test_an_interior_pointer_follows_its_field(rig: Rig) -> None:
    old, new = _list_types(rig.old, grown=False), _list_types(rig.new, grown=True)
    rig.pairs_by_type[old] = new
    rig.variable(0, rig.old.pointer(old), 0, rig.new.pointer(new))
    rig.variable(8, rig.old.pointer(rig.old.int), 8, rig.new.pointer(rig.new.int))
    chunk = rig.chunk(0, 16)
    put(rig.theirs, 0, chunk, chunk + 8)
    assert rig.run().new_words(0, 2) == (NEW_HEAP, NEW_HEAP + 16)


def test_the_bytes_behind_a_struct_are_never_read_as_its_next_element(rig: Rig) -> None:
    """FACTS-E2E obstacle 9: one chunk with a tail means that no chunk of the type is an array."""
    old, new = _list_types(rig.old, grown=False), _list_types(rig.new, grown=False)
    rig.pairs_by_type[old] = new
    rig.variable(0, rig.old.pointer(old), 0, rig.new.pointer(new))
    rig.variable(8, rig.old.pointer(old), 8, rig.new.pointer(new))
    whole, ragged, trap = rig.chunk(0, 48), rig.chunk(64, 19), rig.chunk(128, 16)
    put(rig.theirs, 0, whole, ragged)
    put(rig.heap, 16, trap)  # client bytes behind the first node that look like a node *
    outcome = rig.run()
    assert not outcome.flags[trap] & ObjectFlag.PRECISE
    assert outcome.flags[whole] & ObjectFlag.PRECISE


def test_an_enum_moves_by_name_and_a_narrower_integer_is_checked(rig: Rig) -> None:
    old = rig.old.struct("s", 8, ("state", 0, rig.old.enum("st", A=0, B=1, C=2)), ("n", 4, rig.old.int))
    new = rig.new.struct("s", 8, ("state", 0, rig.new.enum("st", A=0, X=1, B=2, C=3)), ("n", 4, rig.new.short))
    rig.variable(0, old, 0, new)
    rig.theirs[0:8] = struct.pack("<ii", 2, 70000)
    outcome = rig.run()
    assert struct.unpack_from("<i", outcome.new, 0) == (3,)
    assert _kinds(outcome) == [EventKind.OUT_OF_RANGE]


def test_a_removed_member_is_an_event_only_if_o_changed_it(rig: Rig) -> None:
    old = rig.old.struct("s", 8, ("kept", 0, rig.old.int), ("gone", 4, rig.old.int))
    new = rig.new.struct("s", 4, ("kept", 0, rig.new.int))
    rig.variable(0, old, 0, new)
    rig.variable(16, old, 16, new)
    rig.theirs[20:24] = struct.pack("<i", 1)
    outcome = rig.run()
    assert [(event[0], event[2]) for event in outcome.events] == [(EventKind.DROPPED_FIELD, 4)]
    silent = Rig(rig.old, rig.new, Policy(dropped=frozenset({"s.gone"})))
    silent.variable(16, old, 16, new)
    silent.theirs[20:24] = struct.pack("<i", 1)
    assert silent.run().events == []


def test_a_removed_variable_is_a_loss_only_if_o_changed_what_is_not_its_own_lock(rig: Rig) -> None:
    """A thread may take a lock after the snapshot as well as before it: locks are never merged (DESIGN section 9)."""
    lock = rig.old.typedef("lock_t", rig.old.struct("raw_lock", 8, ("word", 0, rig.old.long)))
    queue = rig.old.struct("queue", 16, ("lock", 0, lock), ("length", 8, rig.old.long))
    rig.policy = Policy(never_types=frozenset({"lock_t"}))
    rig.lost_variable(0, lock)
    rig.lost_variable(16, rig.old.array(lock, 4))
    rig.lost_variable(64, queue)
    rig.lost_variable(96, queue)
    for offset in (0, 32, 64, 104):
        put(rig.theirs, offset, 1)
    outcome = rig.run()
    assert _kinds(outcome) == [EventKind.NO_HOME]
    assert [event[1] for event in outcome.events] == [3]


def test_a_likely_pointer_holds_its_target_and_moving_it_is_a_conflict(rig: Rig) -> None:
    old, new = _list_types(rig.old, grown=False), _list_types(rig.new, grown=True)
    rig.pairs_by_type[old] = new
    rig.variable(0, rig.old.pointer(old), 0, rig.new.pointer(new))
    node, opaque = rig.chunk(0, 16), rig.chunk(64, 32)
    put(rig.theirs, 0, node)
    put(rig.heap, 64, 0x4141414141414141, node)
    outcome = rig.run()
    assert outcome.flags[node] & ObjectFlag.IMMUTABLE
    assert outcome.flags[opaque] & ObjectFlag.NONUPDATABLE
    assert EventKind.PINNED_MOVE in _kinds(outcome)


def test_client_bytes_that_look_like_pointers_are_not_rewritten(rig: Rig) -> None:
    """DESIGN section 8: conservative words are never rewritten, but for exact entries and named starts of O's image."""
    rig.variable(0, rig.old.long, 0x300, rig.new.long)
    rig.chunk(0, 48)
    put(rig.heap, 0, HEAP + 8, GLOBALS + 4, GLOBALS + 0x900)
    before = bytes(rig.heap)
    assert rig.run().heap == before


def test_function_pointers_and_named_starts_are_rewritten_even_in_opaque_memory(rig: Rig) -> None:
    entry = GLOBALS - 0x4000
    rig.symbols.append(Symbol(old_address=entry, size=64, new_address=0x90000, kind=SymbolKind.CODE))
    rig.variable(0, rig.old.long, 0x300, rig.new.long)
    rig.chunk(0, 32)
    put(rig.heap, 0, entry, entry + 1, GLOBALS)
    assert struct.unpack_from("<3Q", rig.run().heap, 0) == (0x90000, entry + 1, NEW_GLOBALS + 0x300)


def test_a_pointer_to_a_function_that_n_lacks_is_reported(rig: Rig) -> None:
    entry = GLOBALS - 0x4000
    rig.symbols.append(Symbol(old_address=entry, size=64, new_address=0, kind=SymbolKind.CODE))
    rig.variable(0, rig.old.pointer(rig.old.function), 0, rig.new.pointer(rig.new.function))
    put(rig.theirs, 0, entry)
    assert _kinds(rig.run()) == [EventKind.LOST_POINTER]


def test_allocation_sites_type_what_only_void_pointers_reach_unless_they_disagree(rig: Rig) -> None:
    old, new = _list_types(rig.old, grown=False), _list_types(rig.new, grown=False)
    rig.pairs_by_type[old] = new
    good, bad = rig.site(old), rig.site(old)
    other = rig.old.struct("other", 16, ("text", 0, rig.old.array(rig.old.char, 16)))
    rig.variable(0, rig.old.pointer(other), 0, rig.new.pointer(-1))
    typed, doubted, precise = rig.chunk(0, 16, site=good), rig.chunk(64, 16, site=bad), rig.chunk(128, 16, site=bad)
    put(rig.theirs, 0, precise)
    outcome = rig.run()
    assert outcome.flags[typed] & ObjectFlag.SITE_TYPED
    assert not outcome.flags[doubted] & ObjectFlag.SITE_TYPED
    assert outcome.statistics["disqualified_sites"] == 1


def test_a_union_whose_alternatives_agree_on_a_pointer_is_followed(rig: Rig) -> None:
    def make(types: Types) -> int:
        target = types.struct("t", 8, ("v", 0, types.long))
        a = types.struct("a", 16, ("p", 0, types.pointer(target)), ("n", 8, types.long))
        b = types.struct("b", 16, ("p", 0, types.pointer(target)), ("q", 8, types.pointer(target)))
        return types.union("u", 16, ("a", 0, a), ("b", 0, b))

    rig.variable(0, make(rig.old), 0, make(rig.new))
    first, second = rig.chunk(0, 8), rig.chunk(32, 8)
    put(rig.theirs, 0, first, second)
    outcome = rig.run()
    assert outcome.flags[first] & ObjectFlag.PRECISE
    assert not outcome.flags[second] & ObjectFlag.PRECISE
    assert outcome.flags[second] & ObjectFlag.IMMUTABLE


def test_never_merged_types_stay_n_s_own() -> None:
    rig = Rig(Types(), Types(), Policy(never_types=frozenset({"pthread_mutex_t"})))
    old = rig.old.typedef("pthread_mutex_t", rig.old.union("", 40, ("raw", 0, rig.old.array(rig.old.char, 40))))
    new = rig.new.typedef("pthread_mutex_t", rig.new.union("", 40, ("raw", 0, rig.new.array(rig.new.char, 40))))
    rig.variable(0, old, 0, new)
    rig.theirs[0:40], rig.ours[0:40] = b"o" * 40, b"n" * 40
    assert rig.run().new[0:40] == b"n" * 40


def _embedding(types: Types, *, shifted: bool) -> tuple[int, int]:
    """A connection that embeds a library's event, as memcached's `conn` embeds libevent's `struct event`."""
    event = types.struct("event", 16, ("next", 0, types.pointer(-1)), ("fd", 8, types.int))
    if shifted:
        rows = (("state", 0, types.int), ("tls", 8, types.pointer(-1)), ("event", 16, event))
        return types.struct("conn", 32, *rows), event
    return types.struct(
        "conn", 32, ("state", 0, types.int), ("event", 8, event), ("gone", 24, types.pointer(-1))
    ), event


def test_words_of_a_ruled_library_follow_the_struct_that_the_program_embeds() -> None:
    rules = Policy(ruled_libraries=(("libevent*", "event"),))
    rig = Rig(Types(), Types(), rules)
    (old, _), (new, _) = _embedding(rig.old, shifted=False), _embedding(rig.new, shifted=True)
    rig.pairs_by_type[old] = new
    rig.variable(0, rig.old.pointer(old), 0, rig.new.pointer(new))
    chunk = rig.chunk(0, 32)
    rig.chunk(64, 24, site=rig.site(rig.old.char))
    rig.site_flags[0] = ObjectFlag.RULED_OWNER
    put(rig.theirs, 0, chunk)
    put(rig.heap, 64, chunk + 8, chunk + 12, chunk)
    outcome = rig.run()
    assert struct.unpack_from("<3Q", outcome.heap, 64) == (chunk + 16, chunk + 20, chunk)
    assert EventKind.PINNED_MOVE not in _kinds(outcome)


def test_without_the_rule_the_same_words_are_a_conflict(rig: Rig) -> None:
    (old, _), (new, _) = _embedding(rig.old, shifted=False), _embedding(rig.new, shifted=True)
    rig.pairs_by_type[old] = new
    rig.variable(0, rig.old.pointer(old), 0, rig.new.pointer(new))
    chunk = rig.chunk(0, 32)
    rig.chunk(64, 24)
    put(rig.theirs, 0, chunk)
    put(rig.heap, 64, chunk + 8)
    outcome = rig.run()
    assert struct.unpack_from("<Q", outcome.heap, 64) == (chunk + 8,)
    assert EventKind.PINNED_MOVE in _kinds(outcome)


def test_a_likely_pointer_to_a_field_that_stays_put_is_no_conflict(rig: Rig) -> None:
    old = _list_types(rig.old, grown=False)
    new = rig.new.struct("node", 16, ("next", 0, rig.new.pointer(-1)), ("count", 8, rig.new.int))
    rig.policy = Policy(dropped=frozenset({"node.value"}))
    rig.pairs_by_type[old] = new
    rig.variable(0, rig.old.pointer(old), 0, rig.new.pointer(new))
    chunk = rig.chunk(0, 16)
    rig.chunk(64, 8)
    put(rig.theirs, 0, chunk)
    put(rig.heap, 64, chunk)
    assert EventKind.PINNED_MOVE not in _kinds(rig.run())


def test_elements_of_a_flexible_array_are_converted_one_by_one(rig: Rig) -> None:
    def make(types: Types, *, grown: bool) -> int:
        rows = [("added", 0, types.long), ("value", 8, types.int)] if grown else [("value", 0, types.int)]
        element = types.struct("el", 16 if grown else 4, *rows)
        return types.struct("vec", 8, ("count", 0, types.long), ("els", 8, types.array(element, 0)))

    old, new = make(rig.old, grown=False), make(rig.new, grown=True)
    rig.pairs_by_type[old] = new
    rig.variable(0, rig.old.pointer(old), 0, rig.new.pointer(new))
    put(rig.theirs, 0, rig.chunk(0, 20))
    rig.heap[0:20] = struct.pack("<Qiii", 3, 7, 8, 9)
    moved = rig.run().moved[NEW_HEAP]
    assert len(moved) == 8 + 3 * 16
    assert [struct.unpack_from("<i", moved, 8 + 16 * n + 8)[0] for n in range(3)] == [7, 8, 9]


def test_bit_fields_move_by_name_and_width(rig: Rig) -> None:
    old = rig.old.bit_struct("b", 4, ("a", 0, 3), ("b", 3, 5))
    new = rig.new.bit_struct("b", 4, ("new", 0, 1), ("a", 1, 3), ("b", 4, 6))
    rig.variable(0, old, 0, new)
    rig.theirs[0:4] = struct.pack("<I", 3 | 9 << 3)
    assert struct.unpack_from("<I", rig.run().new, 0) == (3 << 1 | 9 << 4,)


def test_a_lock_inside_a_converted_object_moves_as_it_is() -> None:
    rig = Rig(Types(), Types(), Policy(never_types=frozenset({"pthread_mutex_t"})))

    def make(types: Types, *, grown: bool) -> int:
        lock = types.typedef("pthread_mutex_t", types.array(types.char, 40))
        rows = [("lock", 8, lock), ("added", 0, types.long)] if grown else [("lock", 0, lock)]
        return types.struct("s", 48 if grown else 40, *rows)

    old, new = make(rig.old, grown=False), make(rig.new, grown=True)
    rig.pairs_by_type[old] = new
    rig.variable(0, rig.old.pointer(old), 0, rig.new.pointer(new))
    put(rig.theirs, 0, rig.chunk(0, 40))
    rig.heap[0:40] = b"L" * 40
    assert rig.run().moved[NEW_HEAP] == bytes(8) + b"L" * 40
