"""Expressions and steps of transfer handlers as a user wrote them. `model/expression.py` has what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from gdb_mcr.model.place import Side
from gdb_mcr.source import Span


@dataclass(frozen=True, slots=True)
class FieldName:
    """One name of a field path."""

    name: str
    span: Span


FieldPath: TypeAlias = tuple[FieldName, ...]
"""Names from the outermost field inwards."""


@dataclass(frozen=True, slots=True)
class Literal:
    """`12`, `0x1fUL`, `'a'`, `1.5`: the text as it stands there."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Name:
    """A name alone, or with its side: `x`, `old::conn_read`, `new::LIMIT`, `old::main::port`."""

    name: str
    side: Side | None
    function: str
    """For a variable inside a function, that function; else ""."""
    span: Span


@dataclass(frozen=True, slots=True)
class Whole:
    """`old` or `new`: the object that is handled."""

    side: Side
    span: Span


@dataclass(frozen=True, slots=True)
class Field:
    """`old.a`, or with ``arrow`` `p->a`."""

    base: Written
    name: str
    arrow: bool
    name_span: Span
    span: Span


@dataclass(frozen=True, slots=True)
class Element:
    """`old.a[i]`"""

    base: Written
    index: Written
    span: Span


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator before one operand or between two: `-a`, `*p`, `&old.a`, `a + b`, `a && b`."""

    operator: str
    operands: tuple[Written, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? then : otherwise`"""

    condition: Written
    then: Written
    otherwise: Written
    span: Span


@dataclass(frozen=True, slots=True)
class WrittenType:
    """`unsigned long`, `struct conn *`, `uint8_t`, `old::struct conn`."""

    words: tuple[str, ...]
    """Keywords and names: ("unsigned", "long"), ("struct", "conn"), ("uint8_t",)."""
    pointers: int
    """How many `*` follow."""
    side: Side | None
    span: Span


@dataclass(frozen=True, slots=True)
class CastTo:
    """`(type)value`"""

    type: WrittenType
    value: Written
    span: Span


@dataclass(frozen=True, slots=True)
class SizeOf:
    """`sizeof(type)` or `sizeof expression`"""

    of: WrittenType | Written
    span: Span


@dataclass(frozen=True, slots=True)
class Invocation:
    """`name(argument, …)`"""

    name: str
    arguments: tuple[Written, ...]
    name_span: Span
    span: Span


Written: TypeAlias = Literal | Name | Whole | Field | Element | Operation | Choice | CastTo | SizeOf | Invocation


@dataclass(frozen=True, slots=True)
class WrittenLet:
    """`let name = value;`"""

    name: str
    value: Written
    name_span: Span
    span: Span


@dataclass(frozen=True, slots=True)
class WrittenAssignment:
    """`to = value;`; with an ``operator``, `to += value;`"""

    to: Written
    operator: str
    """"" for a plain one, else the operator before the "="."""
    value: Written
    span: Span


@dataclass(frozen=True, slots=True)
class WrittenIf:
    """`if (condition) { then } else { otherwise }`"""

    condition: Written
    then: tuple[WrittenStep, ...]
    otherwise: tuple[WrittenStep, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class WrittenLoop:
    """`foreach name in start .. end { body }`, over the indices of an array `foreach name in array { body }`, or over a
    list `foreach name in first via field { body }`."""

    name: str
    start: Written
    end: Written | None
    via: FieldPath
    body: tuple[WrittenStep, ...]
    name_span: Span
    span: Span


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """`name(argument, …);`"""

    call: Invocation
    span: Span


WrittenStep: TypeAlias = WrittenLet | WrittenAssignment | WrittenIf | WrittenLoop | WrittenCall
