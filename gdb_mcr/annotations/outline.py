"""Where statements, and steps inside handlers, begin and end in a text that need not be right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

STATEMENT_WORDS = (
    "rename",
    "keep",
    "drop",
    "counter",
    "never",
    "library",
    "free",
    "bytes",
    "tagged",
    "length",
    "points",
    "active",
    "opaque",
    "precise",
    "transfer",
    "use",
    "input",
)
"""The words that begin a statement."""

_PIECES = re.compile(
    r"//[^\n]*|/\*.*?\*/|(?P<blank>\s+)|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)+'|(?P<mark>[;{}()\[\]])|\w+|.",
    re.DOTALL,
)
_NEXT_STATEMENT = re.compile(rf"[ \t]*(?:{'|'.join(STATEMENT_WORDS)})\b", re.ASCII)
_UNINDENTED_STATEMENT = re.compile(rf"(?:{'|'.join(STATEMENT_WORDS)})\b(?!\s*[=.(\[+*/%&|^<>-])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Position:
    """Where in the outline a place is. All are offsets."""

    statement: int
    """The first token of the statement that it is in; the place itself if it is in none."""
    step: int
    """The same of the step, inside a block."""
    depth: int
    """Blocks around it."""
    before: int
    """The end of the last token before it."""


def position(text: str, begin: int, where: int) -> Position:
    """The outline at ``where`` in a text whose statements are right from ``begin`` to there."""
    statement = step = where
    last, depth = begin, 0
    in_statement = in_step = False
    for match in _tokens(text, begin, where):
        if not in_statement:
            statement, in_statement = match.start(), True
        if not in_step:
            step, in_step = match.start(), True
        if match["mark"] in ("{", "}", ";"):
            depth += {"{": 1, "}": -1, ";": 0}[match["mark"]]
            in_step = False
            in_statement = depth > 0
        last = match.end()
    return Position(statement if in_statement else where, step if in_step else where, depth, last)


def statement_end(text: str, where: int) -> int:
    """Behind the next ";" or block, or at a line that begins as statements do."""
    depth = 0
    for match in _PIECES.finditer(text, where):
        mark = match["mark"]
        if mark == "{":
            depth += 1
        elif mark == "}":
            depth -= 1
            if depth <= 0:
                return match.end()
        elif (mark == ";" and depth == 0) or (match["blank"] and _begins_statement(text, match, depth)):
            return match.end()
    return len(text)


def step_end(text: str, where: int) -> int:
    """Behind the next ";" or block (with its `else`), or before the "}" or the statement that ends the block around."""
    depth = 0
    for match in _PIECES.finditer(text, where):
        mark = match["mark"]
        if mark == "{":
            depth += 1
        elif mark == "}":
            depth -= 1
            if depth < 0:
                return match.start()
            if depth == 0 and not re.compile(r"\s*else\b").match(text, match.end()):
                return match.end()
        elif mark == ";" and depth == 0:
            return match.end()
        elif match["blank"] and ends_block(text, match.end()):
            return match.start()
    return len(text)


def ends_block(text: str, where: int) -> bool:
    """Whether a word at the beginning of a line can only be the next statement, so that a "}" is missing before."""
    at_line = where == 0 or text[where - 1] == "\n"
    return at_line and bool(_UNINDENTED_STATEMENT.match(text, where))


def deepest_nesting(text: str) -> tuple[int, int]:
    """How many brackets stand inside one another at most, and where the innermost one is."""
    depth = deepest = where = 0
    for match in _tokens(text, 0, len(text)):
        if match["mark"] in ("(", "[", "{"):
            depth += 1
            if depth > deepest:
                deepest, where = depth, match.start()
        elif match["mark"] in (")", "]", "}"):
            depth = max(0, depth - 1)
    return deepest, where


def _tokens(text: str, begin: int, end: int) -> Iterator[re.Match[str]]:
    for match in _PIECES.finditer(text, begin, end):
        if not match["blank"] and not match[0].startswith(("//", "/*")):
            yield match


def _begins_statement(text: str, blank: re.Match[str], depth: int) -> bool:
    if depth > 0:
        return ends_block(text, blank.end())
    line = blank[0].rfind("\n") + 1
    return line > 0 and bool(_NEXT_STATEMENT.match(text, blank.start() + line))
