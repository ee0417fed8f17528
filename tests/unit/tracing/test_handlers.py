"""Transfer handlers on fabricated memory: what their statements make of O's objects, and what they may not do."""

from __future__ import annotations

import struct

import pytest

from gdb_mcr.engine.handler_records import HandlerFailure
from gdb_mcr.engine.records import EventKind, OpFlag
from gdb_mcr.model.expression import (
    DOUBLE,
    INT,
    LONG,
    UNSIGNED,
    AddressOf,
    Cast,
    Expression,
    Local,
    Number,
    Pointer,
    Unary,
    UnaryOperator,
)
from gdb_mcr.model.handler import Convert, CountLoop, If, ListLoop, SetLocal, Step
from gdb_mcr.model.place import Side, Subject
from gdb_mcr.tracing.policy import Policy
from tests.support.handler_text import SPAN, Fields, binary, choose, handler, long, number
from tests.support.transfer_rig import GLOBALS, HEAP, NEW_GLOBALS, Outcome, Rig
from tests.support.type_builder import Types

CHAR = Number(1, signed=True)


class Pair:
    """A struct of O and one of N, the only one with a handler, and an object of it that O has made since its start."""

    def __init__(self, old: Types, new: Types, old_struct: int, new_struct: int) -> None:
        self.old_types, self.new_types = old, new
        self.old_struct, self.new_struct = old_struct, new_struct
        self.old = Fields(old.table(), old_struct, Side.OLD)
        self.new = Fields(new.table(), new_struct, Side.NEW)

    def run(self, data: bytes, *body: Step, **handled: tuple[object, ...]) -> tuple[bytes, Outcome]:
        """N's object, and what the engine said."""
        policy = Policy(handlers=(handler(self.old_struct, self.new_struct, *body, **handled),))  # type: ignore[arg-type]
        rig = Rig(self.old_types, self.new_types, policy, {self.old_struct: self.new_struct})
        pointer = self.old_types.pointer(self.old_struct), self.new_types.pointer(self.new_struct)
        rig.variable(0, pointer[0], 0, pointer[1])
        new_size = self.new_types.table()[self.new_struct].size
        struct.pack_into("<Q", rig.theirs, 0, rig.chunk(0, len(data), capacity=max(new_size, len(data))))
        rig.heap[: len(data)] = data
        outcome = rig.run()
        return bytes(outcome.heap[:new_size]), outcome


def numbers() -> Pair:
    """`int a; int b; long c; double d;` and `int x; unsigned y; long z; double f; char small;`"""
    old, new = Types(), Types()
    old_double, new_double = old.floating("double", 8), new.floating("double", 8)
    one = old.struct("s", 24, ("a", 0, old.int), ("b", 4, old.int), ("c", 8, old.long), ("d", 16, old_double))
    rows = (
        ("x", 0, new.int),
        ("y", 4, new.unsigned),
        ("z", 8, new.long),
        ("f", 16, new_double),
        ("small", 24, new.char),
    )
    return Pair(old, new, one, new.struct("s", 32, *rows))


def object_of(a: int = 0, b: int = 0, c: int = 0, d: float = 0.0) -> bytes:
    return struct.pack("<iiqd", a, b, c, d)


def kinds(outcome: Outcome) -> list[int]:
    return [event[0] for event in outcome.events]


def test_arithmetic_into_a_field_of_another_name() -> None:
    pair = numbers()
    value = binary(binary(pair.old.load("a"), "*", number(1000)), "+", pair.old.load("b"))
    data, outcome = pair.run(object_of(3, 14, 15), pair.new.store("x", value), reads=("a", "b", "c", "d"))
    assert struct.unpack_from("<i", data) == (3014,)
    assert kinds(outcome) == []


def test_a_field_of_o_that_no_handler_uses_still_needs_a_home() -> None:
    pair = numbers()
    _, outcome = pair.run(object_of(3, 14), pair.new.store("x", pair.old.load("a")), reads=("a",))
    assert kinds(outcome) == [EventKind.DROPPED_FIELD]
    assert outcome.events[0][2] == 4


