"""What is wrong where the parser stopped, and where to go on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lark.exceptions import UnexpectedInput, UnexpectedToken

from gdb_mcr.annotations.labels import Label
from gdb_mcr.annotations.outline import STATEMENT_WORDS, Position, ends_block, position, statement_end, step_end
from gdb_mcr.source import did_you_mean

_EXPRESSION = frozenset({"NUMBER", "NAME", "LPAR", "OLD"})
_EXPRESSION_STARTS = _EXPRESSION | {"AMPERSAND", "CHARACTER", "COMPLEMENT", "MINUS", "NEW", "NOT", "STAR", "_SIZEOF"}
_OPERATORS = frozenset({"PLUS", "MINUS", "STAR", "DIVISION", "SHIFT", "RELATION", "EQUALITY", "AMPERSAND"}) | {
    "BIT_OR", "BIT_XOR", "AND", "OR", "QMARK", "LSQB", "DOT", "__ANON_0"
}  # fmt: skip
_TERMINALS = {
    "NAME": "a name",
    "STRING": 'a text in "quotes"',
    "NUMBER": "a number",
    "CHARACTER": "a character",
    "TYPE_WORD": "a type",
    "COMPOUND": "`+=`",
    "SEMICOLON": "`;`",
    "DOT": "`.`",
    "COLON": "`:`",
    "COMMA": "`,`",
    "EQUAL": "`=`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "STAR": "`*`",
    "AMPERSAND": "`&`",
    "__ANON_0": "`->`",
    "__ANON_1": "`..`",
    "__ANON_2": "`::`",
    "$END": "the end of the file",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A problem, as offsets into the text."""

    label: Label
    start: int
    end: int
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong and how to go on."""

    failure: Failure
    statement: int
    """Where the statement with the failure begins: what is before it is right."""
    resume: int = 0
    """Where the next statement may begin."""
    step: tuple[int, int] | None = None
    """Inside a handler, the step to leave out instead."""


def diagnose(text: str, begin: int, error: UnexpectedInput) -> Diagnosis:
    """What ``error`` says of a text that was parsed from ``begin`` on."""
    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    where = len(text) if at_end else (error.pos_in_stream or 0)
    at = position(text, begin, where)
    bad = None if at_end else _without_end(text, where, isinstance(error, UnexpectedToken))
    if bad is not None:
        return Diagnosis(bad, at.statement, *_after_characters(text, at, bad))
    if not isinstance(error, UnexpectedToken):
        message, hint = f"{text[where]!r} is no character of this language", ""
        if text[where].isdigit():
            message, hint = "this is no number of C", "a name does not begin with a digit"
        failure = Failure(Label.BAD_CHARACTER, where, where + 1, message, hint)
        return Diagnosis(failure, at.statement, *_after_characters(text, at, failure))
    return _in_block(text, at, error, where) if at.depth else _outside(text, at, error, where)


# Comments and quoted texts without an end; those with one are tokens.
def _without_end(text: str, where: int, is_token: bool) -> Failure | None:
    if text.startswith("/*", where):
        hint = "close it with `*/`"
        return Failure(Label.UNTERMINATED_COMMENT, where, where + 2, "this comment has no end", hint)
    if text[where] in "\"'" and not is_token:
        line_end = text.find("\n", where)
        hint = r"inside quotes only \" and \\ may follow a backslash" if text[where] == '"' else "one character: 'a'"
        message = "this text has no closing quote on its line"
        return Failure(Label.UNTERMINATED_STRING, where, line_end if line_end >= 0 else len(text), message, hint)
    return None


def _after_characters(text: str, at: Position, failure: Failure) -> tuple[int, tuple[int, int] | None]:
    if failure.label is Label.UNTERMINATED_COMMENT:
        return len(text), None
    if at.depth:
        return 0, (min(at.step, failure.start), max(failure.end, step_end(text, failure.end)))
    return statement_end(text, failure.end), None


def _outside(text: str, at: Position, error: UnexpectedToken, where: int) -> Diagnosis:
    word, accepted = str(error.token), sorted(error.accepts or error.expected)
    end, resume = where + len(word), statement_end(text, where)
    if at.statement == where:
        hint = did_you_mean(word, STATEMENT_WORDS) or f"a statement begins with {_any_of(STATEMENT_WORDS)}"
        failure = Failure(Label.UNKNOWN_STATEMENT, where, end, f"`{word}` begins no statement", hint)
        return Diagnosis(failure, at.statement, max(resume, end))
    if "SEMICOLON" in accepted and (word in STATEMENT_WORDS or error.token.type == "$END"):
        message = "`;` is missing behind this statement"
        return Diagnosis(Failure(Label.MISSING_SEMICOLON, at.before, at.before, message), at.statement, where)
    expected = f"{_expected(accepted)} should stand here"
    if error.token.type == "$END":
        message = f"the file ends inside a statement: {expected}"
        return Diagnosis(Failure(Label.INCOMPLETE, at.before, at.before, message), at.statement, where)
    return Diagnosis(_unexpected(word, where, accepted), at.statement, max(resume, end))


def _in_block(text: str, at: Position, error: UnexpectedToken, where: int) -> Diagnosis:
    word, accepted = str(error.token), sorted(error.accepts or error.expected)
    begins = ends_block(text, at.step) and at.step < where
    if error.token.type == "$END" or ends_block(text, where) or begins:
        # What follows belongs to the next statement.
        resume = at.step if begins else where
        before = position(text, at.statement, resume).before
        message = "`}` is missing: this block is not closed"
        return Diagnosis(Failure(Label.INCOMPLETE, before, before, message), at.statement, resume)
    new_line = "\n" in text[at.before : where] or word == "}"
    if "SEMICOLON" in accepted and new_line and at.step < where:
        message = "`;` is missing behind this step"
        failure = Failure(Label.MISSING_SEMICOLON, at.before, at.before, message)
        return Diagnosis(failure, at.statement, step=(at.step, at.before))
    failure = _unexpected(word, where, accepted)
    end = step_end(text, where)
    return Diagnosis(failure, at.statement, step=(at.step, max(end, failure.end) if end > at.step else failure.end))


def _unexpected(word: str, where: int, accepted: list[str]) -> Failure:
    hint = did_you_mean(word, [_keyword(one) for one in accepted if _keyword(one)])
    message = f"{_expected(accepted)} should stand here, not `{word}`"
    return Failure(Label.UNEXPECTED, where, where + len(word), message, hint)


# The whole of what may begin an expression, or stand between two, is told in a word.
def _expected(accepted: list[str]) -> str:
    rest, words = set(accepted), []
    if rest >= _EXPRESSION:
        rest -= _EXPRESSION_STARTS
        words.append("an expression")
    if rest >= {"PLUS", "SHIFT"}:
        rest -= _OPERATORS
        words.append("an operator")
    return _any_of([*words, *map(_terminal_name, sorted(rest))], quote=False)


def _keyword(terminal: str) -> str:
    known = terminal in _TERMINALS or terminal.startswith("__") or terminal in _OPERATORS | _EXPRESSION_STARTS
    return "" if known and terminal not in ("OLD", "NEW", "_SIZEOF") else terminal.strip("_").lower()


def _terminal_name(terminal: str) -> str:
    return _TERMINALS.get(terminal) or f"`{_keyword(terminal)}`"


def _any_of(words: Iterable[str], *, quote: bool = True) -> str:
    names = [f"`{one}`" if quote else one for one in words]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
