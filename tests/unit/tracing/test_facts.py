"""Facts about pointers and unions on fabricated memory: what tracing and conversion make of them, and what without."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest

from gdb_mcr.engine.handler_records import HandlerFailure
from gdb_mcr.engine.records import EventKind, ObjectFlag
from gdb_mcr.model.expression import LONG, Cast, Expression
from gdb_mcr.model.handler import ActiveMember, ArrayLength, MemoryFact, PointsTo, Precision, TaggedPointer
from gdb_mcr.model.place import Place, Side, Subject
from gdb_mcr.tracing.policy import Policy
from tests.support.handler_text import SPAN, Fields, binary, number
from tests.support.transfer_rig import GLOBALS, HEAP, NEW_GLOBALS, NEW_HEAP, Outcome, Rig
from tests.support.type_builder import Types

NODE, GROWN = 16, 32
TARGET = 0x100
"""Offset of the node that something points to; it outgrows its place, so that every pointer to it must follow."""


@dataclass
class Scene:
    """A node that grows, and a holder of O's and of N's types, built by the test."""

    old: Types
    new: Types

    def __post_init__(self) -> None:
        self.old_node = self.old.struct("node", NODE, ("value", 0, self.old.int), ("more", 8, self.old.long))
        rows = (("value", 0, self.new.int), ("more", 8, self.new.long), ("added", 16, self.new.long))
        self.new_node = self.new.struct("node", GROWN, *rows)

    def run(self, old_holder: int, new_holder: int, data: bytes, *facts: MemoryFact, size: int = 0) -> Outcome:
        """`data` is the holder, a chunk at HEAP; the node's address is in it as HEAP + TARGET."""
        pairs = {old_holder: new_holder, self.old_node: self.new_node}
        rig = Rig(self.old, self.new, Policy(facts=facts), pairs)
        rig.variable(0, self.old.pointer(old_holder), 0, self.new.pointer(new_holder))
        struct.pack_into("<Q", rig.theirs, 0, HEAP)
        rig.chunk(0, max(size, len(data)))
        rig.chunk(TARGET, NODE)
        rig.heap[: len(data)] = data
        struct.pack_into("<iiq", rig.heap, TARGET, 41, 0, 42)
        return rig.run()


@pytest.fixture
def scene() -> Scene:
    return Scene(Types(), Types())


def of_type(index: int, *path: str, new: int = 0) -> Place:
    return Place(Subject.TYPE, "holder", index, new, path, path)


def words(outcome: Outcome, count: int) -> tuple[int, ...]:
    return struct.unpack_from(f"<{count}Q", outcome.heap)


def kinds(outcome: Outcome) -> list[int]:
    return [event[0] for event in outcome.events]


def holders(scene: Scene, old_member: int, new_member: int, size: int = 16) -> tuple[int, int]:
    """`long n; MEMBER p;`"""
    old = scene.old.struct("holder", size, ("n", 0, scene.old.long), ("p", 8, old_member))
    return old, scene.new.struct("holder", size, ("n", 0, scene.new.long), ("p", 8, new_member))


def test_an_untyped_pointer_leads_to_what_it_is_said_to(scene: Scene) -> None:
    old, new = holders(scene, scene.old.pointer(-1), scene.new.pointer(-1))
    data = struct.pack("<QQ", 1, HEAP + TARGET)
    said = scene.run(old, new, data, PointsTo(of_type(old, "p"), scene.old_node, SPAN))
    assert words(said, 2) == (1, NEW_HEAP)
    assert struct.unpack_from("<i4xqq", said.moved[NEW_HEAP]) == (41, 42, 0)
    assert scene.run(old, new, data).moved == {}


