"""Text to statements, with every syntax error reported and not just the first.

After an error the reader goes on behind the statement that has it: at the next ";" or, where a ";" is what is
missing, at the word that begins the next statement. Inside a handler it goes on behind the step that has it: the step
is blanked and the handler is read again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lark.exceptions import UnexpectedInput

from gdb_mcr.annotations.build import StatementBuilder
from gdb_mcr.annotations.diagnosis import Diagnosis, Failure, diagnose
from gdb_mcr.annotations.grammar import parser
from gdb_mcr.annotations.labels import Label
from gdb_mcr.annotations.outline import deepest_nesting
from gdb_mcr.model.statement import Statement
from gdb_mcr.source import Problem, Span

MAX_PROBLEMS = 50
"""Syntax errors that are reported for one file."""

MAX_DEPTH = 100
"""Brackets inside brackets."""


@dataclass(slots=True)
class ParsedText:
    """What one text says, and what is wrong with its syntax."""

    statements: list[Statement] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def parse_text(text: str, file: str) -> ParsedText:
    """Parse ``text``; ``file`` is the name to report.

    :raises InstallationError: the grammar is not there.
    """
    parsed = ParsedText()
    reader = _Reader(text, file)
    depth, where = deepest_nesting(text)
    if depth > MAX_DEPTH:
        message = f"{MAX_DEPTH} brackets inside one another are the most"
        parsed.problems.append(reader.problem(Failure(Label.TOO_DEEP, where, where + 1, message)))
        return parsed
    while reader.more():
        reader.read(parsed)
    return parsed


class _Reader:
    """One text and the places in it."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._begin = 0
        # The text with the steps that are wrong blanked, so that the rest of their handlers can be read.
        self._mended = text
        # Whether the statement at `_begin` has such a step.
        self._is_mended = False

    def more(self) -> bool:
        """Whether there is text that was not read."""
        return self._begin < len(self._text)

    def read(self, parsed: ParsedText) -> None:
        """Statements up to the next syntax error, and that error."""
        text = self._padded(self._begin, len(self._text))
        try:
            parsed.statements += self._built(text)
            self._begin = len(self._text)
            return
        except UnexpectedInput as error:
            found = diagnose(self._mended, self._begin, error)
        before = self._padded(self._begin, found.statement)
        if before.strip():
            parsed.statements += self._built(before)
        parsed.problems.append(self.problem(found.failure))
        self._go_on(found)
        if len(parsed.problems) == MAX_PROBLEMS:
            parsed.problems.append(self._gives_up(found.failure))
            self._begin = len(self._text)

    def problem(self, failure: Failure) -> Problem:
        """The failure as the user sees it."""
        (line, column), (end_line, end_column) = self._place(failure.start), self._place(failure.end)
        source = self._text.split("\n")[line - 1].rstrip("\r")
        span = Span(self._file, line, column, end_line, end_column)
        return Problem(failure.label.value, span, failure.message, failure.hint, source)

    # The first is left out if a step of it is missing: what it says is not known.
    def _built(self, text: str) -> list[Statement]:
        statements = StatementBuilder(self._file, text).statements(parser().parse(text))
        if self._is_mended and statements:
            del statements[0]
        return statements

    def _go_on(self, found: Diagnosis) -> None:
        if found.step is None:
            self._begin, self._is_mended = found.resume, False
            return
        # The handler is read again without the step.
        if found.statement > self._begin:
            self._begin = found.statement
        self._is_mended = True
        start, end = found.step
        self._mended = self._mended[:start] + _blank(self._mended[start:end]) + self._mended[end:]

    def _gives_up(self, failure: Failure) -> Problem:
        message = f"{MAX_PROBLEMS} syntax errors; the rest of the file was not read"
        return self.problem(Failure(Label.TOO_MANY, failure.start, failure.start, message))

    # Blanks instead of what is before `begin` keep lines and columns right.
    def _padded(self, begin: int, end: int) -> str:
        return _blank(self._mended[:begin]) + self._mended[begin:end]

    def _place(self, offset: int) -> tuple[int, int]:
        return self._text.count("\n", 0, offset) + 1, offset - self._text.rfind("\n", 0, offset)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)
