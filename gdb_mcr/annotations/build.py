"""Parse tree to statements. Nothing is checked here."""

from __future__ import annotations

from typing import cast

from lark import ParseTree, Token, v_args
from lark.tree import Meta

from gdb_mcr.annotations.build_base import unquoted
from gdb_mcr.annotations.build_steps import StepBuilder
from gdb_mcr.model.place import Side
from gdb_mcr.model.statement import (
    Active,
    FreeType,
    InputFile,
    InputState,
    Length,
    LibraryPointsTo,
    NeverMergeLibrary,
    NeverMergeType,
    Opaque,
    PlainBytes,
    Points,
    Precise,
    RenameField,
    RenameType,
    RenameVariable,
    Statement,
    Tagged,
    Target,
    Treat,
    Treatment,
    TypeName,
    TypeTarget,
    VariableName,
    VariableTarget,
)
from gdb_mcr.model.written import FieldPath, Written


@v_args(inline=True, meta=True)
class StatementBuilder(StepBuilder):
    """One method for each rule or alias of the grammar's statements, named as it is."""

    def statements(self, tree: ParseTree) -> list[Statement]:
        """The statements of a whole text."""
        return cast("list[Statement]", self.transform(tree))

    def start(self, meta: Meta, *statements: Statement) -> list[Statement]:
        return list(statements)

    def rename_field(self, meta: Meta, type_name: TypeName, old: FieldPath, new: FieldPath) -> RenameField:
        return RenameField(type_name, old, new, self._span(meta))

    def rename_type(self, meta: Meta, old: TypeName, new: TypeName) -> RenameType:
        return RenameType(old, new, self._span(meta))

    def rename_variable(self, meta: Meta, old: VariableName, new: VariableName) -> RenameVariable:
        return RenameVariable(old, new, self._span(meta))

    def keep(self, meta: Meta, side: Side, target: Target) -> Treat:
        return Treat(Treatment(f"keep {side.value}"), target, self._span(meta))

    def drop(self, meta: Meta, target: Target) -> Treat:
        return Treat(Treatment.DROP, target, self._span(meta))

    def counter(self, meta: Meta, target: Target) -> Treat:
        return Treat(Treatment.COUNTER, target, self._span(meta))

    def never_merge_type(self, meta: Meta, type_name: TypeName) -> NeverMergeType:
        return NeverMergeType(type_name, self._span(meta))

    def never_merge_library(self, meta: Meta, pattern: Token) -> NeverMergeLibrary:
        return NeverMergeLibrary(unquoted(pattern), self._span(meta))

    def library_points_to(self, meta: Meta, pattern: Token, type_name: TypeName) -> LibraryPointsTo:
        return LibraryPointsTo(unquoted(pattern), type_name, self._span(meta))

    def free_type(self, meta: Meta, type_name: TypeName) -> FreeType:
        return FreeType(type_name, self._span(meta))

    def plain(self, meta: Meta, target: Target) -> PlainBytes:
        return PlainBytes(target, self._span(meta))

    def type_target(self, meta: Meta, type_name: TypeName, path: FieldPath) -> TypeTarget:
        return TypeTarget(type_name, path, self._span(meta))

    def variable_target(self, meta: Meta, variable: VariableName, path: FieldPath | None) -> VariableTarget:
        return VariableTarget(variable, path or (), certain=True, span=self._span(meta))

    def bare_target(self, meta: Meta, variable: VariableName, path: FieldPath | None) -> VariableTarget:
        return VariableTarget(variable, path or (), certain=False, span=self._span(meta))

    def tagged(self, meta: Meta, target: Target, mask: Written) -> Tagged:
        return Tagged(target, mask, self._source(mask.span), self._span(meta))

    def length(self, meta: Meta, target: Target, count: Written) -> Length:
        return Length(target, count, self._source(count.span), self._span(meta))

    def points(self, meta: Meta, target: Target, type_name: TypeName) -> Points:
        return Points(target, type_name, self._span(meta))

    def active(self, meta: Meta, target: Target, condition: Written) -> Active:
        return Active(target, condition, self._source(condition.span), self._span(meta))

    def opaque(self, meta: Meta, target: Target) -> Opaque:
        return Opaque(target, self._span(meta))

    def input(self, meta: Meta, pattern: Token, state: InputState) -> InputFile:
        return InputFile(unquoted(pattern), state, self._span(meta))

    def input_state(self, meta: Meta, word: Token) -> InputState:
        return InputState(str(word))

    def precise(self, meta: Meta, target: Target) -> Precise:
        return Precise(target, self._span(meta))