def test_so_does_each_pointer_of_an_array_and_an_integer(scene: Scene) -> None:
    types = scene.old.array(scene.old.pointer(-1), 2), scene.new.array(scene.new.pointer(-1), 2)
    old, new = holders(scene, *types, size=24)
    data = struct.pack("<QQQ", 1, 0, HEAP + TARGET)
    assert words(scene.run(old, new, data, PointsTo(of_type(old, "p"), scene.old_node, SPAN)), 3) == (1, 0, NEW_HEAP)
    other = Scene(Types(), Types())
    old, new = holders(other, other.old.long, other.new.long)
    data = struct.pack("<QQ", 1, HEAP + TARGET)
    assert words(other.run(old, new, data, PointsTo(of_type(old, "p"), other.old_node, SPAN)), 2) == (1, NEW_HEAP)


def test_a_variable_may_have_facts_of_its_own(scene: Scene) -> None:
    void = scene.old.pointer(-1), scene.new.pointer(-1)
    fact = PointsTo(Place(Subject.VARIABLE, "where", 1, 1, (), ()), scene.old_node, SPAN)
    rig = Rig(scene.old, scene.new, Policy(facts=(fact,)), {scene.old_node: scene.new_node})
    rig.variable(64, void[0], 64, void[1])
    rig.variable(0, void[0], 0, void[1])
    rig.chunk(TARGET, NODE)
    struct.pack_into("<Q", rig.theirs, 0, HEAP + TARGET)
    assert rig.run().new_words(0, 1) == (NEW_HEAP,)


HIGH = 0xFFFF << 48


@pytest.mark.parametrize(("mask", "tag"), [(7, 5), (1, 1), (HIGH, 0x1234 << 48), (HIGH | 3, 0x8000 << 48 | 2)])
def test_tags_stay_and_what_is_behind_them_is_followed(scene: Scene, mask: int, tag: int) -> None:
    old, new = holders(scene, scene.old.pointer(scene.old_node), scene.new.pointer(scene.new_node))
    data = struct.pack("<QQ", 1, HEAP + TARGET | tag)
    outcome = scene.run(old, new, data, TaggedPointer(of_type(old, "p"), mask, SPAN))
    assert words(outcome, 2) == (1, NEW_HEAP | tag)
    assert outcome.flags[HEAP + TARGET] & ObjectFlag.PRECISE
    assert kinds(outcome) == []


def test_an_integer_may_be_a_tagged_pointer(scene: Scene) -> None:
    old, new = holders(scene, scene.old.long, scene.new.long)
    data = struct.pack("<QQ", 1, HEAP + TARGET | 1)
    outcome = scene.run(old, new, data, TaggedPointer(of_type(old, "p"), 1, SPAN, scene.old_node))
    assert words(outcome, 2) == (1, NEW_HEAP | 1)
    assert EventKind.PINNED_MOVE in kinds(scene.run(old, new, data)) or scene.run(old, new, data).moved == {}


def test_a_tag_without_a_pointer(scene: Scene) -> None:
    old, new = holders(scene, scene.old.pointer(scene.old_node), scene.new.pointer(scene.new_node))
    outcome = scene.run(old, new, struct.pack("<QQ", 1, 3), TaggedPointer(of_type(old, "p"), 3, SPAN))
    assert words(outcome, 2) == (1, 3)
    assert kinds(outcome) == []


def long_of(fields: Fields, name: str) -> Expression:
    return Cast(fields.load(name), LONG)


def length(scene: Scene, old: int) -> ArrayLength:
    fields = Fields(scene.old.table(), old, Side.OLD)
    return ArrayLength(of_type(old, "p"), long_of(fields, "n"), SPAN)


def run_array(count: int, *, said: bool = True, slots: tuple[int, ...] = (TARGET, 0, TARGET)) -> Outcome:
    """A table of pointers of which `count` are in use; the others hold stale words."""
    scene = Scene(Types(), Types())
    pointers = scene.old.pointer(scene.old_node), scene.new.pointer(scene.new_node)
    old, new = holders(scene, scene.old.pointer(pointers[0]), scene.new.pointer(pointers[1]))
    rig = Rig(
        scene.old,
        scene.new,
        Policy(facts=(length(scene, old),) if said else ()),
        {old: new, scene.old_node: scene.new_node, pointers[0]: pointers[1]},
    )
    rig.variable(0, scene.old.pointer(old), 0, scene.new.pointer(new))
    struct.pack_into("<Q", rig.theirs, 0, rig.chunk(0, 16))
    struct.pack_into("<qQ", rig.heap, 0, count, rig.chunk(0x40, 8 * len(slots)))
    rig.chunk(TARGET, NODE)
    for i, slot in enumerate(slots):
        struct.pack_into("<Q", rig.heap, 0x40 + 8 * i, HEAP + slot if slot else 0)
    return rig.run()


