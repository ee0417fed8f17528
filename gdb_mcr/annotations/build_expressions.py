"""Parse tree to expressions. Nothing is checked here but that a type stands where only a type can."""

from __future__ import annotations

from lark import Token, v_args
from lark.tree import Meta

from gdb_mcr.annotations.build_base import Builder
from gdb_mcr.model.place import Side
from gdb_mcr.model.written import (
    CastTo,
    Choice,
    Element,
    Field,
    Invocation,
    Literal,
    Name,
    Operation,
    SizeOf,
    Whole,
    Written,
    WrittenType,
)


@v_args(inline=True, meta=True)
class ExpressionBuilder(Builder):
    """One method for each rule or alias of the grammar's expressions, named as it is."""

    def literal(self, meta: Meta, token: Token) -> Literal:
        return Literal(str(token), self._span(meta))

    def whole(self, meta: Meta, side: Side) -> Whole:
        return Whole(side, self._span(meta))

    def name(self, meta: Meta, side: Side | None, function: Token | None, name: Token) -> Name:
        return Name(str(name), side, str(function or ""), self._span(meta))

    def parenthesized(self, meta: Meta, inner: Written) -> Written:
        return inner

    def call(self, meta: Meta, name: Token, *arguments: Written | None) -> Invocation:
        given = tuple(one for one in arguments if one is not None)
        return Invocation(str(name), given, self._token_span(name), self._span(meta))

    def field(self, meta: Meta, base: Written, name: Token) -> Field:
        return Field(base, str(name), False, self._token_span(name), self._span(meta))

    def arrow(self, meta: Meta, base: Written, name: Token) -> Field:
        return Field(base, str(name), True, self._token_span(name), self._span(meta))

    def element(self, meta: Meta, base: Written, index: Written) -> Element:
        return Element(base, index, self._span(meta))

    def unary(self, meta: Meta, operator: Token, value: Written) -> Operation:
        return Operation(str(operator), (value,), self._span(meta))

    def binary(self, meta: Meta, left: Written, operator: Token, right: Written) -> Operation:
        return Operation(str(operator), (left, right), self._span(meta))

    def choice(self, meta: Meta, condition: Written, then: Written, otherwise: Written) -> Choice:
        return Choice(condition, then, otherwise, self._span(meta))

    def cast_to(self, meta: Meta, to: WrittenType, value: Written) -> CastTo:
        return CastTo(to, value, self._span(meta))

    def cast_to_pointer(self, meta: Meta, name: Written, stars: int, value: Written) -> CastTo:
        return CastTo(_named_type(name, stars), value, self._span(meta))

    def cast_to_name(self, meta: Meta, name: Written, value: Written) -> CastTo:
        return CastTo(_named_type(name, 0), value, self._span(meta))

    def sizeof(self, meta: Meta, of: WrittenType | Written) -> SizeOf:
        return SizeOf(of, self._span(meta))

    def sizeof_pointer(self, meta: Meta, name: Written, stars: int) -> SizeOf:
        return SizeOf(_named_type(name, stars), self._span(meta))

    def basic_type(self, meta: Meta, side: Side | None, *words: str | int) -> WrittenType:
        stars = words[-1] if isinstance(words[-1], int) else 0
        return WrittenType(tuple(str(one) for one in words if not isinstance(one, int)), stars, side, self._span(meta))

    def stars(self, meta: Meta, star: Token, more: int = 0) -> int:
        return 1 + more


# What stands in parentheses before a value. That it is no name is told by the checker: its words are empty then.
def _named_type(name: Written, stars: int) -> WrittenType:
    if isinstance(name, Name) and not name.function:
        return WrittenType((name.name,), stars, name.side, name.span)
    return WrittenType((), stars, None, name.span)
