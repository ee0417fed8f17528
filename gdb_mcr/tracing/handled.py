"""Which fields of an object a transfer handler deals with, so that the types' own conversion need not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gdb_mcr.engine.records import NONE
from gdb_mcr.model.handler import Handler
from gdb_mcr.model.place import Subject

Paths = frozenset[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Handled:
    """Paths of fields from where the conversion stands, names only; () is all that stands there."""

    reads: Paths = frozenset()
    """In O's object: what a handler uses has a home."""
    writes: Paths = frozenset()
    """In N's object: a handler gives it its value."""

    def old(self, name: str) -> Handled:
        """The same, seen from a member of O's."""
        return Handled(_inside(self.reads, (name,)), self.writes) if name else self

    def new(self, names: Sequence[str]) -> Handled:
        """The same, seen from a member of N's; the way to it may be longer than one name."""
        return Handled(self.reads, _inside(self.writes, [name for name in names if name]))

    def __or__(self, other: Handled) -> Handled:
        return Handled(self.reads | other.reads, self.writes | other.writes)

    @property
    def is_read(self) -> bool:
        """A handler uses all that stands here."""
        return () in self.reads

    @property
    def is_written(self) -> bool:
        """A handler sets all that stands here."""
        return () in self.writes


NOT_HANDLED = Handled()


def _inside(paths: Paths, names: Sequence[str]) -> Paths:
    return frozenset(_behind(path, names) for path in paths if _meets(path, names))


def _meets(path: tuple[str, ...], names: Sequence[str]) -> bool:
    return all(one == other for one, other in zip(path, names, strict=False))


def _behind(path: tuple[str, ...], names: Sequence[str]) -> tuple[str, ...]:
    return path[len(names) :]


class HandlerIndex:
    """The handlers of an update by what they handle; their numbers are their places in `handlers`."""

    def __init__(self, handlers: Iterable[Handler] = ()) -> None:
        self.handlers = tuple(handlers)
        self._of: dict[tuple[Subject, int], int] = {}
        for number, one in enumerate(self.handlers):
            self._of[one.place.subject, one.place.old] = number

    def of_type(self, old_index: int, new_index: int) -> int:
        """The handler from one type to another, NONE if there is none. Typedefs are stripped."""
        number = self._of.get((Subject.TYPE, old_index), NONE)
        return number if number != NONE and self.handlers[number].place.new == new_index else NONE

    def of_variable(self, old_index: int) -> int:
        """The handler of a variable of O, by its index; NONE if there is none."""
        return self._of.get((Subject.VARIABLE, old_index), NONE)

    @property
    def types(self) -> frozenset[int]:
        """Types of O that have a handler."""
        return frozenset(index for subject, index in self._of if subject is Subject.TYPE)

    def handled(self, number: int) -> Handled:
        """What a handler deals with; nothing, of NONE."""
        if number == NONE:
            return NOT_HANDLED
        return Handled(self.handlers[number].reads, self.handlers[number].writes)
