"""Writes docs/annotations-reference.md from grammar/mcr.lark, its examples, and what is said of its wrong uses; and
grammar/mcr.tmLanguage.json, by which editors highlight."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lark import Tree

from gdb_mcr.annotations.grammar import parser
from gdb_mcr.annotations.highlight import textmate
from gdb_mcr.annotations.load import load
from gdb_mcr.errors import InvalidAnnotations
from gdb_mcr.source import Problem, describe_problem
from tests.support.small_programs import new_program, old_program

MAX_WIDTH = 90
"""Of an erroneous line that is shown."""

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/annotations-reference.md"
TEXTMATE = ROOT / "grammar/mcr.tmLanguage.json"
_HEAD = """\
# Reference of the annotation language

[annotations.md](annotations.md) explains; this page lists. It is written by `scripts/write-docs` from
[mcr.lark](../grammar/mcr.lark), from the [examples](../grammar/examples), which the tests check, and from the files
that are [rejected](../grammar/rejected).
"""
_ERRORS = """\
## Errors

Each error has a label, which stays the same in every release. One of each rejected file:

```"""


def page() -> str:
    """The whole page."""
    lines = [_HEAD]
    for one in _sections():
        lines += one
    lines += _errors()
    return "\n".join(lines).rstrip() + "\n"


# Headings and rules in the order of the grammar, up to its terminals.
def _sections() -> Iterator[list[str]]:
    text = (ROOT / "grammar/mcr.lark").read_text().partition("// Keywords.")[0]
    for block in re.split(r"\n\n+", text.strip())[2:]:
        lines = block.strip().split("\n")
        heading = re.match(r"// (##+) (.*)", lines[0])
        if heading:
            comment = [line.removeprefix("// ") for line in lines[1:]]
            yield [f"{heading[1]} {heading[2]}", "", *([*comment, ""] if comment else [])]
        else:
            yield from _rule(lines)


def textmate_text() -> str:
    """The grammar for editors."""
    return json.dumps(textmate(), indent=2) + "\n"


def _rule(lines: list[str]) -> Iterator[list[str]]:
    comment = [line.removeprefix("// ") for line in lines if line.startswith("//")]
    rules = [line for line in lines if not line.startswith("//")]
    name = rules[0].partition(":")[0].lstrip("?")
    if comment:
        yield [*comment, ""]
    yield ["```", *(_readable(line) for line in rules), "```", ""]
    examples = _examples().get(name, [])
    if examples:
        yield ["```mcr", *examples, "```", ""]


# Keywords and operators as they are written.
def _readable(line: str) -> str:
    rule = re.sub(r" +-> [a-z_]+$", "", line).lstrip("?")
    words = {one.name: word for one in parser().terminals if (word := _word(one.pattern.value))}

    def written(match: re.Match[str]) -> str:
        return words.get(match[0], match[0])

    return re.sub(r"\b_?[A-Z][A-Z_]+\b", written, rule)


# What a terminal that is one of a few texts stands for, "" for others.
def _word(pattern: str) -> str:
    keyword, ends, _ = pattern.partition("(?!")
    if ends:
        return f'"{keyword}"' if keyword.isalpha() else ""
    if re.search(r"[A-Za-z\\]", pattern):
        return ""
    texts = re.sub(r"^\(\?:|\)$", "", pattern).split("|") if pattern.startswith("(?:") else [pattern]
    choices = [f'"{one}"' for one in texts]
    return choices[0] if len(choices) == 1 else f"({' | '.join(choices)})"


# Statements of the examples by their rule, as they stand in the files.
def _examples() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in sorted((ROOT / "grammar/examples").glob("*.mcr")):
        text = file.read_text()
        lines = text.split("\n")
        for one in parser().parse(text).children:
            assert isinstance(one, Tree)
            first, last = one.meta.line - 1, one.meta.end_line
            found.setdefault(str(one.data), []).extend(lines[first:last])
    return found


def _errors() -> Iterator[str]:
    yield _ERRORS
    for file in sorted((ROOT / "grammar/rejected").glob("*.mcr")):
        problem = _first_problem(file)
        if len(problem.source_line) < MAX_WIDTH:
            yield from describe_problem(problem)
            yield ""
    yield "```"


def _first_problem(file: Path) -> Problem:
    try:
        load([file], old_program(), new_program())
    except InvalidAnnotations as wrong:
        problems = sorted(wrong.problems, key=lambda one: one.span)
        one = next((one for one in problems if one.label == file.stem), problems[0])
        return replace(one, span=replace(one.span, file=file.name))
    raise AssertionError(f"{file} is not rejected")


if __name__ == "__main__":
    PAGE.write_text(page())
    TEXTMATE.write_text(textmate_text())
