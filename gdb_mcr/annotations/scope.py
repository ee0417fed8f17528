"""Names alone inside expressions: local bindings, constants of enums, variables of the old program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gdb_mcr.annotations.labels import Label
from gdb_mcr.annotations.names import Miss, ProgramNames
from gdb_mcr.annotations.numbers import Bounds, all_values, number_of
from gdb_mcr.annotations.operands import Operand, Spot, Value, constant
from gdb_mcr.annotations.pairs import Pair
from gdb_mcr.annotations.wrong import WrongError
from gdb_mcr.model.datatype import TypeKind, TypeTable
from gdb_mcr.model.expression import INT, AddressOfVariable, Constant, Local, Location, Number, Pointer, ValueType
from gdb_mcr.model.place import Side
from gdb_mcr.model.statement import VariableName
from gdb_mcr.model.written import Name
from gdb_mcr.source import Span, did_you_mean


@dataclass(frozen=True, slots=True)
class Binding:
    """What a local name stands for."""

    local: int
    type: ValueType
    bounds: Bounds | None
    span: Span
    fixed: bool
    """Whether it cannot be assigned to: loops bind so."""


class Constants:
    """The enum constants of one program."""

    def __init__(self, names: ProgramNames) -> None:
        self._found: dict[str, set[tuple[int, Number]]] = {}
        for one in names.program.types:
            if one.kind is TypeKind.ENUM and (number := number_of(one)) is not None:
                for name, value in one.constants:
                    kind = INT if Bounds(value, value).inside(all_values(INT)) else number
                    self._found.setdefault(name, set()).add((value, kind))

    def named(self, name: str) -> set[tuple[int, Number]]:
        """Value and type of each constant of that name; files may have enums of their own."""
        return self._found.get(name, set())

    def names(self) -> Iterator[str]:
        """All names."""
        return iter(self._found)


class Globals:
    """Constants and variables that expressions may name."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.constants = {Side.OLD: Constants(pair.old), Side.NEW: Constants(pair.new)}