def test_pointers_behind_the_length_lead_nowhere() -> None:
    outcome = run_array(2)
    assert struct.unpack_from("<3Q", outcome.heap, 0x40) == (NEW_HEAP, 0, HEAP + TARGET)
    assert kinds(outcome) == []
    assert struct.unpack_from("<3Q", run_array(2, said=False).heap, 0x40) == (NEW_HEAP, 0, NEW_HEAP)
    stale = run_array(0)
    assert not stale.flags[HEAP + TARGET] & ObjectFlag.REACHED


def test_a_length_that_does_not_fit_is_told() -> None:
    outcome = run_array(4)
    assert (kinds(outcome), outcome.values) == ([EventKind.HANDLER_FAILED], [HandlerFailure.LENGTH])
    assert kinds(run_array(-1)) == [EventKind.HANDLER_FAILED]


def test_bytes_behind_the_length_hold_nothing_in_place(scene: Scene) -> None:
    """A buffer whose unused end has a stale word that looks like a pointer."""
    old, new = holders(scene, scene.old.pointer(scene.old.char), scene.new.pointer(scene.new.char))
    for said, held in ((True, False), (False, True)):
        rig = Rig(scene.old, scene.new, Policy(facts=(length(scene, old),) if said else ()), {old: new})
        rig.variable(0, scene.old.pointer(old), 0, scene.new.pointer(new))
        struct.pack_into("<Q", rig.theirs, 0, rig.chunk(0, 16))
        struct.pack_into("<QQ", rig.heap, 0, 8, rig.chunk(0x40, 32))
        struct.pack_into("<Q", rig.heap, 0x50, rig.chunk(TARGET, NODE))
        assert bool(rig.run().flags[HEAP + TARGET] & ObjectFlag.IMMUTABLE) == held


def union_scene(name: str = "u") -> tuple[Scene, int, int, tuple[MemoryFact, ...]]:
    """`long kind; union { struct node *node; long number; } u;`, and one with its members in another order and more."""
    scene = Scene(Types(), Types())
    members = (("node", 0, scene.old.pointer(scene.old_node)), ("number", 0, scene.old.long))
    old_union = scene.old.union("u", 8, *members)
    pointer = scene.new.pointer(scene.new_node)
    new_union = scene.new.union(
        "u", 16, ("number", 0, scene.new.long), ("node", 0, pointer), ("wide", 8, scene.new.long)
    )
    old = scene.old.struct("holder", 16, ("kind", 0, scene.old.long), (name, 8, old_union))
    new = scene.new.struct("holder", 24, ("kind", 0, scene.new.long), (name, 8, new_union))
    kind = Fields(scene.old.table(), old, Side.OLD).load("kind")
    facts = tuple(
        ActiveMember(of_type(old, *filter(None, (name, member))), binary(kind, "==", number(value, LONG)), SPAN)
        for member, value in (("node", 1), ("number", 2))
    )
    return scene, old, new, facts


def run_union(kind: int, value: int, *, said: bool = True, name: str = "u") -> Outcome:
    scene, old, new, facts = union_scene(name)
    return scene.run(old, new, struct.pack("<QQ", kind, value), *(facts if said else ()))


