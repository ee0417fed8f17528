"""What facts about the old program's memory mean, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gdb_mcr.annotations.load import load
from gdb_mcr.errors import InvalidAnnotations
from gdb_mcr.model.expression import LONG, Cast, Load
from gdb_mcr.model.handler import ActiveMember, ArrayLength, MemoryFact, PointsTo, Precision, TaggedPointer
from tests.support.small_programs import new_program, old_program

OLD, NEW = old_program(), new_program()
Facts = Callable[[str], tuple[MemoryFact, ...]]


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    """Checks a text."""

    def check(text: str) -> tuple[MemoryFact, ...]:
        file = tmp_path / "a.mcr"
        file.write_text(text)
        return load([file], OLD, NEW).facts

    return check


def test_tagged_pointer_has_its_mask(facts: Facts) -> None:
    (fact,) = facts("tagged conn.next & (1 << 2) - 1;")
    assert isinstance(fact, TaggedPointer)
    assert (fact.place.key, fact.mask, fact.target) == ("conn.next", 3, -1)


def test_a_negative_mask_has_64_bits(facts: Facts) -> None:
    (fact,) = facts("tagged conn.next & ~0xfffL;")
    assert isinstance(fact, TaggedPointer)
    assert fact.mask == 0xFFFFFFFFFFFFF000


def test_a_tagged_word_leads_to_what_points_says(facts: Facts) -> None:
    tagged, points = facts("tagged value.word & 1; points value.word to struct conn;")
    assert isinstance(tagged, TaggedPointer)
    assert isinstance(points, PointsTo)
    assert OLD.types[tagged.target].name == "conn"
    assert tagged.target == points.old_type


def test_length_is_a_long_over_the_object(facts: Facts) -> None:
    (fact,) = facts("length value.items = old.used;")
    assert isinstance(fact, ArrayLength)
    assert isinstance(fact.count, Cast)
    assert fact.count.type == LONG
    assert isinstance(fact.count.value, Load)
    assert fact.count.value.location.offset == 4


def test_active_member_has_a_condition(facts: Facts) -> None:
    first, second = facts("active value.as.text when old.kind == 1; active value.as.number when old.kind != 1;")
    assert isinstance(first, ActiveMember)
    assert isinstance(second, ActiveMember)
    assert first.condition != second.condition


def test_members_of_unnamed_unions_are_named_without_it(facts: Facts) -> None:
    (fact,) = facts("active conn.as_long when old.type == 2;")
    assert fact.place.old_path == ("as_long",)


def test_precision(facts: Facts) -> None:
    assert [(one.place.key, one.precise) for one in facts("opaque job.bytes; precise value.as;") if isinstance(
        one, Precision
    )] == [("job.bytes", False), ("value.as", True)]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("tagged job.id & 1;", "not-a-pointer"),
        ("tagged conn.next & 0;", "bad-number"),
        ("tagged conn.next & -1;", "bad-number"),
        ("tagged conn.next & old.type;", "bad-number"),
        ("tagged conn.next & old.nothing;", "unknown-field"),
        ("tagged conn.next & new.type;", "wrong-side"),
        ("length value.word = old.used;", "not-a-pointer"),
        ("length value.items = 0;", "never-applies"),
        ("length value.items = old.any;", "type-mismatch"),
        ("length conn.bufs.data = old.type;", "type-mismatch"),
        ("points value.any to struct engine;", "incomplete-type"),
        ("points value.any to struct nothing;", "unknown-type"),
        ("points value.items to struct conn;", "type-mismatch"),
        ("active value.kind when old.used == 1;", "not-a-union"),
        ("active log_line when 1 == 2;", "not-a-union"),
        ("active value.as.text when old.kind == old.kind + 0 || 1 == 1 && 2 == 2 && 2 > 1;", None),
        ("active value.as.text when 2 > 1;", "never-applies"),
        ("active value.as.text when *old.as.text == 'a';", "cycle"),
        ("active value.as.text when old.as.number == 1;", None),
        ("opaque value.kind;", "never-applies"),
        ("opaque value.any; precise value.any;", "contradiction"),
        ("points value.any to conn; points value.any to conn;", "duplicate"),
        ("length value.items = 1; length value.items = 2;", "contradiction"),
    ],
)
def test_wrong_facts_are_refused(facts: Facts, text: str, label: str | None) -> None:
    if label is None:
        assert facts(text)
        return
    with pytest.raises(InvalidAnnotations) as caught:
        facts(text)
    assert [one.label for one in caught.value.problems] == [label]