class Scope:
    """The names that are visible at one place of a handler."""

    def __init__(self, known: Globals, fields: frozenset[str] = frozenset()) -> None:
        """:param fields: names of the old object's fields, for hints."""
        self._globals = known
        self._fields = fields
        self._visible: dict[str, Binding] = {}
        self.locals: list[ValueType] = []

    def names(self, side: Side) -> ProgramNames:
        """The names of one program."""
        return self._globals.pair.old if side is Side.OLD else self._globals.pair.new

    def types(self, side: Side) -> TypeTable:
        """The types of one program."""
        return self.names(side).program.types

    @contextmanager
    def block(self) -> Iterator[None]:
        """What is bound inside ends with it."""
        before = dict(self._visible)
        yield
        self._visible = before

    def bind(self, name: str, type_: ValueType, bounds: Bounds | None, span: Span, *, fixed: bool = False) -> int:
        """A new local. :raises WrongError: the name is taken."""
        if (other := self._visible.get(name)) is not None:
            message = f"`{name}` is bound already, in line {other.span.line}"
            raise WrongError(Label.DUPLICATE, span, message, f"without `let` a binding gets another value: {name} = …;")
        if name in ("NULL", "true", "false"):
            raise WrongError(Label.DUPLICATE, span, f"`{name}` has its meaning already", "take another name")
        self.locals.append(type_)
        self._visible[name] = Binding(len(self.locals) - 1, type_, bounds, span, fixed)
        return len(self.locals) - 1

    def binding(self, name: str) -> Binding | None:
        """The local of that name."""
        return self._visible.get(name)

    def find(self, wanted: Name) -> Operand:
        """What a name alone stands for.

        :raises WrongError: nothing, or several things.
        """
        if wanted.side is None and not wanted.function:
            return self._bare(wanted)
        if not wanted.function and (found := self._constant(wanted)) is not None:
            return found
        if wanted.side is not Side.OLD:
            raise self._no_variable(wanted)
        return self._variable(wanted)

    def _bare(self, wanted: Name) -> Value:
        binding = self._visible.get(wanted.name)
        if binding is not None:
            return Value(Local(binding.local, binding.type), binding.type, wanted.span, binding.bounds)
        if wanted.name == "NULL":
            return Value(Constant(0, Pointer(Side.OLD, -1)), Pointer(Side.OLD, -1), wanted.span)
        if wanted.name in ("true", "false"):
            return constant(int(wanted.name == "true"), INT, wanted.span)
        found = self._constant(wanted)
        if found is None:
            raise self._unknown(wanted)
        return found

    def _constant(self, wanted: Name) -> Value | None:
        sides = [wanted.side] if wanted.side else [Side.OLD, Side.NEW]
        values = {side: found for side in sides if (found := self._globals.constants[side].named(wanted.name))}
        every = set().union(*values.values()) if values else set()
        if not every:
            return None
        if len(every) == 1:
            ((value, number),) = every
            return constant(value, number, wanted.span)
        if len(values) == 2 and all(len(one) == 1 for one in values.values()):
            ((old, _),), ((new, _),) = values[Side.OLD], values[Side.NEW]
            message = f"`{wanted.name}` is {old} in the old program and {new} in the new one"
            hint = f"write `old::{wanted.name}` or `new::{wanted.name}`"
            raise WrongError(Label.AMBIGUOUS, wanted.span, message, hint)
        message = f"several enums have a constant `{wanted.name}`, with different values"
        raise WrongError(Label.AMBIGUOUS, wanted.span, message, "write the number")

    def _variable(self, wanted: Name) -> Spot:
        names = self._globals.pair.old
        found = names.variable(VariableName(wanted.name, wanted.function, "", wanted.span))
        if isinstance(found, Miss):
            if found.label is Label.AMBIGUOUS:
                raise WrongError(found.label, wanted.span, found.message, "an expression cannot say which")
            hint = found.hint or did_you_mean(wanted.name, self._globals.constants[Side.OLD].names())
            message = f"the old program has no variable or enum constant `{wanted.name}`"
            raise WrongError(found.label, wanted.span, found.message if "::" in found.hint else message, hint)
        one = names.program.variables[found]
        if one.thread_local:
            message = f"`{wanted.name}` is there once for each thread"
            raise WrongError(Label.TYPE_MISMATCH, wanted.span, message)
        address = AddressOfVariable(found, Pointer(Side.OLD, one.type))
        return Spot(Location(Side.OLD, address, 0, (), one.type, one.size), (), wanted.span)

    def _no_variable(self, wanted: Name) -> WrongError:
        message = f"the new program has no enum constant `{wanted.name}`"
        hint = did_you_mean(wanted.name, self._globals.constants[Side.NEW].names())
        if self._globals.pair.new.variables(VariableName(wanted.name, wanted.function, "", wanted.span)):
            message = f"`{wanted.name}` is a variable of the new program"
            hint = "a handler reads the old program, and the one new object that it fills"
        return WrongError(Label.UNKNOWN_NAME, wanted.span, message, hint)

    def _unknown(self, wanted: Name) -> WrongError:
        name = wanted.name
        message = f"nothing here is called `{name}`"
        if name in self._fields:
            return WrongError(Label.UNKNOWN_NAME, wanted.span, message, f"did you mean `old.{name}`?")
        if self._globals.pair.old.variables(VariableName(name, "", "", wanted.span)):
            hint = f"a variable of the old program is written `old::{name}`"
            return WrongError(Label.UNKNOWN_NAME, wanted.span, message, hint)
        known = [*self._visible, *(one for side in Side for one in self._globals.constants[side].names())]
        return WrongError(Label.UNKNOWN_NAME, wanted.span, message, did_you_mean(name, known))
