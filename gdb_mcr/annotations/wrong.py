"""What is wrong with a part of a statement."""

from __future__ import annotations

from gdb_mcr.annotations.labels import Label
from gdb_mcr.annotations.names import Miss
from gdb_mcr.source import Span


class WrongError(Exception):
    """Ends the checking of one step or expression; whoever checks the statement makes a `Problem` of it."""

    def __init__(self, label: Label, span: Span, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.label = label
        self.span = span
        self.message = message
        self.hint = hint

    @classmethod
    def of(cls, miss: Miss, span: Span) -> WrongError:
        """A name that stands for nothing."""
        return cls(miss.label, span, miss.message, miss.hint)