WRAP = [
    (binary(number(2**31 - 1), "+", number(1)), -(2**31)),
    (Unary(UnaryOperator.NEGATE, number(5), INT), -5),
    (Unary(UnaryOperator.COMPLEMENT, number(5), INT), -6),
    (Unary(UnaryOperator.NOT, number(5), INT), 0),
    (Unary(UnaryOperator.NOT, number(0), INT), 1),
    (binary(number(-7), "/", number(2)), -3),
    (binary(number(-7), "%", number(2)), -1),
    (binary(number(-8), ">>", number(1)), -4),
    (binary(number(1), "<<", number(4)), 16),
    (binary(number(6), "&", number(3)), 2),
    (binary(number(6), "|", number(3)), 7),
    (binary(number(6), "^", number(3)), 5),
    (binary(number(-1), "<", number(0)), 1),
    (binary(number(2**32 - 1, UNSIGNED), "<", number(0, UNSIGNED)), 0),
    (binary(number(3), "<=", number(3)), 1),
    (binary(number(4), "<=", number(3)), 0),
    (binary(number(3), "==", number(3)), 1),
    (Cast(number(300), Number(1, signed=False)), 44),
    (Cast(number(200), CHAR), -56),
    (Cast(number(7), Number(1, signed=False, boolean=True)), 1),
    (Cast(number(-2.9, DOUBLE), INT), -2),
    (Cast(binary(number(2**32 - 1, UNSIGNED), "/", number(2, UNSIGNED)), INT), 2**31 - 1),
    (Cast(binary(number(-5, UNSIGNED), "/", number(2, UNSIGNED)), INT), (2**32 - 5) // 2),
    (binary(number(0.5, DOUBLE), "<", number(0.75, DOUBLE)), 1),
    (binary(number(0.5, DOUBLE), "<=", number(0.25, DOUBLE)), 0),
    (choose(number(1), number(10), number(20)), 10),
    (choose(number(0), number(10), number(20)), 20),
]


@pytest.mark.parametrize(("value", "expected"), WRAP)
def test_operators_are_those_of_c(value: Expression, expected: int) -> None:
    pair = numbers()
    data, outcome = pair.run(object_of(), pair.new.store("x", value))
    assert struct.unpack_from("<i", data) == (expected,)
    assert kinds(outcome) == []


def test_floating_point_numbers() -> None:
    pair = numbers()
    half = binary(pair.old.load("d"), "/", number(2.0, DOUBLE))
    data, _ = pair.run(
        object_of(a=-3, d=5.0),
        pair.new.store("f", binary(half, "-", Cast(pair.old.load("a"), DOUBLE))),
        pair.new.store("z", pair.old.load("d")),
        reads=("a", "d"),
    )
    assert struct.unpack_from("<qd", data, 8) == (5, 5.5)


FAILURES = [
    (binary(number(1), "/", number(0)), HandlerFailure.DIVISION),
    (binary(number(1), "%", number(0)), HandlerFailure.DIVISION),
    (binary(long(-(2**63)), "/", long(-1)), HandlerFailure.DIVISION),
    (binary(number(1), "<<", number(32)), HandlerFailure.SHIFT),
    (binary(number(1), ">>", number(-1)), HandlerFailure.SHIFT),
    (Cast(number(1e30, DOUBLE), INT), HandlerFailure.NUMBER),
    (Cast(number(float("nan"), DOUBLE), LONG), HandlerFailure.NUMBER),
]


@pytest.mark.parametrize(("value", "reason"), FAILURES)
def test_what_has_no_result_is_told(value: Expression, reason: HandlerFailure) -> None:
    pair = numbers()
    _, outcome = pair.run(object_of(), pair.new.store("x", Cast(value, INT)))
    assert kinds(outcome) == [EventKind.HANDLER_FAILED]
    assert outcome.values == [reason]


def test_the_side_that_is_not_chosen_is_not_computed() -> None:
    pair = numbers()
    divided = binary(number(100), "/", pair.old.load("a"))
    value = choose(binary(pair.old.load("a"), "==", number(0)), number(-1), divided)
    data, outcome = pair.run(object_of(a=0), pair.new.store("x", value), reads=("a",))
    assert struct.unpack_from("<i", data) == (-1,)
    assert kinds(outcome) == []


def test_a_number_that_does_not_fit_is_told() -> None:
    pair = numbers()
    _, outcome = pair.run(object_of(c=1 << 40), pair.new.store("small", pair.old.load("c")), reads=("c",))
    assert kinds(outcome) == [EventKind.HANDLED_RANGE]
    assert outcome.values == [1 << 40]
    _, outcome = pair.run(object_of(a=-1), pair.new.store("y", pair.old.load("a")), reads=("a",))
    assert kinds(outcome) == [EventKind.HANDLED_RANGE]


def test_locals_and_conditions() -> None:
    pair = numbers()
    sum_up = SetLocal(0, binary(pair.old.load("a"), "+", pair.old.load("b")), SPAN)
    large, small = pair.new.store("x", Local(0, INT)), pair.new.store("y", Cast(Local(0, INT), UNSIGNED))
    decide = If(binary(number(10), "<", Local(0, INT)), (large,), (small,), SPAN)
    for a, expected in ((20, (21, 0)), (2, (0, 3))):
        data, _ = pair.run(object_of(a=a, b=1), sum_up, decide, reads=("a", "b"), variables=(INT,))
        assert struct.unpack_from("<iI", data) == expected


def test_a_handler_sees_what_the_conversion_has_made() -> None:
    old, new = Types(), Types()
    one = old.struct("s", 8, ("a", 0, old.int))
    pair = Pair(old, new, one, new.struct("s", 16, ("a", 0, new.int), ("b", 8, new.int)))
    data, _ = pair.run(struct.pack("<ii", 5, 0), pair.new.store("b", binary(pair.new.load("a"), "+", number(1))))
    assert struct.unpack_from("<i4xi", data) == (5, 6)


def tables() -> Pair:
    """`int n; int slots[4];` and `int n; short halves[4];`"""
    old, new = Types(), Types()
    one = old.struct("s", 20, ("n", 0, old.int), ("slots", 4, old.array(old.int, 4)))
    return Pair(old, new, one, new.struct("s", 12, ("n", 0, new.int), ("halves", 4, new.array(new.short, 4))))


@pytest.mark.parametrize(("count", "reason"), [(4, None), (5, HandlerFailure.INDEX)])
def test_a_loop_over_an_array_ends_at_its_bound(count: int, reason: HandlerFailure | None) -> None:
    pair = tables()
    each = pair.new.store("halves", binary(pair.old.load("slots", Local(0, LONG)), "/", number(2)), Local(0, LONG))
    loop = CountLoop(0, long(0), Cast(pair.old.load("n"), LONG), (each,), SPAN)
    data, outcome = pair.run(
        struct.pack("<5i", count, 2, 4, 6, 8), loop, reads=("slots",), writes=("halves",), variables=(LONG,)
    )
    assert struct.unpack_from("<4h", data, 4) == (1, 2, 3, 4)
    assert outcome.values == ([] if reason is None else [reason])


def lists() -> tuple[Pair, Fields]:
    """`struct s *next; int value;` and `struct s *next; int value; long sum;`; and the place a list's element has."""
    old, new = Types(), Types()
    node = old.reserve()
    old.struct("s", 16, ("next", 0, old.pointer(node)), ("value", 8, old.int), at=node)
    grown = new.reserve()
    new.struct("s", 24, ("next", 0, new.pointer(grown)), ("value", 8, new.int), ("sum", 16, new.long), at=grown)
    pair = Pair(old, new, node, grown)
    return pair, pair.old.behind(Local(0, Pointer(Side.OLD, node)), node)


def sum_of_list(pair: Pair, element: Fields) -> tuple[Step, ...]:
    pointer = Pointer(Side.OLD, pair.old_struct)
    add = SetLocal(1, binary(Local(1, LONG), "+", Cast(element.load("value"), LONG)), SPAN)
    loop = ListLoop(0, pair.old.load("next"), element.load("next"), (add,), SPAN)
    assert loop.first.type == pointer
    return SetLocal(1, long(0), SPAN), loop, pair.new.store("sum", Local(1, LONG))


def run_list(*nodes: tuple[int, int]) -> Outcome:
    """Nodes of (offset of the next one or -1 or an address, value), 64 bytes apart."""
    pair, element = lists()
    one = handler(
        pair.old_struct,
        pair.new_struct,
        *sum_of_list(pair, element),
        variables=(Pointer(Side.OLD, pair.old_struct), LONG),
    )
    rig = Rig(pair.old_types, pair.new_types, Policy(handlers=(one,)), {pair.old_struct: pair.new_struct})
    rig.variable(0, pair.old_types.pointer(pair.old_struct), 0, pair.new_types.pointer(pair.new_struct))
    struct.pack_into("<Q", rig.theirs, 0, HEAP)
    for number_, (next_, value) in enumerate(nodes):
        address = 0 if next_ < 0 else next_ if next_ > 1 << 16 else HEAP + next_ * 64
        rig.chunk(number_ * 64, 16, capacity=32)
        struct.pack_into("<Qi", rig.heap, number_ * 64, address, value)
    return rig.run()


def test_handlers_read_other_objects_as_o_left_them() -> None:
    """Objects are converted where they stand: each handler must see the others before that."""
    outcome = run_list((1, 10), (2, 20), (-1, 40))
    sums = [struct.unpack_from("<Qiiq", outcome.heap, 64 * i) for i in range(3)]
    assert [(value, total) for _, value, _, total in sums] == [(10, 60), (20, 40), (40, 0)]
    assert sums[0][0] == HEAP + 64
    assert kinds(outcome) == []


def test_a_pointer_into_nothing_is_told_with_its_object() -> None:
    outcome = run_list((1, 10), (0x7F0000000000, 20))
    assert [(kind, offset) for kind, _, offset, _ in outcome.events] == [(EventKind.HANDLER_FAILED, 0)] * 2
    assert outcome.values == [HandlerFailure.POINTER] * 2


def test_a_list_without_end_is_told_once() -> None:
    outcome = run_list((1, 10), (0, 20))
    assert kinds(outcome) == [EventKind.HANDLER_FAILED]
    assert outcome.values == [HandlerFailure.LONG]


def test_an_address_of_o_is_stored_as_n_s() -> None:
    old, new = Types(), Types()
    one = old.struct("s", 16, ("where", 0, old.pointer(old.int)), ("n", 8, old.long))
    pair = Pair(old, new, one, new.struct("s", 16, ("place", 0, new.pointer(new.int)), ("n", 8, new.long)))
    body = pair.new.store("place", pair.old.load("where"))
    policy = Policy(handlers=(handler(one, pair.new_struct, body, reads=("where",)),))
    rig = Rig(old, new, policy, {one: pair.new_struct})
    rig.variable(0, old.pointer(one), 0x100, new.pointer(pair.new_struct))
    rig.variable(64, old.int, 0x200, new.int)
    struct.pack_into("<Q", rig.theirs, 0, rig.chunk(0, 16))
    struct.pack_into("<Qq", rig.heap, 0, GLOBALS + 64, 7)
    assert struct.unpack_from("<Qq", rig.run().heap) == (NEW_GLOBALS + 0x200, 7)


def test_an_object_can_be_told_by_its_own_address() -> None:
    """Of two nodes both point to the second: which one has its own address in it?"""
    pair, _ = lists()
    own = AddressOf(pair.old.place("next"), Pointer(Side.OLD, pair.old_struct))
    is_own = Cast(binary(pair.old.load("next"), "==", own), LONG)
    one = handler(pair.old_struct, pair.new_struct, pair.new.store("sum", is_own))
    rig = Rig(pair.old_types, pair.new_types, Policy(handlers=(one,)), {pair.old_struct: pair.new_struct})
    rig.variable(0, pair.old_types.pointer(pair.old_struct), 0, pair.new_types.pointer(pair.new_struct))
    struct.pack_into("<Q", rig.theirs, 0, HEAP)
    for offset in (0, 64):
        rig.chunk(offset, 16, capacity=32)
        struct.pack_into("<Qi", rig.heap, offset, HEAP + 64, 5)
    outcome = rig.run()
    assert [struct.unpack_from("<q", outcome.heap, offset + 16)[0] for offset in (0, 64)] == [0, 1]
    assert kinds(outcome) == []


def bit_fields() -> Pair:
    old, new = Types(), Types()
    one = old.bit_struct("s", 4, ("a", 0, 3), ("b", 3, 7))
    return Pair(old, new, one, new.bit_struct("s", 4, ("b", 0, 7), ("twice", 7, 4)))


def test_bit_fields() -> None:
    pair = bit_fields()
    double = pair.new.store("twice", binary(pair.old.load("a"), "*", number(2)))
    data, outcome = pair.run((3 | 100 << 3).to_bytes(4, "little"), double, reads=("a",))
    assert int.from_bytes(data, "little") == 100 | 6 << 7
    assert kinds(outcome) == []


def test_a_part_goes_over_as_it_would_by_itself() -> None:
    """`new.inner = old.part;`: a struct of another name, whose pointer is translated."""
    old, new = Types(), Types()
    part = old.struct("p", 16, ("next", 0, old.pointer(old.int)), ("n", 8, old.int))
    inner = new.struct("p", 24, ("m", 0, new.long), ("next", 8, new.pointer(new.int)), ("n", 16, new.long))
    one, two = old.struct("s", 16, ("part", 0, part)), new.struct("s", 24, ("inner", 0, inner))
    pair = Pair(old, new, one, two)
    step = Convert(pair.new.place("inner"), pair.old.place("part"), SPAN)
    data, outcome = pair.run(struct.pack("<Qii", 0x1234, -5, 0), step, reads=("part",), writes=("inner",))
    assert kinds(outcome) == []
    assert struct.unpack("<qQq", data) == (0, 0x1234, -5)


def merged(theirs: int, base: int, ours: int, keep: OpFlag = OpFlag.NONE) -> tuple[int, list[int]]:
    """A variable of both: `new = old * 10`."""
    old, new = Types(), Types()
    one, two = old.struct("s", 4, ("a", 0, old.int)), new.struct("s", 4, ("x", 0, new.int))
    pair = Pair(old, new, one, two)
    body = pair.new.store("x", binary(pair.old.load("a"), "*", number(10)))
    policy = Policy(handlers=(handler(one, two, body, reads=("a",)),), field_flags={"thing.a": keep})
    rig = Rig(old, new, policy, {one: two})
    rig.variable(0, one, 0, two)
    for buffer, value in ((rig.theirs, theirs), (rig.base, base), (rig.ours, ours)):
        struct.pack_into("<i", buffer, 0, value)
    outcome = rig.run()
    return struct.unpack_from("<i", outcome.new)[0], kinds(outcome)


def test_a_merge_asks_whether_the_outcome_has_changed_since_the_start() -> None:
    assert merged(theirs=3, base=3, ours=77) == (77, [])
    assert merged(theirs=4, base=3, ours=30) == (40, [])
    assert merged(theirs=4, base=3, ours=77) == (40, [EventKind.BOTH_CHANGED])
    assert merged(theirs=3, base=3, ours=77, keep=OpFlag.KEEP_OLD) == (30, [])


def test_a_handler_of_a_variable_comes_after_that_of_its_type() -> None:
    old, new = Types(), Types()
    one, two = old.struct("s", 4, ("a", 0, old.int)), new.struct("s", 4, ("x", 0, new.int))
    pair = Pair(old, new, one, two)
    of_type = handler(one, two, pair.new.store("x", binary(pair.old.load("a"), "*", number(10))), reads=("a",))
    more = pair.new.store("x", binary(pair.new.load("x"), "+", pair.old.load("a")))
    rig = Rig(old, new, Policy(handlers=(of_type, handler(1, 1, more, subject=Subject.VARIABLE))), {one: two})
    rig.variable(0, one, 0, two)
    rig.variable(64, one, 64, two)
    struct.pack_into("<i", rig.theirs, 0, 5)
    struct.pack_into("<i", rig.theirs, 64, 6)
    new_bytes = rig.run().new
    assert struct.unpack_from("<i", new_bytes, 0) == (50,)
    assert struct.unpack_from("<i", new_bytes, 64) == (66,)


def test_a_handler_works_on_elements_inside_other_structs() -> None:
    old, new = Types(), Types()
    one, two = old.struct("s", 8, ("a", 0, old.int), ("b", 4, old.int)), new.struct("s", 4, ("x", 0, new.int))
    pair = Pair(old, new, one, two)
    body = pair.new.store("x", binary(pair.old.load("a"), "+", pair.old.load("b")))
    outer = old.struct("o", 16, ("all", 0, old.array(one, 2))), new.struct("o", 8, ("all", 0, new.array(two, 2)))
    rig = Rig(old, new, Policy(handlers=(handler(one, two, body, reads=("a", "b")),)), {})
    rig.variable(0, outer[0], 0, outer[1])
    struct.pack_into("<4i", rig.theirs, 0, 1, 2, 30, 40)
    outcome = rig.run()
    assert struct.unpack_from("<2i", outcome.new) == (3, 70)
    assert kinds(outcome) == []
