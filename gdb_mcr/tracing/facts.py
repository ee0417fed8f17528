"""What annotations say of fields that their types do not, seen from where a compiler of shapes or programs stands.

Source: DESIGN section 13.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from gdb_mcr.model.datatype import DataType, TypeKind, TypeTable
from gdb_mcr.model.handler import ActiveMember, ArrayLength, MemoryFact, PointsTo, Precision, TaggedPointer
from gdb_mcr.model.place import Subject

Conditional: TypeAlias = ArrayLength | ActiveMember
"""Facts that depend on other values of the object."""

_Kind = TypeVar("_Kind", TaggedPointer, ArrayLength, PointsTo, ActiveMember, Precision)


@dataclass(frozen=True, slots=True)
class FactHere:
    """A fact about a field whose path begins here."""

    path: tuple[str, ...]
    """Names only, outermost first; () is what stands here itself."""
    fact: MemoryFact
    back: int = 0
    """Bytes from the object that the fact's expression is about to here."""


class Facts:
    """The facts about what stands in one place."""

    def __init__(self, rows: Iterable[FactHere] = ()) -> None:
        self._rows = tuple(rows)

    def __bool__(self) -> bool:
        return bool(self._rows)

    def __or__(self, other: Facts) -> Facts:
        return Facts((*self._rows, *other._rows)) if other else self

    def inside(self, types: TypeTable, name: str, offset: int, member_type: int) -> Facts:
        """The same, seen from a member. The members of an anonymous one are its holder's."""
        if not self._rows:
            return self
        moved = [replace(row, back=row.back + offset) for row in self._rows if row.path]
        kept = [row for row in self._rows if not row.path and isinstance(row.fact, Precision)]  # of all that is inside
        if name:
            inner = [replace(row, path=row.path[1:]) for row in moved if row.path[0] == name]
            return Facts(kept + [row for row in inner if row.path or not isinstance(row.fact, ActiveMember)])
        names = set(_names(types, member_type))
        return Facts(kept + [row for row in moved if row.path[0] in names])

    def here(self, kind: type[_Kind]) -> tuple[_Kind, int] | None:
        """What is said of what stands here itself, and how far back the object begins that it is about."""
        for row in self._rows:
            if not row.path and isinstance(row.fact, kind):
                return row.fact, row.back
        return None

    @property
    def is_pointer(self) -> bool:
        """Whether a fact says that a pointer stands here, whatever the type says."""
        return self.here(PointsTo) is not None or self.here(TaggedPointer) is not None

    @property
    def is_opaque(self) -> bool:
        """Whether any word may stand here."""
        said = self.here(Precision)
        return said is not None and not said[0].precise

    @property
    def is_precise(self) -> bool:
        """Whether the type is to be believed."""
        said = self.here(Precision)
        return said is not None and said[0].precise

    def active(self) -> Iterator[tuple[str, ActiveMember, int]]:
        """Of a union that stands here: members that may be in use, in the order of the files, with `back`."""
        for row in self._rows:
            if len(row.path) == 1 and isinstance(row.fact, ActiveMember):
                yield row.path[0], row.fact, row.back


NO_FACTS = Facts()


def _names(types: TypeTable, index: int) -> Iterator[str]:
    one = types.strip(index)
    for member in one.members if one is not None else ():
        if member.name:
            yield member.name
        else:
            yield from _names(types, member.type)


class FactIndex:
    """All facts by the type or variable of O that they begin at."""

    def __init__(self, facts: Iterable[MemoryFact] = ()) -> None:
        self.all = tuple(facts)
        self.questions: dict[Conditional, int] = {}
        """The handler that answers what a fact depends on."""
        self._of: dict[tuple[Subject, int], Facts] = {}
        for one in self.all:
            key = one.place.subject, one.place.old
            self._of[key] = self._of.get(key, NO_FACTS) | Facts([FactHere(one.place.old_path, one)])

    def of_type(self, index: int) -> Facts:
        """What is said of every object of a type of O."""
        return self._of.get((Subject.TYPE, index), NO_FACTS)

    def of_variable(self, index: int) -> Facts:
        """What is said of one variable of O."""
        return self._of.get((Subject.VARIABLE, index), NO_FACTS)

    def number_questions(self, first: int) -> None:
        """Says which handlers will answer what facts depend on: from `first` on, in the order of the facts."""
        conditional = [one for one in self.all if isinstance(one, ArrayLength | ActiveMember)]
        self.questions = {one: first + number for number, one in enumerate(dict.fromkeys(conditional))}


def points_to(types: TypeTable, one: DataType, facts: Facts) -> int:
    """What a pointer, or an integer that holds one, leads to: index in O's types, -1 = void."""
    said, tagged = facts.here(PointsTo), facts.here(TaggedPointer)
    if said is not None:
        return said[0].old_type
    if tagged is not None and tagged[0].target >= 0:
        return tagged[0].target
    return one.target if one.kind is TypeKind.POINTER else -1
