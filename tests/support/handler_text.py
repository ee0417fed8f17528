"""Transfer handlers as values, written short: what the checker makes of `new.field = old.field * 2;`."""

from __future__ import annotations

from gdb_mcr.model.datatype import TypeKind, TypeTable
from gdb_mcr.model.expression import (
    INT,
    LONG,
    Binary,
    BinaryOperator,
    Conditional,
    Constant,
    Expression,
    Load,
    Location,
    Number,
    Pointer,
    Term,
    ValueType,
)
from gdb_mcr.model.handler import Handler, Step, Store
from gdb_mcr.model.place import Place, Side, Subject
from gdb_mcr.source import Span

SPAN = Span("t.mcr", 1, 1, 1, 10)


def value_type(types: TypeTable, index: int, side: Side) -> ValueType:
    """The type of a value that stands at a place of a type."""
    one = types.strip(index)
    assert one is not None
    if one.kind is TypeKind.POINTER:
        return Pointer(side, one.target)
    is_float = one.kind is TypeKind.FLOAT
    return Number(one.size, one.signed or is_float, is_float, one.kind is TypeKind.BOOLEAN)


class Fields:
    """Places in one side's struct (`of`), or where a pointer of O's leads (`behind`)."""

    def __init__(self, types: TypeTable, struct: int, side: Side, base: Expression | None = None) -> None:
        self._types, self._struct, self._side, self._base = types, struct, side, base

    def place(self, name: str, index: Expression | None = None) -> Location:
        """A member, or with `index` an element of one that is an array."""
        member = next(one for one in self._types[self._struct].members if one.name == name)
        kind = member.type
        terms: tuple[Term, ...] = ()
        if index is not None:
            array = self._types[kind]
            size = self._types[array.target].size
            kind, terms = array.target, (Term(index, size, array.count if array.count > 0 else -1),)
        bits = (member.bit_offset, member.bit_size)
        return Location(self._side, self._base, member.offset, terms, kind, self._types[kind].size, *bits)

    def load(self, name: str, index: Expression | None = None) -> Load:
        place = self.place(name, index)
        return Load(place, value_type(self._types, place.type, self._side))

    def store(self, name: str, value: Expression, index: Expression | None = None) -> Store:
        place = self.place(name, index)
        return Store(place, value, value_type(self._types, place.type, self._side), SPAN)

    def behind(self, pointer: Expression, struct: int) -> Fields:
        return Fields(self._types, struct, Side.OLD, pointer)


def number(value: float, kind: ValueType = INT) -> Constant:
    return Constant(value, kind)


def long(value: int) -> Constant:
    return Constant(value, LONG)


def binary(left: Expression, operator: str, right: Expression, kind: ValueType | None = None) -> Binary:
    """Of operands of one type; a comparison is an int."""
    found = BinaryOperator(operator)
    is_comparison = operator in ("==", "<", "<=")
    return Binary(found, left, right, kind or (INT if is_comparison else left.type))


def choose(condition: Expression, then: Expression, otherwise: Expression) -> Conditional:
    return Conditional(condition, then, otherwise, then.type)


def handler(
    old: int,
    new: int,
    *body: Step,
    reads: tuple[str, ...] = (),
    writes: tuple[str, ...] = (),
    variables: tuple[ValueType, ...] = (),
    subject: Subject = Subject.TYPE,
) -> Handler:
    """`reads` and `writes` as `a.b`."""
    place = Place(subject, "thing", old, new, (), ())
    read, written = (frozenset(tuple(filter(None, one.split("."))) for one in names) for names in (reads, writes))
    return Handler(place, body, variables, read, written, SPAN)
