"""Renames against both programs."""

from __future__ import annotations

from gdb_mcr.annotations.claims import Claims
from gdb_mcr.annotations.labels import Label
from gdb_mcr.annotations.names import Miss
from gdb_mcr.annotations.pairs import Pair, variable_text
from gdb_mcr.model.place import Place, Side, Subject
from gdb_mcr.model.statement import RenameField, RenameType, RenameVariable
from gdb_mcr.model.written import FieldPath


class RenameChecker:
    """Checks renames and notes them in the pair of programs, for all that comes after."""

    def __init__(self, pair: Pair, claims: Claims) -> None:
        self._pair = pair
        self._claims = claims

    def type(self, one: RenameType) -> None:
        """`rename type Old -> New;`"""
        old = self._claims.found(self._pair.old.type(one.old), one.old.span, bool(self._pair.new.types(one.old)))
        new = self._claims.found(self._pair.new.type(one.new), one.new.span, bool(self._pair.old.types(one.new)))
        if old is None or new is None:
            return
        place = Place(Subject.TYPE, one.old.name, old, new, (), ())
        if self._claims.take(one, (Subject.TYPE, old), str(new)) and self._claims.take(
            one, ("new", Subject.TYPE, new), str(old)
        ):
            self._pair.renames.types[old] = place

    def variable(self, one: RenameVariable) -> None:
        """`rename variable old -> new;`"""
        is_new = bool(self._pair.new.variables(one.old))
        is_old = bool(self._pair.old.variables(one.new))
        old = self._claims.found(self._pair.old.variable(one.old), one.old.span, is_new)
        new = self._claims.found(self._pair.new.variable(one.new), one.new.span, is_old)
        if old is None or new is None:
            return
        place = Place(Subject.VARIABLE, variable_text(one.old), old, new, (), ())
        key = (Subject.VARIABLE, old)
        if self._claims.take(one, key, str(new)) and self._claims.take(one, ("new", Subject.VARIABLE, new), str(old)):
            self._pair.renames.variables[old] = place

    def field(self, one: RenameField) -> None:
        """`rename Type.old -> new;` Types must have been renamed."""
        old = self._claims.found(self._pair.old.type(one.type), one.type.span, bool(self._pair.new.types(one.type)))
        if old is None:
            return
        new = self._pair.new_type(old)
        if new is None:
            message = f"the new program has no type `{one.type}`"
            self._claims.problem(Label.UNKNOWN_TYPE, one.type.span, message, "if it was renamed, `rename type` says so")
            return
        if self._has_fields(Side.OLD, old, one.old, new) and self._has_fields(Side.NEW, new, one.new, old):
            old_path, new_path = _names(one.old), _names(one.new)
            name = self._pair.old.program.types[old].name or one.type.name
            place = Place(Subject.TYPE, name, old, new, old_path, new_path)
            new_key = ("new", new, new_path)
            if self._claims.take(one, (old, old_path), str(new_key)) and self._claims.take(
                one, new_key, str((old, old_path))
            ):
                self._pair.renames.fields[old, old_path] = place

    def _has_fields(self, side: Side, start: int, path: FieldPath, other: int) -> bool:
        here, there = (self._pair.old, self._pair.new) if side is Side.OLD else (self._pair.new, self._pair.old)
        walk = here.walk(start, _names(path))
        if not isinstance(walk, Miss):
            return True
        elsewhere = not isinstance(there.walk(other, _names(path)), Miss)
        self._claims.found(walk, path[walk.step].span, elsewhere)
        return False


def _names(path: FieldPath) -> tuple[str, ...]:
    return tuple(one.name for one in path)
