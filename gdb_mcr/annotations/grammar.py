"""The parser of the annotation language, built from `grammar/mcr.lark`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from lark import Lark

from gdb_mcr.errors import PrivateDirectoryError
from gdb_mcr.paths import cache_dir, grammar_file


@cache
def parser() -> Lark:
    """An LALR(1) parser with a contextual lexer, so that keywords stay usable as names of fields.

    Its tables are kept in the cache directory: to make them takes a fifth of a second, to read them a tenth of that.

    :raises InstallationError: the grammar is not there.
    """
    grammar = grammar_file("mcr.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=True, cache=_tables())


def keywords() -> frozenset[str]:
    """All words that have a meaning somewhere in the language.

    :raises InstallationError: the grammar is not there.
    """
    grammar = grammar_file("mcr.lark").read_text(encoding="utf-8")
    found = re.findall(r"^\w+\.1: /(?:\(\?:)?([\w|]+)\)?\(\?!", grammar, re.MULTILINE)
    return frozenset(word for words in found for word in words.split("|"))


def rule_files() -> tuple[Path, ...]:
    """The built-in rules, by name.

    :raises InstallationError: the grammar is not there.
    """
    return tuple(sorted((grammar_file("mcr.lark").parent / "rules").glob("*.mcr")))


# Lark tells by the grammar, its own version and Python's whether the file is of use. False: none is kept.
def _tables() -> str | bool:
    try:
        return str(cache_dir() / "mcr.lark.tables")
    except PrivateDirectoryError:
        return False
