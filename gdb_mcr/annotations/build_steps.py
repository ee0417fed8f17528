"""Parse tree to the steps of transfer handlers."""

from __future__ import annotations

from lark import Token, v_args
from lark.tree import Meta

from gdb_mcr.annotations.build_base import unquoted
from gdb_mcr.annotations.build_expressions import ExpressionBuilder
from gdb_mcr.model.statement import Transfer, TypeName, Use, VariableName
from gdb_mcr.model.written import (
    FieldName,
    FieldPath,
    Invocation,
    Written,
    WrittenAssignment,
    WrittenCall,
    WrittenIf,
    WrittenLet,
    WrittenLoop,
    WrittenStep,
)

Block = tuple[WrittenStep, ...]


@v_args(inline=True, meta=True)
class StepBuilder(ExpressionBuilder):
    """One method for each rule or alias of the grammar's handlers, named as it is."""

    def transfer(self, meta: Meta, subject: tuple[TypeName | VariableName, bool], body: Block) -> Transfer:
        name, certain = subject
        return Transfer(name, certain, body, self._span(meta))

    def use(self, meta: Meta, library: Token) -> Use:
        return Use(unquoted(library), self._span(meta))

    def type_subject(self, meta: Meta, name: TypeName) -> tuple[TypeName, bool]:
        return name, True

    def variable_subject(self, meta: Meta, name: VariableName) -> tuple[VariableName, bool]:
        return name, True

    def bare_subject(self, meta: Meta, name: VariableName) -> tuple[VariableName, bool]:
        return name, bool(name.function)

    def block(self, meta: Meta, *steps: WrittenStep) -> Block:
        return steps

    def let(self, meta: Meta, name: Token, value: Written) -> WrittenLet:
        return WrittenLet(str(name), value, self._token_span(name), self._span(meta))

    def assignment(self, meta: Meta, to: Written, value: Written) -> WrittenAssignment:
        return WrittenAssignment(to, "", value, self._span(meta))

    def compound(self, meta: Meta, to: Written, operator: Token, value: Written) -> WrittenAssignment:
        return WrittenAssignment(to, str(operator)[:-1], value, self._span(meta))

    def condition(self, meta: Meta, condition: Written, then: Block, otherwise: Block | None) -> WrittenIf:
        return WrittenIf(condition, then, otherwise or (), self._span(meta))

    def else_if(self, meta: Meta, inner: WrittenIf) -> Block:
        return (inner,)

    def count_loop(self, meta: Meta, name: Token, start: Written, end: Written, body: Block) -> WrittenLoop:
        return WrittenLoop(str(name), start, end, (), body, self._token_span(name), self._span(meta))

    def array_loop(self, meta: Meta, name: Token, array: Written, body: Block) -> WrittenLoop:
        return WrittenLoop(str(name), array, None, (), body, self._token_span(name), self._span(meta))

    def list_loop(self, meta: Meta, name: Token, first: Written, via: FieldPath, body: Block) -> WrittenLoop:
        return WrittenLoop(str(name), first, None, via, body, self._token_span(name), self._span(meta))

    def call_step(self, meta: Meta, call: Invocation) -> WrittenCall:
        return WrittenCall(call, self._span(meta))

    def path(self, meta: Meta, *names: Token) -> FieldPath:
        return tuple(FieldName(str(name), self._token_span(name)) for name in names)

    new_path = path
