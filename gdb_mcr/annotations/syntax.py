"""Text to statements, with every syntax error reported and not just the first.

After an error the reader goes on behind the statement that has it: at the next ";" or, where a ";" is what is
missing, at the word that begins the next statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from lark.exceptions import UnexpectedInput, UnexpectedToken

from gdb_mcr.annotations.build import StatementBuilder
from gdb_mcr.annotations.grammar import parser
from gdb_mcr.annotations.labels import Label
from gdb_mcr.model.annotation import Statement
from gdb_mcr.source import Problem, Span, did_you_mean

MAX_PROBLEMS = 50
"""Syntax errors that are reported for one file."""

STATEMENT_WORDS = ("rename", "keep", "drop", "counter", "never", "library", "free", "bytes")
"""The words that begin a statement."""

_SKIPPED = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|(?P<end>;)|(?P<blank>\s+)|.', re.DOTALL)
_NEXT_STATEMENT = re.compile(rf"[ \t]*(?:{'|'.join(STATEMENT_WORDS)})\b", re.ASCII)
_TERMINALS = {
    "NAME": "a name",
    "STRING": 'a text in "quotes"',
    "SEMICOLON": "`;`",
    "DOT": "`.`",
    "__ANON_0": "`->`",
    "__ANON_1": "`::`",
    "$END": "the end of the file",
}


@dataclass(slots=True)
class ParsedText:
    """What one text says, and what is wrong with its syntax."""

    statements: list[Statement] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Failure:
    """Where the parser stopped: offsets into the text; `resume` is where to go on reading."""

    label: Label
    start: int
    end: int
    resume: int
    message: str
    hint: str = ""


def parse_text(text: str, file: str) -> ParsedText:
    """Parse ``text``; ``file`` is the name to report.

    :raises InstallationError: the grammar is not there.
    """
    parsed = ParsedText()
    reader = _Reader(text, file)
    begin = 0
    while begin < len(text):
        end, failure = reader.next_error(begin)
        parsed.statements += reader.statements(begin, end)
        if failure is None:
            break
        parsed.problems.append(reader.problem(failure))
        if len(parsed.problems) == MAX_PROBLEMS:
            parsed.problems.append(reader.gives_up(failure))
            break
        begin = failure.resume
    return parsed


class _Reader:
    """One text and the places in it."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file

    def statements(self, begin: int, end: int) -> list[Statement]:
        """Those in [begin, end), which parse."""
        return StatementBuilder(self._file).transform(parser().parse(self._padded(begin, end)))

    def next_error(self, begin: int) -> tuple[int, _Failure | None]:
        """The end of the good statements from ``begin`` on, and what comes then."""
        try:
            parser().parse(self._padded(begin, len(self._text)))
        except UnexpectedInput as error:
            return self._diagnose(begin, error)
        return len(self._text), None

    def problem(self, failure: _Failure) -> Problem:
        """The failure as the user sees it."""
        (line, column), (end_line, end_column) = self._place(failure.start), self._place(failure.end)
        source = self._text.split("\n")[line - 1].rstrip("\r")
        span = Span(self._file, line, column, end_line, end_column)
        return Problem(failure.label.value, span, failure.message, failure.hint, source)

    def gives_up(self, failure: _Failure) -> Problem:
        """The last problem of a text with too many."""
        message = f"{MAX_PROBLEMS} syntax errors; the rest of the file was not read"
        return self.problem(_Failure(Label.TOO_MANY, failure.start, failure.start, failure.resume, message))

    # Blanks instead of what is before `begin` keep lines and columns right.
    def _padded(self, begin: int, end: int) -> str:
        return re.sub(r"[^\n]", " ", self._text[:begin]) + self._text[begin:end]

    def _place(self, offset: int) -> tuple[int, int]:
        return self._text.count("\n", 0, offset) + 1, offset - self._text.rfind("\n", 0, offset)

    def _diagnose(self, begin: int, error: UnexpectedInput) -> tuple[int, _Failure]:
        at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        where = len(self._text) if at_end else (error.pos_in_stream or 0)
        start, before = self._statement_start(begin, where)
        if isinstance(error, UnexpectedToken):
            return start, self._unexpected_token(error, start, before, where)
        return start, self._unexpected_character(where)

    # Offsets of the first token of the statement that `where` is in, and of the end of the last token before `where`.
    def _statement_start(self, begin: int, where: int) -> tuple[int, int]:
        start, last, inside = where, begin, False
        for match in _SKIPPED.finditer(self._text, begin, where):
            if match["blank"] or match[0].startswith(("//", "/*")):
                continue
            if match["end"]:
                inside, start = False, where
            elif not inside:
                inside, start = True, match.start()
            last = match.end()
        return start, last

    # Behind the next ";", or at a line that begins as statements do.
    def _next_statement(self, where: int) -> int:
        for match in _SKIPPED.finditer(self._text, where):
            if match["end"]:
                return match.end()
            line = match["blank"].rfind("\n") + 1 if match["blank"] else 0
            if line and _NEXT_STATEMENT.match(self._text, match.start() + line):
                return match.end()
        return len(self._text)

    def _unexpected_token(self, error: UnexpectedToken, start: int, before: int, where: int) -> _Failure:
        word = str(error.token)
        accepted = sorted(error.accepts or error.expected)
        end, resume = where + len(word), self._next_statement(where)
        if start == where:
            hint = did_you_mean(word, STATEMENT_WORDS) or f"a statement begins with {_any_of(STATEMENT_WORDS)}"
            return _Failure(Label.UNKNOWN_STATEMENT, where, end, resume, f"`{word}` begins no statement", hint)
        if "SEMICOLON" in accepted and (word in STATEMENT_WORDS or error.token.type == "$END"):
            message = "`;` is missing behind this statement"
            return _Failure(Label.MISSING_SEMICOLON, before, before, where, message)
        expected = f"{_any_of(map(_terminal_name, accepted), quote=False)} should stand here"
        if error.token.type == "$END":
            message = f"the file ends inside a statement: {expected}"
            return _Failure(Label.INCOMPLETE, before, before, where, message)
        hint = did_you_mean(word, [_keyword(one) for one in accepted if _keyword(one)])
        return _Failure(Label.UNEXPECTED, where, end, resume, f"{expected}, not `{word}`", hint)

    def _unexpected_character(self, where: int) -> _Failure:
        line_end = self._text.find("\n", where)
        line_end = len(self._text) if line_end < 0 else line_end
        if self._text.startswith("/*", where):
            message, hint = "this comment has no end", "close it with `*/`"
            return _Failure(Label.UNTERMINATED_COMMENT, where, where + 2, len(self._text), message, hint)
        if self._text[where] == '"':
            message = "this text has no closing quote on its line"
            hint = r"inside quotes only \" and \\ may follow a backslash"
            resume = self._next_statement(line_end)
            return _Failure(Label.UNTERMINATED_STRING, where, line_end, resume, message, hint)
        message = f"{self._text[where]!r} is no character of this language"
        return _Failure(Label.BAD_CHARACTER, where, where + 1, self._next_statement(where), message)


def _keyword(terminal: str) -> str:
    known = terminal in _TERMINALS or terminal.startswith("__")
    return "" if known else terminal.strip("_").lower()


def _terminal_name(terminal: str) -> str:
    return _TERMINALS.get(terminal) or f"`{_keyword(terminal)}`"


def _any_of(words: Iterable[str], *, quote: bool = True) -> str:
    names = [f"`{one}`" if quote else one for one in words]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