@pytest.mark.parametrize("name", ["u", ""], ids=["named", "anonymous"])
def test_the_member_in_use_decides_what_a_union_holds(name: str) -> None:
    as_pointer = run_union(1, HEAP + TARGET, name=name)
    place = as_pointer.new_words(0, 1)[0]
    assert struct.unpack_from("<3Q", as_pointer.moved[place]) == (1, next(iter(set(as_pointer.moved) - {place})), 0)
    assert kinds(as_pointer) == []
    as_number = run_union(2, HEAP + TARGET, name=name)
    assert struct.unpack_from("<3Q", as_number.moved[as_number.new_words(0, 1)[0]]) == (2, HEAP + TARGET, 0)
    assert EventKind.DROPPED_FIELD in kinds(run_union(1, HEAP + TARGET, said=False))


def test_a_union_of_which_no_member_is_in_use_is_lost_if_it_changed() -> None:
    assert kinds(run_union(3, 0)) == []
    assert EventKind.DROPPED_FIELD in kinds(run_union(3, 77))


def test_precise_bytes_hold_no_pointer_and_opaque_ones_may(scene: Scene) -> None:
    chars = scene.old.array(scene.old.char, 8), scene.new.array(scene.new.char, 8)
    data = struct.pack("<QQ", 1, HEAP + TARGET)
    old, new = holders(scene, *chars)
    for facts, held in (((), True), ((Precision(of_type(old, "p"), precise=True, span=SPAN),), False)):
        outcome = scene.run(old, new, data, *facts)
        assert bool(outcome.flags[HEAP + TARGET] & ObjectFlag.IMMUTABLE) == held
        assert words(outcome, 2) == (1, HEAP + TARGET)


def test_an_opaque_pointer_holds_its_target_in_place(scene: Scene) -> None:
    old, new = holders(scene, scene.old.pointer(scene.old_node), scene.new.pointer(scene.new_node))
    data = struct.pack("<QQ", 1, HEAP + TARGET)
    outcome = scene.run(old, new, data, Precision(of_type(old, "p"), precise=False, span=SPAN))
    assert outcome.flags[HEAP + TARGET] & ObjectFlag.IMMUTABLE
    assert words(outcome, 2) == (1, HEAP + TARGET)


def test_conditions_read_other_objects_as_o_left_them() -> None:
    """Each holder's union is decided by the one behind the next, on the way to which pointers change."""
    scene = Scene(Types(), Types())
    holders_: list[int] = []
    for types, node in ((scene.old, scene.old_node), (scene.new, scene.new_node)):
        union = types.union("u", 8, ("node", 0, types.pointer(node)), ("number", 0, types.long))
        one = types.reserve()
        rows = (("next", 0, types.pointer(one)), ("kind", 8, types.long), ("u", 16, union))
        holders_.append(types.struct("holder", 24, *rows, at=one))
    old, new = holders_
    own = Fields(scene.old.table(), old, Side.OLD)
    kind = own.behind(own.behind(own.load("next"), old).load("next"), old).load("kind")
    fact = ActiveMember(of_type(old, "u", "node"), binary(kind, "==", number(1, LONG)), SPAN)
    rig = Rig(scene.old, scene.new, Policy(facts=(fact,)), {old: new, scene.old_node: scene.new_node})
    rig.variable(0, old, 0, new)
    rig.variable(64, scene.old.pointer(old), 64, scene.new.pointer(new))
    first, second, node = rig.chunk(0, 24), rig.chunk(0x40, 24), rig.chunk(TARGET, NODE)
    struct.pack_into("<QqQ", rig.theirs, 0, first, 1, 0)  # the variable, which N has elsewhere
    struct.pack_into("<Q", rig.theirs, 64, second)
    struct.pack_into("<QqQ", rig.heap, 0, GLOBALS, 2, 0)
    struct.pack_into("<QqQ", rig.heap, 0x40, first, 2, node)
    outcome = rig.run()
    assert struct.unpack_from("<QqQ", outcome.heap, 0) == (NEW_GLOBALS, 2, 0)
    assert struct.unpack_from("<QqQ", outcome.heap, 0x40) == (first, 2, NEW_HEAP)
