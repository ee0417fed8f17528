"""How a user names an object: `settings.port`, `conns[17]->event`, `*head->next`, `main::retry`, `0x7f12c0de4010`.

A part of C's expressions: names, members, pointers, indexes; `"items.c"::name` tells file statics apart, as in
annotations. An address may be followed by members too, if it is known which object stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from gdb_mcr.errors import UsageError
from gdb_mcr.model.statement import VariableName
from gdb_mcr.source import Span

_TOKEN = re.compile(
    r'\s*(?:(?P<number>0[xX][0-9a-fA-F]+|\d+)(?![\w])|(?P<name>[A-Za-z_]\w*)|"(?P<file>[^"]*)"'
    r"|(?P<sign>->|::|[.*()\[\]]))"
)
_NOWHERE = Span("", 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Member:
    """`.name`"""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


@dataclass(frozen=True, slots=True)
class Index:
    """`[number]`, of an array or behind a pointer."""

    number: int

    def __str__(self) -> str:
        return f"[{self.number}]"


@dataclass(frozen=True, slots=True)
class Follow:
    """`*`, or the first half of `->`."""

    def __str__(self) -> str:
        return "*"


Step: TypeAlias = Member | Index | Follow


@dataclass(frozen=True, slots=True)
class Expression:
    """Where to begin, and what to do from there, in this order."""

    root: VariableName | int
    """A variable, or an address."""
    steps: tuple[Step, ...] = ()


def parse_expression(text: str) -> Expression:
    """:raises UsageError: it is none; the message shows where it ends to be one."""
    return _Parser(text).whole()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """number, name, file, sign, or end."""
    text: str
    column: int


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())
        self._at = 0

    def _split(self) -> Iterator[_Token]:
        at, end = 0, len(self._text.rstrip())
        while at < end:
            found = _TOKEN.match(self._text, at)
            if found is None or found.lastgroup is None:
                raise self._error(
                    "this is no part of a name", at + len(self._text[at:]) - len(self._text[at:].lstrip())
                )
            yield _Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup))
            at = found.end()
        yield _Token("end", "", end)

    def whole(self) -> Expression:
        expression = self._unary()
        if self._next.kind != "end":
            raise self._error("a member (.name), a pointer's target (->name) or an [index] can follow here")
        return expression

    def _unary(self) -> Expression:
        if self._take("*"):
            inner = self._unary()
            return Expression(inner.root, (*inner.steps, Follow()))
        return self._postfix(self._primary())

    def _postfix(self, one: Expression) -> Expression:
        steps = list(one.steps)
        while True:
            if self._take("."):
                steps.append(Member(self._name()))
            elif self._take("->"):
                steps += [Follow(), Member(self._name())]
            elif self._take("["):
                steps.append(Index(self._number()))
                self._require("]")
            else:
                return Expression(one.root, tuple(steps))

    def _primary(self) -> Expression:
        if self._take("("):
            inner = self._unary()
            self._require(")")
            return inner
        if self._next.kind == "number":
            return Expression(self._number())
        return Expression(self._variable())

    def _variable(self) -> VariableName:
        file = function = ""
        if self._next.kind == "file":
            file = self._advance().text
            self._require("::")
        name = self._name()
        if self._take("::"):
            function, name = name, self._name()
        return VariableName(name, function, file, _NOWHERE)

    def _name(self) -> str:
        if self._next.kind != "name":
            raise self._error("a name belongs here")
        return self._advance().text

    def _number(self) -> int:
        if self._next.kind != "number":
            raise self._error("a number belongs here")
        text = self._advance().text
        return int(text, 16 if text[:2].lower() == "0x" else 10)

    def _take(self, sign: str) -> bool:
        found = self._next.kind == "sign" and self._next.text == sign
        self._at += found
        return found

    def _require(self, sign: str) -> None:
        if not self._take(sign):
            raise self._error(f"`{sign}` is missing here")

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _advance(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _error(self, what: str, column: int = -1) -> UsageError:
        at = column if column >= 0 else self._next.column
        message = f"cannot read the object's name: {what}\n    {self._text}\n    {' ' * at}^"
        return UsageError(message, hint="for example settings.port, conns[17]->event, main::retry, 0x7f12c0de4010")
