"""Parse tree to statements. Nothing is checked here."""

from __future__ import annotations

import re

from lark import Token, Transformer, v_args
from lark.tree import Meta

from gdb_mcr.model.annotation import (
    FieldName,
    FieldPath,
    FreeType,
    LibraryPointsTo,
    NeverMergeLibrary,
    NeverMergeType,
    PlainBytes,
    RenameField,
    RenameType,
    RenameVariable,
    Statement,
    Target,
    Treat,
    Treatment,
    TypeName,
    TypeTarget,
    VariableName,
    VariableTarget,
)
from gdb_mcr.source import Span


@v_args(inline=True, meta=True)
class StatementBuilder(Transformer[Token, list[Statement]]):
    """One method for each rule or alias of the grammar, named as it is."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self._file = file

    def start(self, meta: Meta, *statements: Statement) -> list[Statement]:
        return list(statements)

    def rename_field(self, meta: Meta, type_name: TypeName, old: FieldPath, new: FieldPath) -> RenameField:
        return RenameField(type_name, old, new, self._span(meta))

    def rename_type(self, meta: Meta, old: TypeName, new: TypeName) -> RenameType:
        return RenameType(old, new, self._span(meta))

    def rename_variable(self, meta: Meta, old: VariableName, new: VariableName) -> RenameVariable:
        return RenameVariable(old, new, self._span(meta))

    def keep(self, meta: Meta, side: str, target: Target) -> Treat:
        return Treat(Treatment(f"keep {side}"), target, self._span(meta))

    def drop(self, meta: Meta, target: Target) -> Treat:
        return Treat(Treatment.DROP, target, self._span(meta))

    def counter(self, meta: Meta, target: Target) -> Treat:
        return Treat(Treatment.COUNTER, target, self._span(meta))

    def never_merge_type(self, meta: Meta, type_name: TypeName) -> NeverMergeType:
        return NeverMergeType(type_name, self._span(meta))

    def never_merge_library(self, meta: Meta, pattern: Token) -> NeverMergeLibrary:
        return NeverMergeLibrary(_unquoted(pattern), self._span(meta))

    def library_points_to(self, meta: Meta, pattern: Token, type_name: TypeName) -> LibraryPointsTo:
        return LibraryPointsTo(_unquoted(pattern), type_name, self._span(meta))

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

    def type_name(self, meta: Meta, file: str | None, tag: str | None, name: Token) -> TypeName:
        return TypeName(str(name), tag or "", file or "", self._span(meta))

    def variable_name(self, meta: Meta, file: str | None, function: str | None, name: Token) -> VariableName:
        return VariableName(str(name), function or "", file or "", self._span(meta))

    def path(self, meta: Meta, *names: Token) -> FieldPath:
        return tuple(FieldName(str(name), self._token_span(name)) for name in names)

    new_path = path

    def file(self, meta: Meta, name: Token) -> str:
        return _unquoted(name)

    def function(self, meta: Meta, name: Token) -> str:
        return str(name)

    def tag(self, meta: Meta, word: Token) -> str:
        return str(word)

    side = tag

    def _span(self, meta: Meta) -> Span:
        return Span(self._file, meta.line, meta.column, meta.end_line, meta.end_column)

    def _token_span(self, token: Token) -> Span:
        line, column = token.line or 1, token.column or 1
        return Span(self._file, line, column, token.end_line or line, token.end_column or column)


def _unquoted(token: Token) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1])
