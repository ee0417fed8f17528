"""Random C types as values: their declarations, values that fit them, assignments and checks of these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

Value = Any
"""A number, a text, a constant's name, a list of numbers, or the values of an inner struct."""

Values = Mapping[str, Value]
"""By the names of fields."""


@dataclass(frozen=True)
class Int:
    """A C integer type."""

    name: str
    bits: int
    signed: bool

    def range(self, width: int = 0) -> tuple[int, int]:
        """Least and greatest value, of a bit field of `width` bits or of the whole."""
        bits = width or self.bits
        return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if self.signed else (0, (1 << bits) - 1)


INTS = (
    Int("signed char", 8, True),
    Int("unsigned char", 8, False),
    Int("short", 16, True),
    Int("unsigned short", 16, False),
    Int("int", 32, True),
    Int("unsigned", 32, False),
    Int("long", 64, True),
    Int("unsigned long", 64, False),
)
BOOL = Int("_Bool", 1, False)
INT, UNSIGNED, LONG = INTS[4], INTS[5], INTS[6]


@dataclass(frozen=True)
class Real:
    """float or double; values are small integers over four, exact in both."""

    name: str


FLOAT, DOUBLE = Real("float"), Real("double")


@dataclass(frozen=True)
class Text:
    """char[size]."""

    size: int


@dataclass(frozen=True)
class Ints:
    """An array of integers."""

    element: Int
    count: int


@dataclass(frozen=True)
class Enum:
    """An enum; `constants` are names with numbers."""

    tag: str
    constants: tuple[tuple[str, int], ...]

    def declare(self) -> str:
        inner = ", ".join(f"{name} = {value}" for name, value in self.constants)
        return f"enum {self.tag} {{ {inner} }};\n"


@dataclass(frozen=True)
class Struct:
    """A struct. An inner one without a tag is declared in place; `anonymous`: C11's, whose fields are the holder's."""

    fields: tuple[Field, ...]
    tag: str = ""
    anonymous: bool = False


@dataclass(frozen=True)
class Link:
    """A pointer, which is set and checked by whoever makes the objects."""

    target: str


CType = Int | Real | Text | Ints | Enum | Struct | Link


@dataclass(frozen=True)
class Field:
    """One member. What the new version makes of it limits the values that it may have."""

    name: str
    type: CType
    bits: int = 0
    least: int | None = None
    most: int | None = None
    zero: bool = False
    """It always has the value 0."""
    live: int = 0
    """Elements of an array, or characters of a text, that may be other than 0; 0 = all."""
    old_names: tuple[str, ...] = field(default=())
    """Of an enum: the constants that the value is one of; empty = all."""


def declare(one: Struct, tag: str, indent: str = "") -> str:
    """`struct tag { … }` with its members, without the semicolon."""
    lines = [f"{indent}    {_member(field, indent)};" for field in one.fields]
    return "\n".join([f"struct {tag}{' ' if tag else ''}{{", *lines, indent + "}"])


def _member(one: Field, indent: str) -> str:
    match one.type:
        case Int(name=name) | Real(name=name):
            return f"{name} {one.name}" + (f" : {one.bits}" if one.bits else "")
        case Enum(tag=tag):
            return f"enum {tag} {one.name}" + (f" : {one.bits}" if one.bits else "")
        case Text(size=size):
            return f"char {one.name}[{size}]"
        case Ints(element=element, count=count):
            return f"{element.name} {one.name}[{count}]"
        case Link(target=target):
            return f"{target} *{one.name}"
        case Struct(tag=tag, anonymous=anonymous):
            text = f"struct {tag}" if tag else declare(one.type, "", indent + "    ")
            return text if anonymous else f"{text} {one.name}"


def random_type(rng: Random) -> CType:
    """Any type without a name of its own."""
    kind = rng.random()
    if kind < 0.5:
        return rng.choice(INTS)
    if kind < 0.65:
        return rng.choice((FLOAT, DOUBLE, BOOL))
    if kind < 0.8:
        return Text(rng.randint(1, 40))
    return Ints(rng.choice(INTS), rng.randint(1, 9))


