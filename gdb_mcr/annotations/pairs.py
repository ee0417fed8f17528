"""Where a name of the old program is in the new one, renames considered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gdb_mcr.annotations.names import Miss, ProgramNames
from gdb_mcr.model.place import Place, Side, Subject
from gdb_mcr.model.program import Program
from gdb_mcr.model.statement import TypeName, VariableName
from gdb_mcr.source import Span

Path = tuple[str, ...]


@dataclass(slots=True)
class Renames:
    """The renames that checked so far."""

    types: dict[int, Place] = field(default_factory=dict)
    """By index in the old program's types."""
    variables: dict[int, Place] = field(default_factory=dict)
    fields: dict[tuple[int, Path], Place] = field(default_factory=dict)
    """By aggregate and path inside it."""


class Pair:
    """Both programs, and the way from the old one to the new one."""

    def __init__(self, old: Program, new: Program) -> None:
        self.old = ProgramNames(old, Side.OLD)
        self.new = ProgramNames(new, Side.NEW)
        self.renames = Renames()

    def new_type(self, old_type: int) -> int | None:
        """The new program's form of an old aggregate."""
        renamed = self.renames.types.get(old_type)
        if renamed is not None:
            return renamed.new
        one = self.old.program.types[old_type]
        return self.new.same_type(one, TypeName(one.name, "", "", _NOWHERE))

    def new_variable(self, old_variable: int) -> int | None:
        """The new program's form of an old variable."""
        renamed = self.renames.variables.get(old_variable)
        if renamed is not None:
            return renamed.new
        return self.new.same_variable(self.old.program.variables[old_variable])

    def new_path(self, names: Sequence[str], holders: Sequence[int]) -> Path:
        """An old field path in the new program's names; it need not exist there.

        :param holders: for each name, the old aggregate that has it.
        """
        for count in range(len(names), 0, -1):
            place = self.renames.fields.get((holders[0], tuple(names[:count])))
            if place is not None:
                return (*place.new_path, *self.new_path(names[count:], holders[count:]))
        return (names[0], *self.new_path(names[1:], holders[1:])) if names else ()

    def type_place(self, old_type: int, name: str, path: Path) -> Place:
        """A field of an old type, by the type's own name if it has one; without its new side where there is none."""
        return self._place(
            Subject.TYPE,
            self.old.program.types[old_type].name or name,
            old_type,
            self.new_type(old_type),
            old_type,
            path,
        )

    def variable_place(self, old_variable: int, path: Path) -> Place:
        """An old variable or a field of it; without its new side where there is none."""
        variable = self.old.program.variables[old_variable]
        name = f"{variable.function}::{variable.name}" if variable.function else variable.name
        new = self.new_variable(old_variable)
        return self._place(Subject.VARIABLE, name, old_variable, new, variable.type, path)

    def leaf(self, place: Place, side: Side) -> int | Miss:
        """The type at the end of a place's path, on a side where its subject exists."""
        names = self.old if side is Side.OLD else self.new
        index, path = (place.old, place.old_path) if side is Side.OLD else (place.new, place.new_path)
        start = names.program.variables[index].type if place.subject is Subject.VARIABLE else index
        walk = names.walk(start, path)
        return walk if isinstance(walk, Miss) else walk.leaf

    def _place(self, subject: Subject, name: str, old: int, new: int | None, start: int, path: Path) -> Place:
        walk = self.old.walk(start, path)
        if isinstance(walk, Miss):
            raise AssertionError(f"{name}.{'.'.join(path)} was not checked")
        if new is None:
            return Place(subject, name, old, -1, path, ())
        return Place(subject, name, old, new, path, self.new_path(path, walk.holders))


_NOWHERE = Span("", 0, 0, 0, 0)


def variable_text(name: VariableName) -> str:
    """The name as `Place.name` has it."""
    return f"{name.function}::{name.name}" if name.function else name.name
