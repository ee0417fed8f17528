"""What all methods that build nodes from the parse tree share."""

from __future__ import annotations

import re

from lark import Token, v_args
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive

from gdb_mcr.model.place import Side
from gdb_mcr.model.statement import TypeName, VariableName
from gdb_mcr.source import Span


@v_args(inline=True, meta=True)
class Builder(Transformer_NonRecursive[Token, object]):
    """Names and places. Not recursive, so that no depth of a text ends Python's stack.

    :param text: what was parsed.
    """

    def __init__(self, file: str, text: str) -> None:
        super().__init__()
        self._file = file
        self._text = text

    def type_name(self, meta: Meta, file: str | None, tag: str | None, name: Token) -> TypeName:
        return TypeName(str(name), tag or "", file or "", self._span(meta))

    def variable_name(self, meta: Meta, file: str | None, function: str | None, name: Token) -> VariableName:
        return VariableName(str(name), function or "", file or "", self._span(meta))

    def file(self, meta: Meta, name: Token) -> str:
        return unquoted(name)

    def function(self, meta: Meta, name: Token) -> str:
        return str(name)

    def tag(self, meta: Meta, word: Token) -> str:
        return str(word)

    def side(self, meta: Meta, word: Token) -> Side:
        return Side(str(word))

    # What stands at a place, on one line.
    def _source(self, span: Span) -> str:
        lines = self._text.split("\n")[span.line - 1 : span.end_line]
        lines[-1] = lines[-1][: span.end_column - 1]
        lines[0] = lines[0][span.column - 1 :]
        return re.sub(r"\s+", " ", " ".join(lines))

    def _span(self, meta: Meta) -> Span:
        return Span(self._file, meta.line, meta.column, meta.end_line, meta.end_column)

    def _token_span(self, token: Token) -> Span:
        line, column = token.line or 1, token.column or 1
        return Span(self._file, line, column, token.end_line or line, token.end_column or column)


def unquoted(token: Token) -> str:
    """What a quoted text says."""
    return re.sub(r"\\(.)", r"\1", token[1:-1])