def random_fields(rng: Random, prefix: str, count: int) -> list[Field]:
    """Fields of random types named `prefix0`, `prefix1`…"""
    return [Field(f"{prefix}{index}", random_type(rng)) for index in range(count)]


def random_values(rng: Random, one: Struct) -> dict[str, Any]:
    """A value for every field but links."""
    return {field.name: random_value(rng, field) for field in one.fields if not isinstance(field.type, Link)}


def random_value(rng: Random, one: Field) -> Value:
    """A value within the field's limits, mostly not 0."""
    match one.type:
        case Int():
            return _number(rng, one, one.type)
        case Real():
            return 0.0 if one.zero else rng.randint(-1000000, 1000000) / 4
        case Text(size=size):
            length = 0 if one.zero else rng.randint(0, (one.live or size) - 1)
            return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(length))
        case Ints(element=element, count=count):
            live = 0 if one.zero else one.live or count
            return [_number(rng, one, element) if index < live else 0 for index in range(count)]
        case Enum(constants=constants):
            return rng.choice(one.old_names or [name for name, _ in constants])
        case Struct():
            return random_values(rng, one.type)
        case Link():
            raise AssertionError("links have no values of their own")


def _number(rng: Random, one: Field, number: Int) -> int:
    if one.zero:
        return 0
    low, high = number.range(one.bits)
    low = low if one.least is None else max(low, one.least)
    high = high if one.most is None else min(high, one.most)
    if rng.random() < 0.2:
        return rng.choice((low, high))
    if rng.random() < 0.5 and low <= 1000 and high >= -1000:
        low, high = max(low, -1000), min(high, 1000)
    return rng.randint(low, high)


def nothing(one: CType) -> Value:
    """The value of bytes that are all 0."""
    match one:
        case Int():
            return 0
        case Real():
            return 0.0
        case Text():
            return ""
        case Ints(count=count):
            return [0] * count
        case Struct(fields=fields):
            return {field.name: nothing(field.type) for field in fields if not isinstance(field.type, Link)}
        case Enum(constants=constants):
            return next((name for name, value in constants if value == 0), None)
        case Link():
            raise AssertionError("links have no values of their own")


def assign(path: str, fields: Sequence[Field], values: Values) -> Iterator[str]:
    """Statements that give the fields of `path` (`x.` or `p->`) those of the values that are known."""
    for one in fields:
        value = values.get(one.name)
        if value is None or isinstance(one.type, Link):
            continue
        place = path + one.name
        if isinstance(one.type, Struct):
            yield from assign(path if one.type.anonymous else place + ".", one.type.fields, value)
        elif isinstance(one.type, Text):
            yield f"strcpy({place}, {quoted(value)});"
        elif isinstance(one.type, Ints):
            numbers = enumerate(value[: one.type.count])
            yield from (f"{place}[{index}] = {literal(number)};" for index, number in numbers)
        else:
            yield f"{place} = {literal(value)};"


def check(path: str, fields: Sequence[Field], values: Values) -> Iterator[str]:
    """Statements that compare the fields of `path` with those of the values that are known."""
    for one in fields:
        value = values.get(one.name)
        if value is None or isinstance(one.type, Link):
            continue
        place = path + one.name
        if isinstance(one.type, Struct):
            yield from check(path if one.type.anonymous else place + ".", one.type.fields, value)
        elif isinstance(one.type, Text):
            yield f"WANT(strcmp({place}, {quoted(value)}) == 0);"
        elif isinstance(one.type, Ints):
            numbers = [*value, *[0] * one.type.count][: one.type.count]
            yield from (f"WANT({place}[{index}] == {literal(number)});" for index, number in enumerate(numbers))
        else:
            yield f"WANT({place} == {literal(value)});"


def quoted(text: str) -> str:
    """A C string literal of letters."""
    return f'"{text}"'


def literal(value: float | str) -> str:
    """A C constant; a text is an enum constant's name."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(value)
    if value == -(1 << 63):
        return "(-9223372036854775807L - 1)"
    return f"{value}L" if value < 1 << 63 else f"{value}UL"
