"""What checked transfer handlers say: places, conversions, loops, and which fields they deal with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gdb_mcr.annotations.load import load
from gdb_mcr.errors import InvalidAnnotations
from gdb_mcr.model.expression import (
    INT,
    LONG,
    AddressOfVariable,
    Binary,
    BinaryOperator,
    Cast,
    Conditional,
    Constant,
    Load,
    Local,
    Number,
    Pointer,
)
from gdb_mcr.model.handler import Convert, CountLoop, Handler, If, ListLoop, SetLocal, Step, Store
from gdb_mcr.model.place import Side, Subject
from tests.support.small_programs import new_program, old_program

OLD, NEW = old_program(), new_program()
Check = Callable[[str], Handler]


@pytest.fixture
def handler(tmp_path: Path) -> Check:
    """The handler of `job` with these steps."""

    def check(steps: str) -> Handler:
        file = tmp_path / "a.mcr"
        file.write_text(f"transfer job {{ {steps} }}")
        (found,) = load([file], OLD, NEW).handlers
        return found

    return check


@pytest.fixture
def labels(tmp_path: Path) -> Callable[[str], list[str]]:
    """What is wrong with a handler of `job` with these steps."""

    def check(steps: str) -> list[str]:
        file = tmp_path / "a.mcr"
        file.write_text(f"transfer job {{ {steps} }}")
        with pytest.raises(InvalidAnnotations) as caught:
            load([file], OLD, NEW)
        return [one.label for one in caught.value.problems]

    return check


def stored(step: Step) -> Store:
    assert isinstance(step, Store)
    return step


def test_place_and_fields(handler: Check) -> None:
    one = handler("new.ticks = fits(old.ticks); new.slots[2].used = old.slots[1].used;")
    assert (one.place.subject, one.place.key) == (Subject.TYPE, "job")
    assert one.reads == {("ticks",), ("slots", "used")}
    assert one.writes == {("ticks",), ("slots", "used")}
    first, second = map(stored, one.body)
    assert (first.to.side, first.to.size, first.type) == (Side.NEW, 4, INT)
    assert second.to.offset == first.to.offset - 20 + 34 + 2 * 16
    assert second.to.terms == ()


def test_usual_conversions_are_nodes(handler: Check) -> None:
    (step,) = handler("new.id = old.count + old.small;").body
    value = stored(step).value
    assert isinstance(value, Binary)
    assert value.type == Number(4, signed=False)
    assert isinstance(value.left, Load)
    assert isinstance(value.right, Cast)
    assert value.right.type == value.type


def test_greater_and_not_equal_are_written_with_less_and_equal(handler: Check) -> None:
    (step,) = handler("new.busy = old.id > 3;").body
    value = stored(step).value
    assert isinstance(value, Binary)
    assert value.operator is BinaryOperator.LESS
    assert value.left == Constant(3, INT)


def test_logic_is_a_choice(handler: Check) -> None:
    (step,) = handler("new.busy = old.next != NULL && old.id == 1;").body
    value = stored(step).value
    assert isinstance(value, Conditional)
    assert value.otherwise == Constant(0, INT)


def test_an_index_becomes_a_term_with_its_bound(handler: Check) -> None:
    (loop,) = handler("foreach i in old.slots { new.slots[i + 1].used = old.slots[i].used; }").body
    assert isinstance(loop, CountLoop)
    assert (loop.start, loop.end) == (Constant(0, LONG), Constant(4, LONG))
    step = stored(loop.body[0])
    (term,) = step.to.terms
    assert (term.stride, term.bound) == (16, 8)
    assert isinstance(step.value, Load)
    (index,) = step.value.location.terms
    assert index.index == Local(loop.local, LONG)
    assert (index.stride, index.bound) == (12, 4)


def test_pointers_are_followed_in_the_old_program_and_scaled(handler: Check) -> None:
    (step,) = handler("new.next = old.next + 2;").body
    value = stored(step).value
    assert isinstance(value, Binary)
    assert isinstance(value.type, Pointer)
    assert isinstance(value.right, Binary)
    assert value.right.right == Constant(next(one.size for one in OLD.types if one.name == "job"), LONG)


def test_a_list_goes_along_a_field(handler: Check) -> None:
    one = handler("let n = 0L; foreach p in old.next via next { n += p->id; } new.id = n;")
    let, loop, store = one.body
    assert isinstance(let, SetLocal)
    assert isinstance(loop, ListLoop)
    assert one.locals[loop.local] == Pointer(Side.OLD, one.place.old)
    assert isinstance(loop.next, Load)
    assert loop.next.location.base == Local(loop.local, one.locals[loop.local])
    assert isinstance(loop.body[0], SetLocal)
    assert stored(store).value == Local(let.local, LONG)
    assert one.reads == {("next",)}


@pytest.mark.parametrize("field", ["state", "slots", "run"])
def test_what_types_convert_is_converted(handler: Check, field: str) -> None:
    (step,) = handler(f"new.{field} = old.{field};").body
    assert isinstance(step, Convert)


def test_variables_of_the_old_program_are_read_where_they_stand(handler: Check) -> None:
    (step,) = handler("new.id = old::queue;").body
    value = stored(step).value
    assert isinstance(value, Load)
    assert isinstance(value.location.base, AddressOfVariable)
    assert OLD.variables[value.location.base.variable].name == "queue"


def test_else_if_is_an_if_inside(handler: Check) -> None:
    (step,) = handler(
        "if (old.id == 1) { new.id = 1; } else if (old.id == 2) { new.id = 2; } else { new.id = 3; }"
    ).body
    assert isinstance(step, If)
    assert isinstance(step.otherwise[0], If)
    assert len(step.otherwise[0].otherwise) == 1


def test_bounds_let_through_what_fits(handler: Check) -> None:
    handler("new.small = (char)1; new.total = old.count & 0xffff; new.ticks = old.ticks % 1000;")
    handler("foreach i in 0 .. 100 { new.small = i; }")
    handler("new.total = old.count > 100U ? 1 : -1; new.busy = old.ticks;")
    handler("let small = old.small; new.total = small * 2;")


@pytest.mark.parametrize(
    ("steps", "label"),
    [
        ("foreach i in 0 .. 200 { new.small = i; }", "lost-precision"),
        ("let small = 1; small = old.id; new.small = small;", "lost-precision"),
        ("new.total = 1; new.total = 2;", "overlap"),
        ("new.slots[1].used = 1; new.slots[1].used = 2;", "overlap"),
        ("let new_name = 1; foreach new_name in 0 .. 3 { new.id = 1; }", "duplicate"),
        ("foreach i in 0 .. 3 { i = 1; }", "not-writable"),
        ("let true = 1;", "duplicate"),
        ("{ }", "unexpected"),
        ("new.total = (uint8_t)-old.id;", "unexpected"),
    ],
)
def test_wrong_steps(labels: Callable[[str], list[str]], steps: str, label: str) -> None:
    assert labels(steps)[0] == label


@pytest.mark.parametrize(
    "steps",
    [
        "new.slots[1].used = 1; new.slots[2].used = 2;",
        "new.total = 1; new.total += 2;",
        "if (old.id == 1) { new.total = 1; } new.total = 2;",
        "new.total = 1; if (old.id == 1) { new.total = 2; }",
        "foreach i in 0 .. 3 { new.total = 1; } new.total = 2;",
    ],
)
def test_stores_that_do_not_undo_one_another(handler: Check, steps: str) -> None:
    assert handler(steps).body


def test_a_name_ends_with_its_block(labels: Callable[[str], list[str]]) -> None:
    assert labels("if (old.id == 1) { let n = 1; } new.id = n;") == ["unknown-name"]


def test_what_is_wrong_with_a_binding_is_told_once(labels: Callable[[str], list[str]]) -> None:
    assert labels("let n = old.nothing; new.id = n; new.ticks = fits(n);") == ["unknown-field"]


def test_a_variable_may_be_a_number_itself(tmp_path: Path) -> None:
    (tmp_path / "a.mcr").write_text("transfer variable started { new = (int)(old / 1000); }")
    (one,) = load([tmp_path / "a.mcr"], OLD, NEW).handlers
    assert one.place.subject is Subject.VARIABLE
    assert one.reads == one.writes == {()}
