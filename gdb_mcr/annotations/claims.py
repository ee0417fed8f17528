"""What statements were said of, by whom, and what is wrong with them: the books that all checks keep together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gdb_mcr.annotations.labels import LACKING, Label
from gdb_mcr.annotations.names import Miss
from gdb_mcr.annotations.wrong import WrongError
from gdb_mcr.model.statement import Statement
from gdb_mcr.source import Problem, Span

Sources = Mapping[str, Sequence[str]]
"""The lines of each file, for messages."""

Key = tuple[object, ...]
"""What a statement speaks of."""


class Claims:
    """At most one statement speaks of one thing; problems are collected.

    :param lenient: names that a program lacks are no problem, as in built-in rules.
    """

    def __init__(self, sources: Sources, *, lenient: bool) -> None:
        self._sources = sources
        self._lenient = lenient
        self._taken: dict[Key, tuple[str, Span]] = {}
        self.problems: list[Problem] = []

    def take(self, one: Statement, key: Key, says: str) -> bool:
        """Whether ``one`` is the first to speak of ``key``; if not, that is a problem."""
        before = self._taken.setdefault(key, (says, one.span))
        if before[1] == one.span:
            return True
        where = place_text(before[1], one.span)
        if before[0] == says:
            self.problem(Label.DUPLICATE, one.span, f"this was said in {where}", "delete one of the two")
        else:
            self.problem(Label.CONTRADICTION, one.span, f"this contradicts {where}", "delete one of the two")
        return False

    def first(self, key: Key, span: Span) -> Span:
        """Where ``key`` was spoken of first: ``span`` if it never was."""
        return self._taken.setdefault(key, ("", span))[1]

    def where(self, key: Key) -> Span | None:
        """Where ``key`` was spoken of."""
        taken = self._taken.get(key)
        return taken[1] if taken is not None else None

    def found(self, found: int | Miss | object, span: Span, on_the_other_side: bool) -> int | None:
        """An index that was looked up; a miss is a problem.

        :param on_the_other_side: the other program has what this one lacks.
        """
        if isinstance(found, int):
            return found
        if isinstance(found, Miss):
            if on_the_other_side and found.label in LACKING:
                hint = "old names stand on the left and in targets, new names behind `->`"
                self.problem(Label.WRONG_SIDE, span, f"{found.message}; only the other one has it", hint)
            else:
                self.problem(found.label, span, found.message, found.hint)
        return None

    def wrong(self, wrong: WrongError) -> None:
        """A problem that ended the checking of something."""
        self.problem(wrong.label, wrong.span, wrong.message, wrong.hint)

    def problem(self, label: Label, span: Span, message: str, hint: str = "") -> None:
        """One more problem."""
        if self._lenient and label in LACKING:
            return
        lines = self._sources.get(span.file, ())
        source = lines[span.line - 1] if 0 < span.line <= len(lines) else ""
        self.problems.append(Problem(label.value, span, message, hint, source))


def place_text(span: Span, seen_from: Span) -> str:
    """A place in the words of a message that is about another one."""
    return f"line {span.line}" if span.file == seen_from.file else f"{span.file}:{span.line}"
