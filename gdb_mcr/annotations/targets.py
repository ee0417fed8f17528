"""What TARGET means: a field of a type, or a variable or a field of one."""

from __future__ import annotations

from dataclasses import dataclass

from gdb_mcr.annotations.labels import LACKING, Label
from gdb_mcr.annotations.names import Miss, ProgramNames
from gdb_mcr.annotations.pairs import Pair
from gdb_mcr.model.place import Place, Side
from gdb_mcr.model.statement import Target, Treatment, TypeName, TypeTarget, VariableName, VariableTarget
from gdb_mcr.model.written import FieldPath
from gdb_mcr.source import Span, did_you_mean

_OLD_NAMES_HINT = "targets are named as the old program names them"


@dataclass(frozen=True, slots=True)
class MissAt:
    """A miss and the name that it is about."""

    miss: Miss
    span: Span


class TargetResolver:
    """Finds targets in the old program, and their counterparts in the new one."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair

    def resolve(self, target: Target) -> Place | MissAt:
        """The place that ``target`` names."""
        if isinstance(target, TypeTarget):
            return self._type(target.type, target.path)
        if target.certain or target.variable.function:
            return self._variable(target.variable, target.path)
        return self._bare(target)

    def fits(self, treatment: Treatment, place: Place) -> Miss | None:
        """Why ``treatment`` cannot be applied to ``place``, None if it can."""
        exists = place.new >= 0 and not isinstance(self._pair.leaf(place, Side.NEW), Miss)
        if treatment is Treatment.DROP:
            return self._still_exists(place) if exists else None
        if not exists:
            hint = "`drop` gives its value up; `rename` says where it went"
            return Miss(Label.WRONG_SIDE, f"the new program has no `{place.key}`", hint)
        if treatment is Treatment.COUNTER:
            return self._no_counter(place)
        return None

    @staticmethod
    def _still_exists(place: Place) -> Miss:
        hint = f"to start with the new program's value: keep new {place.key};"
        return Miss(Label.STILL_EXISTS, f"the new program still has `{place.key}`", hint)

    def _no_counter(self, place: Place) -> Miss | None:
        for side, names in ((Side.OLD, self._pair.old), (Side.NEW, self._pair.new)):
            leaf = self._pair.leaf(place, side)
            if isinstance(leaf, int) and not names.is_integral(leaf):
                message = f"`{place.key}` is `{names.describe(leaf)}` in the {side.value} program"
                return Miss(Label.NOT_AN_INTEGER, message, "a counter is an integer, or an array of integers")
        return None

    def subject(self, name: TypeName | VariableName, certain: bool) -> TypeName | VariableName | MissAt:
        """Whether a name without a path is a type or a variable of the old program.

        :param certain: it is not to be found out.
        """
        if isinstance(name, TypeName) or certain:
            return name
        old = self._pair.old
        as_type = TypeName(name.name, "", name.file, name.span)
        is_variable, is_type = bool(old.variables(name)), bool(old.types(as_type))
        if is_variable and old.has_typedef(name.name):
            hint = f"write `variable {name}` or `type {name}`"
            miss = Miss(Label.AMBIGUOUS, f"`{name}` is a variable and a type in the old program", hint)
            return MissAt(miss, name.span)
        if is_variable or is_type:
            return name if is_variable else as_type
        return MissAt(self._unknown(name, as_type), name.span)

    # C keeps tags apart from variables and typedefs: a bare name is one of the latter if there is one.
    def _bare(self, target: VariableTarget) -> Place | MissAt:
        name = self.subject(target.variable, certain=False)
        if isinstance(name, MissAt):
            return name
        if isinstance(name, TypeName):
            return self._type(name, target.path)
        return self._variable(name, target.path)

    def _unknown(self, name: VariableName, as_type: TypeName) -> Miss:
        new = self._pair.new
        message = f"the old program has no variable or type `{name}`"
        if new.variables(name) or new.types(as_type):
            return Miss(Label.WRONG_SIDE, f"{message}; only the new one has it", _OLD_NAMES_HINT)
        alone = self._pair.old.variable(name)
        hint = alone.hint if isinstance(alone, Miss) and "::" in alone.hint else ""
        return Miss(Label.UNKNOWN_NAME, message, hint or did_you_mean(name.name, self._pair.old.any_names()))

    def _type(self, name: TypeName, path: FieldPath) -> Place | MissAt:
        old = self._pair.old.type(name)
        if isinstance(old, Miss):
            there = bool(self._pair.new.types(name))
            return MissAt(_wrong_side(old) if there else old, name.span)
        if not path:
            miss = Miss(Label.NEEDS_FIELD, f"`{name}` is a type", f"name one of its fields: `{name}.field`")
            return MissAt(miss, name.span)
        missed = self._path_miss(old, self._pair.new_type(old), path)
        return missed or self._pair.type_place(old, name.name, _names(path))

    def _variable(self, name: VariableName, path: FieldPath) -> Place | MissAt:
        old = self._pair.old.variable(name)
        if isinstance(old, Miss):
            there = bool(self._pair.new.variables(name))
            return MissAt(_wrong_side(old) if there else old, name.span)
        new = self._pair.new_variable(old)
        new_type = self._pair.new.program.variables[new].type if new is not None else None
        missed = self._path_miss(self._pair.old.program.variables[old].type, new_type, path)
        return missed or self._pair.variable_place(old, _names(path))

    def _path_miss(self, old_type: int, new_type: int | None, path: FieldPath) -> MissAt | None:
        walk = self._pair.old.walk(old_type, _names(path))
        if not isinstance(walk, Miss):
            return None
        there = new_type is not None and _has_path(self._pair.new, new_type, path)
        return MissAt(_wrong_side(walk) if there else walk, path[walk.step].span)


def _has_path(names: ProgramNames, start: int, path: FieldPath) -> bool:
    return not isinstance(names.walk(start, _names(path)), Miss)


def _wrong_side(miss: Miss) -> Miss:
    if miss.label not in LACKING:
        return miss
    return Miss(Label.WRONG_SIDE, f"{miss.message}; only the new one has it", _OLD_NAMES_HINT, miss.step)


def _names(path: FieldPath) -> tuple[str, ...]:
    return tuple(one.name for one in path)
