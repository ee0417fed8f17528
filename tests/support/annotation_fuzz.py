"""Parser and checker of annotations against random texts: nothing may crash or hang, and errors have places."""

from __future__ import annotations

import random
import signal
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType

from gdb_mcr.annotations.check import Checker
from gdb_mcr.annotations.format import format_text
from gdb_mcr.annotations.grammar import rule_files
from gdb_mcr.annotations.syntax import ParsedText, parse_text
from gdb_mcr.model.program import Program
from gdb_mcr.source import Problem, describe_problems
from tests.support.annotation_texts import mutated, random_handler, random_text
from tests.support.small_programs import new_program, old_program

GRAMMAR = Path(__file__).parents[2] / "grammar"
LIMIT_S = 10
"""Seconds for one text of a few hundred characters, on a busy machine."""


@dataclass(slots=True)
class Tally:
    """What came of many texts."""

    texts: int = 0
    accepted: int = 0
    """Texts without any error."""
    labels: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    """Each with its seed and what happened."""


def fuzz(seeds: Iterable[int]) -> Tally:
    """Try one text for each seed."""
    tally = Tally()
    for seed in seeds:
        text = text_of(seed)
        tally.texts += 1
        try:
            with _limit():
                problems = problems_of(text)
                tally.failures += [f"seed {seed}: {one}" for one in misplaced(text, problems)]
        except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
            tally.failures.append(f"seed {seed}: {traceback.format_exc(limit=-3)}")
            continue
        tally.accepted += not problems
        tally.labels.update(one.label for one in problems)
    return tally


def text_of(seed: int) -> str:
    """The text of a seed: from the grammar, from the examples, or one of these broken."""
    chance = random.Random(seed)
    makers = (random_text, random_handler, random_handler, lambda one: one.choice(_written()))
    text = chance.choice(makers)(chance)
    return mutated(text, chance) if chance.random() < 0.5 else text


def problems_of(text: str) -> list[Problem]:
    """All that is wrong with a text, for two small programs. A text that parses is brought into its form as well."""
    parsed: ParsedText = parse_text(text, "a.mcr")
    checker = Checker(*_programs(), {"a.mcr": text.split("\n")})
    checker.check(parsed.statements)
    problems = [*parsed.problems, *checker.problems]
    describe_problems(problems)
    if not parsed.problems:
        tidy = format_text(text)
        if format_text(tidy) != tidy or parse_text(tidy, "a.mcr").problems:
            raise AssertionError("its form is none")
    return problems


def misplaced(text: str, problems: Iterable[Problem]) -> Iterator[str]:
    """Problems whose place is not in the text, or that say nothing."""
    lines = text.split("\n")
    for one in problems:
        span = one.span
        inside = 1 <= span.line <= len(lines) and 1 <= span.column <= len(lines[span.line - 1]) + 1
        if not inside or (span.end_line, span.end_column) < (span.line, span.column) or not one.message:
            yield f"{one.label} at {span}: {one.message}"


@cache
def _written() -> list[str]:
    files = [
        *sorted((GRAMMAR / "examples").glob("*.mcr")),
        *sorted((GRAMMAR / "rejected").glob("*.mcr")),
        *rule_files(),
    ]
    return [file.read_text() for file in files]


@cache
def _programs() -> tuple[Program, Program]:
    return old_program(), new_program()


@contextmanager
def _limit() -> Iterator[None]:
    def late(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
