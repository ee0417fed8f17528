"""The parser of the annotation language, built from `grammar/mcr.lark`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lark import Lark

from gdb_mcr.paths import grammar_file


@cache
def parser() -> Lark:
    """An LALR(1) parser with a contextual lexer, so that keywords stay usable as names of fields.

    :raises InstallationError: the grammar is not there.
    """
    grammar = grammar_file("mcr.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=True)


def rule_files() -> tuple[Path, ...]:
    """The built-in rules, by name.

    :raises InstallationError: the grammar is not there.
    """
    return tuple(sorted((grammar_file("mcr.lark").parent / "rules").glob("*.mcr")))
