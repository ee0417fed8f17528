"""What a part of an expression is while it is being checked: a place, or a value with its type and bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gdb_mcr.annotations.numbers import Bounds, all_values, number_of, wrapped
from gdb_mcr.model.datatype import DataType, Member, TypeKind, TypeTable
from gdb_mcr.model.expression import (
    INT,
    LONG,
    UNSIGNED_LONG,
    Cast,
    Constant,
    Expression,
    Location,
    Number,
    Pointer,
    Term,
    Unary,
    UnaryOperator,
    ValueType,
)
from gdb_mcr.source import Span

AGGREGATES = frozenset({TypeKind.STRUCT, TypeKind.UNION})


@dataclass(frozen=True, slots=True)
class Spot:
    """A place, not read yet."""

    location: Location
    path: tuple[str, ...]
    """Field names from the object that is handled; () where its base is a pointer."""
    span: Span


@dataclass(frozen=True, slots=True)
class Value:
    """A value."""

    expression: Expression
    type: ValueType
    span: Span
    bounds: Bounds | None = None
    """Of an integer."""

    @property
    def only(self) -> int | None:
        """The value of an integer that can only have one."""
        return self.bounds.only if self.bounds else None


Operand = Spot | Value


def constant(value: int, number: Number, span: Span) -> Value:
    """An integer constant."""
    return Value(Constant(value, number), number, span, Bounds(value, value))


def converted(value: Value, to: Number) -> Value:
    """A number as C converts it."""
    if value.type == to:
        return value
    only = value.only
    if only is not None and not to.floating:
        return constant(wrapped(only, to), to, value.span)
    bounds = None
    if not to.floating:
        room = all_values(to)
        bounds = value.bounds if value.bounds is not None and value.bounds.inside(room) else room
    return Value(Cast(value.expression, to), to, value.span, bounds)


def stored_type(types: TypeTable, location: Location) -> ValueType | None:
    """What a place holds; None for structs, unions, arrays and numbers of unusual sizes."""
    one = types.strip(location.type)
    if one is None:
        return None
    if one.kind is TypeKind.POINTER:
        return Pointer(location.side, one.target)
    return number_of(one)


def find_member(types: TypeTable, holder: DataType, name: str) -> Member | None:
    """A field of a struct or union or of unnamed ones inside, its offset counted from ``holder``."""
    for member in holder.members:
        if member.name == name:
            return member
        inner = types.strip(member.type) if not member.name else None
        found = find_member(types, inner, name) if inner is not None else None
        if found is not None:
            return replace(found, offset=found.offset + member.offset)
    return None


def member_location(types: TypeTable, location: Location, member: Member) -> Location:
    """The place of a field."""
    one = types.strip(member.type)
    return replace(
        location,
        offset=location.offset + member.offset,
        type=member.type,
        size=one.size if one else 0,
        bit_offset=member.bit_offset,
        bit_size=member.bit_size,
    )


def element_location(types: TypeTable, location: Location, element: int, index: Value, bound: int) -> Location:
    """The place of an element; ``location`` is that of the first one.

    :param bound: elements; -1 if unknown.
    """
    one = types.strip(element)
    size = one.size if one else 0
    there = replace(location, type=element, size=size)
    if index.only is not None:
        return replace(there, offset=location.offset + index.only * size)
    wide = index.expression if index.type in (LONG, UNSIGNED_LONG) else Cast(index.expression, LONG)
    return replace(there, terms=(*location.terms, Term(wide, size, bound)))


def truth(value: Value) -> Value:
    """A condition as an int."""
    if value.type == INT:
        return value
    return logical_not(logical_not(value))


def logical_not(value: Value) -> Value:
    """`!value`"""

    bounds = Bounds(0, 1)
    if value.only is not None:
        bounds = Bounds(int(not value.only), int(not value.only))
    elif value.bounds is not None and not Bounds(0, 0).inside(value.bounds):
        bounds = Bounds(0, 0)
    return Value(Unary(UnaryOperator.NOT, value.expression, INT), INT, value.span, bounds)


def is_null(value: Value) -> bool:
    """Whether a value is the constant 0, which any pointer can be."""
    return isinstance(value.expression, Constant) and value.expression.value == 0
