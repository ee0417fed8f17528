"""Places in what a user wrote, what is wrong there, and what was probably meant."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The half-open stretch of text from (line, column) to (end_line, end_column), all counted from 1."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a place."""

    label: str
    """Its kind in a word or two, the same in every release: "unknown-field"."""
    span: Span
    message: str
    hint: str = ""
    source_line: str = ""
    """The text of the span's first line."""


def describe_problem(problem: Problem) -> Iterator[str]:
    """Lines as a compiler prints them: place and message, the source line, a caret, the hint."""
    yield f"{problem.span}: {problem.message} [{problem.label}]"
    if problem.source_line.strip():
        yield f"    {problem.source_line}"
        yield f"    {_indent(problem.source_line, problem.span.column)}{'^' * _caret_width(problem)}"
    if problem.hint:
        yield f"    {problem.hint}"


def describe_problems(problems: Sequence[Problem]) -> str:
    """All problems, in the order of their places."""
    ordered = sorted(problems, key=lambda problem: problem.span)
    return "\n".join(line for problem in ordered for line in describe_problem(problem))


def edit_distance(one: str, other: str, limit: int) -> int:
    """The number of insertions, deletions, replacements and swaps of neighbours that turn ``one`` into ``other``.

    :param limit: an answer above it may be ``limit + 1`` whatever the distance is.
    Source: optimal string alignment, the restricted Damerau-Levenshtein distance.
    """
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before: list[int] = []
    above = list(range(len(other) + 1))
    for row, a in enumerate(one, 1):
        here = [row]
        for column, b in enumerate(other, 1):
            cost = min(above[column] + 1, here[column - 1] + 1, above[column - 1] + (a != b))
            if row > 1 and column > 1 and a == other[column - 2] and b == one[row - 2]:
                cost = min(cost, before[column - 2] + 1)
            here.append(cost)
        if min(here) > limit:
            return limit + 1
        before, above = above, here
    return above[-1]


def nearest(name: str, candidates: Iterable[str], count: int = 3) -> list[str]:
    """At most ``count`` candidates within a third of the name's length of it, the closest first."""
    limit = max(1, (len(name) + 1) // 3)
    scored = ((edit_distance(name.lower(), one.lower(), limit), one) for one in set(candidates))
    return [one for _, one in nsmallest(count, (pair for pair in scored if pair[0] <= limit))]


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """A hint that names the nearest candidates, "" if none is near."""
    close = nearest(name, candidates)
    return f"did you mean {' or '.join(f'`{one}`' for one in close)}?" if close else ""


# Tabs stay tabs, so that the caret stands right whatever their width is.
def _indent(line: str, column: int) -> str:
    return "".join("\t" if one == "\t" else " " * _columns(one) for one in line[: column - 1])


def _caret_width(problem: Problem) -> int:
    span = problem.span
    end = span.end_column - 1 if span.end_line == span.line else len(problem.source_line)
    return max(1, sum(map(_columns, problem.source_line[span.column - 1 : end])))


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
