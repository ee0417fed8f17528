"""What a new version does to a struct: each change answers the new fields, and limits what the old ones may hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from tests.support.pairs.fields import (
    BOOL,
    DOUBLE,
    FLOAT,
    INTS,
    CType,
    Enum,
    Field,
    Int,
    Ints,
    Link,
    Real,
    Struct,
    Text,
    nothing,
    random_fields,
    random_type,
    random_value,
)


@dataclass
class Change:
    """Both versions of a struct. Fields correspond by name, those in `renamed` by that."""

    old: Struct
    new: Struct
    enums: list[tuple[Enum, Enum]] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    lost: tuple[str, Any] | None = None
    """A field, and a value of it, that the new version cannot hold: the update must be refused."""

    def in_new(self, values: dict[str, Any], *, fresh: dict[str, Any] | None = None) -> dict[str, Any]:
        """What an object with these values has in the new version; `fresh`: what its start-up gave to new fields."""
        named = {self.renamed.get(name, name): value for name, value in values.items()}
        return _in_new(self.new, named, fresh or {})


def _in_new(new: Struct, values: dict[str, Any], fresh: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for one in new.fields:
        if isinstance(one.type, Link):
            continue
        if isinstance(one.type, Struct) and one.name in values:
            result[one.name] = _in_new(one.type, values[one.name], fresh.get(one.name, {}))
        elif one.name in values:
            result[one.name] = values[one.name]
        else:
            result[one.name] = fresh.get(one.name, nothing(one.type))
    return result


Maker = Callable[[Random, str, bool], Change]
"""(random, tag of the pair, whether a value is to be lost) to a change."""


def _some(rng: Random, prefix: str = "f") -> list[Field]:
    return random_fields(rng, prefix, rng.randint(3, 9))


def grow(rng: Random, tag: str, must_lose: bool) -> Change:
    """New fields anywhere, longer arrays and texts."""
    old = _some(rng)
    new = [replace(one, type=_longer(rng, one.type)) for one in old]
    for index in range(rng.randint(1, 5)):
        new.insert(rng.randint(0, len(new)), Field(f"added{index}", random_type(rng)))
    return Change(Struct(tuple(old)), Struct(tuple(new)))


def _longer(rng: Random, one: CType) -> CType:
    if isinstance(one, Text):
        return Text(one.size + rng.randint(0, 9))
    return Ints(one.element, one.count + rng.randint(0, 5)) if isinstance(one, Ints) else one


def shrink(rng: Random, tag: str, must_lose: bool) -> Change:
    """Fields without a value are gone, arrays and texts are as long as their values."""
    old, new = [], []
    for one in [*_some(rng), Field("gone", rng.choice(INTS)), Field("shorter", Ints(rng.choice(INTS), 6))]:
        if one.name == "gone" or (one.name != "shorter" and rng.random() < 0.3):
            old.append(replace(one, zero=True))
        elif isinstance(one.type, Ints) and one.type.count > 1:
            live = rng.randint(1, one.type.count - 1)
            old.append(replace(one, live=live))
            new.append(replace(one, type=Ints(one.type.element, live)))
        else:
            old.append(one)
            new.append(one)
    rng.shuffle(old)
    lost: tuple[str, Any] | None = None
    if must_lose:
        lost = rng.choice((("gone", 77), ("shorter", [1, 2, 3, 4, 5, 6])))
    kept = [one for one in old if any(one.name == other.name for other in new)]
    order = {one.name: index for index, one in enumerate(kept)}
    return Change(Struct(tuple(old)), Struct(tuple(sorted(new, key=lambda one: order[one.name]))), lost=lost)


def reorder(rng: Random, tag: str, must_lose: bool) -> Change:
    """The same fields in another order."""
    old = _some(rng)
    return Change(Struct(tuple(old)), Struct(tuple(rng.sample(old, len(old)))))


def retype(rng: Random, tag: str, must_lose: bool) -> Change:
    """Numbers get another type that can hold their values."""
    old, new = [], []
    for one in [*_some(rng), Field("number", rng.choice(INTS[4:]))]:
        before, after = _retyped(rng, one)
        old.append(before)
        new.append(after)
    if not must_lose:
        return Change(Struct(tuple(old)), Struct(tuple(new)))
    old.append(Field("narrowed", INTS[4]))
    new.append(Field("narrowed", rng.choice((INTS[0], INTS[1], INTS[2], INTS[3], INTS[5]))))
    return Change(Struct(tuple(old)), Struct(tuple(new)), lost=("narrowed", -70000))


def _retyped(rng: Random, one: Field) -> tuple[Field, Field]:
    match one.type:
        case Int() if one.type != BOOL:
            other = rng.choice((*INTS, BOOL)) if rng.random() < 0.9 else DOUBLE
            if isinstance(other, Real):
                return replace(one, least=-(1 << 50), most=1 << 50), replace(one, type=other)
            low, high = other.range()
            return replace(one, least=low, most=high), replace(one, type=other)
        case Ints(count=count):
            number = rng.choice(INTS)
            low, high = number.range()
            return replace(one, least=low, most=high), replace(one, type=Ints(number, count))
        case Real():
            return one, replace(one, type=rng.choice((FLOAT, DOUBLE)))
        case Int():
            return one, replace(one, type=rng.choice(INTS))
        case _:
            return one, one


def enums(rng: Random, tag: str, must_lose: bool) -> Change:
    """Constants are inserted and renumbered; the enum may get another name."""
    names = [f"{tag}_C{index}" for index in range(rng.randint(3, 7))]
    sparse = rng.random() < 0.3
    before = Enum(f"{tag}_state", _numbered(rng, names, sparse))
    mixed = [*names, *(f"{tag}_N{index}" for index in range(rng.randint(0, 3)))]
    gone = rng.choice(names) if must_lose or rng.random() < 0.3 else ""
    rng.shuffle(mixed)
    tag_now = f"{tag}_status" if rng.random() < 0.4 else before.tag
    after = Enum(tag_now, _numbered(rng, [one for one in mixed if one != gone], sparse))
    live = tuple(one for one in names if one != gone)
    old = [*_some(rng), Field("state", before, old_names=live), Field("narrow", before, bits=10, old_names=live)]
    rng.shuffle(old)
    new = [replace(one, type=after) if one.type == before else one for one in old]
    lost = ("state", gone) if must_lose else None
    return Change(Struct(tuple(old)), Struct(tuple(new)), enums=[(before, after)], lost=lost)


def _numbered(rng: Random, names: list[str], sparse: bool) -> tuple[tuple[str, int], ...]:
    numbers = sorted(rng.sample(range(500), len(names))) if sparse else range(len(names))
    return tuple(zip(names, numbers, strict=True))


def bit_fields(rng: Random, tag: str, must_lose: bool) -> Change:
    """Bit fields of other widths, at other places, or no bit fields any more."""
    old = random_fields(rng, "f", 2)
    new = list(old)
    for index in range(rng.randint(3, 8)):
        number = rng.choice(INTS[4:])
        width, wider = rng.randint(1 + number.signed, 20), rng.randint(1 + number.signed, 24)
        one = Field(f"b{index}", number, width)
        other = replace(one, bits=wider) if rng.random() < 0.8 else replace(one, bits=0)
        low, high = number.range(other.bits)
        old.append(replace(one, least=low, most=high))
        new.append(other)
    new += [Field(f"flag{index}", INTS[5], 1) for index in range(rng.randint(0, 3))]
    rng.shuffle(new)
    if not must_lose:
        return Change(Struct(tuple(old)), Struct(tuple(new)))
    old.append(Field("narrowed", INTS[5], 9))
    new.append(Field("narrowed", INTS[5], 5))
    return Change(Struct(tuple(old)), Struct(tuple(new)), lost=("narrowed", 300))


def same_size(rng: Random, tag: str, must_lose: bool) -> Change:
    """Members change places with others of their size: sizeof stays, offsets do not."""
    number = rng.choice(INTS)
    old = [*random_fields(rng, "f", 2), *(Field(f"n{index}", number) for index in range(rng.randint(3, 8)))]
    new = [*old[:2], *_deranged(rng, old[2:])]
    if must_lose or rng.random() < 0.4:  # one leaves, another takes its place
        index = next(index for index, one in enumerate(old) if one.name == "n0")
        old[index] = replace(old[index], zero=not must_lose)
        new = [Field("fresh", number) if one.name == "n0" else one for one in new]
        return Change(Struct(tuple(old)), Struct(tuple(new)), lost=("n0", 5) if must_lose else None)
    return Change(Struct(tuple(old)), Struct(tuple(new)))


def _deranged(rng: Random, fields: list[Field]) -> list[Field]:
    shift = rng.randint(1, len(fields) - 1)
    return [*fields[shift:], *fields[:shift]]


def nested(rng: Random, tag: str, must_lose: bool) -> Change:
    """Inner structs, named, unnamed and anonymous, whose members change."""
    old = _some(rng)
    inners: list[tuple[Field, Field]] = []
    for index in range(rng.randint(1, 3)):
        anonymous = rng.random() < 0.5
        change = rng.choice((grow, reorder, retype, same_size))(rng, tag, False)
        rename = {one.name: f"i{index}{one.name}" for one in (*change.old.fields, *change.new.fields)}
        before = tuple(replace(one, name=rename[one.name]) for one in change.old.fields)
        after = tuple(replace(one, name=rename[one.name]) for one in change.new.fields)
        name = f"inner{index}"
        inners.append((Field(name, Struct(before, "", anonymous)), Field(name, Struct(after, "", anonymous))))
    new = list(old)
    for before_field, after_field in inners:
        old.insert(rng.randint(0, len(old)), before_field)
        new.insert(rng.randint(0, len(new)), after_field)
    if must_lose:
        old.append(Field("gone", INTS[4]))
        return Change(Struct(tuple(old)), Struct(tuple(new)), lost=("gone", 9))
    return Change(Struct(tuple(old)), Struct(tuple(new)))


def rename(rng: Random, tag: str, must_lose: bool) -> Change:
    """A field gets another name, which an annotation says."""
    old = [*_some(rng), Field("before", rng.choice(INTS))]
    rng.shuffle(old)
    new = [replace(one, name="after") if one.name == "before" else one for one in old]
    rng.shuffle(new)
    return Change(Struct(tuple(old)), Struct(tuple(new)), renamed={"before": "after"})


def any_change(rng: Random, tag: str, must_lose: bool = False) -> Change:
    """One of those that need no names of their own."""
    losing = (shrink, retype, bit_fields, same_size, nested)
    return rng.choice(losing if must_lose else (grow, reorder, *losing))(rng, tag, must_lose)


def fresh_values(rng: Random, change: Change) -> dict[str, Any]:
    """What the new version's start-up puts into fields that the old one does not have."""
    known = {change.renamed.get(one.name, one.name) for one in change.old.fields}
    return {
        one.name: random_value(rng, one)
        for one in change.new.fields
        if one.name not in known and not isinstance(one.type, Link | Struct)
    }
