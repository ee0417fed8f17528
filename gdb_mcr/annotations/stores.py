"""What a step may store where: the rules of assignment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gdb_mcr.annotations.expressions import ExpressionChecker
from gdb_mcr.annotations.labels import Label
from gdb_mcr.annotations.numbers import EXACT_IN_DOUBLE, Bounds, all_values, number_text
from gdb_mcr.annotations.operands import AGGREGATES, Operand, Spot, Value, converted, is_null, logical_not, stored_type
from gdb_mcr.annotations.scope import Scope
from gdb_mcr.annotations.wrong import WrongError
from gdb_mcr.model.datatype import DataType, TypeKind
from gdb_mcr.model.expression import Call, Constant, Number, Pointer, ValueType
from gdb_mcr.model.handler import Convert, Store
from gdb_mcr.model.place import Side
from gdb_mcr.source import Span

_CAST_HINT = "`fits(…)` has every value checked as it is stored, a cast cuts it off as C does"


class StoreChecker:
    """Checks what is stored into N's object.

    :param new_type: the new program's form of an old struct, union or enum, by index.
    """

    def __init__(self, scope: Scope, expressions: ExpressionChecker, new_type: Callable[[int], int | None]) -> None:
        self._scope = scope
        self._expressions = expressions
        self._new_type = new_type

    def store(self, to: Spot, operand: Operand, span: Span, *, checked: bool) -> Store | Convert:
        """`to = operand;`

        :param checked: values that do not fit end the handler instead of being refused here.
        :raises WrongError: the one does not go into the other.
        """
        held = stored_type(self._scope.types(Side.NEW), to.location)
        if isinstance(operand, Spot) and (held is None or self._by_name(to, operand)):
            return self._convert(to, operand, span)
        value = self._expressions.loaded(operand)
        if held is None:
            raise self._mismatch(to, value)
        return Store(to.location, self.fitted(value, held, to, checked=checked).expression, held, span)

    def fitted(self, value: Value, held: ValueType, to: Spot | None, *, checked: bool = False) -> Value:
        """A value for a place of type ``held``, or for a local if ``to`` is None. :raises WrongError:"""
        if isinstance(held, Pointer):
            return self._pointer(value, held, to)
        if isinstance(value.type, Pointer):
            raise self._mismatch(to, value, "cast it: `(unsigned long)pointer`; the new program's address is another")
        if held.floating or value.type.floating:
            return self._floating(value, value.type, held)
        if held.boolean:
            return value if value.bounds and value.bounds.inside(Bounds(0, 1)) else logical_not(logical_not(value))
        if not checked:
            self._fits(value, held, to.location.bit_size if to else 0)
        return value if to else converted(value, held)

    # An integer whose possible values are all among those of the place.
    @staticmethod
    def _fits(value: Value, held: Number, bits: int) -> None:
        room = all_values(held, bits)
        if value.bounds is None or value.bounds.inside(room):
            return
        what = f"a bit field of {bits}" if bits else f"`{number_text(held)}`"
        if value.only is not None:
            message = f"{value.only} does not fit into {what}"
        else:
            message = f"`{number_text(value.type)}` does not fit into {what}: it may be {_example(value.bounds, room)}"
        only_sign = value.bounds.low < room.low and value.bounds.high <= room.high and room.low == 0
        raise WrongError(Label.LOST_SIGN if only_sign else Label.LOST_PRECISION, value.span, message, _CAST_HINT)

    @staticmethod
    def _floating(value: Value, given: Number, held: Number) -> Value:
        if not held.floating:
            hint = "a cast cuts off what is behind the point"
            message = f"`{number_text(given)}` does not fit into `{number_text(held)}`"
            raise WrongError(Label.LOST_PRECISION, value.span, message, hint)
        exact = EXACT_IN_DOUBLE if held.size == 8 else 1 << 24
        if value.bounds is not None and not value.bounds.inside(Bounds(-exact, exact)):
            message = f"`{number_text(held)}` does not hold every `{number_text(given)}`"
            raise WrongError(Label.LOST_PRECISION, value.span, message, "a cast rounds it")
        if given.floating and given.size > held.size and not isinstance(value.expression, Constant):
            raise WrongError(Label.LOST_PRECISION, value.span, "`double` does not fit into `float`", "a cast rounds it")
        return converted(value, held)

    def _pointer(self, value: Value, held: Pointer, to: Spot | None) -> Value:
        if is_null(value):
            return Value(Constant(0, held), held, value.span)
        if isinstance(value.expression, Call) and to is not None:
            # What a function of the library makes is in N.
            kind = Pointer(Side.NEW, -1)
            return Value(replace(value.expression, type=kind), kind, value.span)
        if not isinstance(value.type, Pointer):
            raise self._mismatch(to, value, "a cast says that it is an address: `(T *)value`")
        if to is None:
            if value.type.side is not held.side:
                raise WrongError(Label.TYPE_MISMATCH, value.span, "an address of the other program's")
            return value
        if not self._same_target(value.type, held):
            raise self._mismatch(to, value, "a cast to `(void *)` says that it is meant")
        return value

    # Whether what the old pointer leads to is what the new one is declared to lead to.
    def _same_target(self, given: Pointer, held: Pointer) -> bool:
        one = self._scope.types(given.side).strip(given.target)
        other = self._scope.types(held.side).strip(held.target)
        if one is None or other is None:
            return True
        return one == other if given.side is held.side else self._alike(one, other)

    def _alike(self, old: DataType, new: DataType) -> bool:
        if old.kind in (*AGGREGATES, TypeKind.ENUM):
            return self._new_type(old.index) == new.index or (new.kind is old.kind and new.name == old.name != "")
        if TypeKind.CHARACTER in (old.kind, new.kind):
            return old.size == new.size
        if old.kind is TypeKind.POINTER and new.kind is TypeKind.POINTER:
            return self._same_target(Pointer(Side.OLD, old.target), Pointer(Side.NEW, new.target))
        return old.kind is new.kind and (old.size, old.signed) == (new.size, new.signed)

    # Enums and pointers to functions are carried over by name.
    def _by_name(self, to: Spot, operand: Spot) -> bool:
        if operand.location.side is Side.NEW or operand.location.base is not None:
            return False
        old, new = self._strip(operand), self._strip(to)
        if old is None or new is None or old.kind is not new.kind:
            return False
        if old.kind is TypeKind.ENUM:
            return True
        target = self._scope.types(Side.OLD).strip(old.target) if old.kind is TypeKind.POINTER else None
        return target is not None and target.kind is TypeKind.FUNCTION

    def _convert(self, to: Spot, operand: Spot, span: Span) -> Convert:
        old, new = self._strip(operand), self._strip(to)
        if operand.location.side is Side.NEW or operand.location.base is not None:
            message = "only a part of the old object is carried over as a whole"
            hint = "a handler of its own says what becomes of another object"
            raise WrongError(Label.TYPE_MISMATCH, operand.span, message, hint)
        if old is None or new is None or old.kind is not new.kind or not self._parts_alike(old, new):
            there, here = self._expressions.describe(to), self._expressions.describe(operand)
            hint = "assign field by field, or say `rename type` if the one became the other"
            raise WrongError(Label.TYPE_MISMATCH, span, f"`{here}` does not become `{there}`", hint)
        if old.kind is TypeKind.ARRAY and old.count > new.count >= 0:
            message = f"{old.count} elements do not fit into {new.count}"
            raise WrongError(Label.LOST_PRECISION, span, message, "assign in a loop over the new array")
        self._expressions.note_read(operand)
        return Convert(to.location, operand.location, span)

    def _parts_alike(self, old: DataType, new: DataType) -> bool:
        if old.kind is TypeKind.ARRAY:
            one = self._scope.types(Side.OLD).strip(old.target)
            other = self._scope.types(Side.NEW).strip(new.target)
            return one is not None and other is not None and one.kind is other.kind and self._parts_alike(one, other)
        if old.kind in AGGREGATES:
            return self._alike(old, new) or (not old.name and not new.name)
        return True

    def _strip(self, spot: Spot) -> DataType | None:
        return self._scope.types(spot.location.side).strip(spot.location.type)

    def _mismatch(self, to: Spot | None, value: Value, hint: str = "") -> WrongError:
        given = self._expressions.describe(value)
        there = f"`{self._expressions.describe(to)}`" if to else "this binding"
        return WrongError(Label.TYPE_MISMATCH, value.span, f"`{given}` does not go into {there}", hint)


def _example(bounds: Bounds, room: Bounds) -> int:
    return bounds.high if bounds.high > room.high else bounds.low
