"""Expressions of annotations to steps of the engine's register machine.

A register holds an integer extended by the sign of its type, an address, or a floating point number as double; results
are brought back to their type's size by a step of their own. Source: C11 6.3 and 6.5; `native/engine/handlers.h`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import assert_never

from gdb_mcr.engine.handler_records import Form, StepCode
from gdb_mcr.model.expression import (
    AddressOf,
    AddressOfVariable,
    Binary,
    BinaryOperator,
    Call,
    Cast,
    Conditional,
    Constant,
    Expression,
    Load,
    Local,
    Location,
    Number,
    Term,
    Unary,
    UnaryOperator,
    ValueType,
)
from gdb_mcr.model.place import Side
from gdb_mcr.tracing.steps import NOWHERE, StepWriter
from gdb_mcr.units import WORD

_INTEGERS = {
    BinaryOperator.ADD: StepCode.ADD,
    BinaryOperator.SUBTRACT: StepCode.SUBTRACT,
    BinaryOperator.MULTIPLY: StepCode.MULTIPLY,
    BinaryOperator.DIVIDE: StepCode.DIVIDE,
    BinaryOperator.REMAINDER: StepCode.REMAINDER,
    BinaryOperator.AND: StepCode.AND,
    BinaryOperator.OR: StepCode.OR,
    BinaryOperator.XOR: StepCode.XOR,
    BinaryOperator.SHIFT_LEFT: StepCode.SHIFT_LEFT,
    BinaryOperator.SHIFT_RIGHT: StepCode.SHIFT_RIGHT,
    BinaryOperator.EQUAL: StepCode.EQUAL,
    BinaryOperator.LESS: StepCode.LESS,
}
_UNSIGNED = {
    StepCode.DIVIDE: StepCode.DIVIDE_UNSIGNED,
    StepCode.REMAINDER: StepCode.REMAINDER_UNSIGNED,
    StepCode.SHIFT_RIGHT: StepCode.SHIFT_RIGHT_UNSIGNED,
    StepCode.LESS: StepCode.LESS_UNSIGNED,
}
_FLOATS = {
    BinaryOperator.ADD: StepCode.FLOAT_ADD,
    BinaryOperator.SUBTRACT: StepCode.FLOAT_SUBTRACT,
    BinaryOperator.MULTIPLY: StepCode.FLOAT_MULTIPLY,
    BinaryOperator.DIVIDE: StepCode.FLOAT_DIVIDE,
    BinaryOperator.EQUAL: StepCode.FLOAT_EQUAL,
    BinaryOperator.LESS: StepCode.FLOAT_LESS,
    BinaryOperator.LESS_EQUAL: StepCode.FLOAT_LESS_EQUAL,
}
_COMPARISONS = (BinaryOperator.EQUAL, BinaryOperator.LESS, BinaryOperator.LESS_EQUAL)
_SHIFTS = (BinaryOperator.SHIFT_LEFT, BinaryOperator.SHIFT_RIGHT)
_RING = (BinaryOperator.ADD, BinaryOperator.SUBTRACT, BinaryOperator.MULTIPLY)
"""What of its operands needs no more bits than its result has."""
_KEEPS_SIZE = (BinaryOperator.AND, BinaryOperator.OR, BinaryOperator.XOR, BinaryOperator.SHIFT_RIGHT)
"""What leaves integers of its type extended as they were."""


class Evaluator:
    """Compiles expressions into one handler."""

    def __init__(self, writer: StepWriter, address_of: Callable[[int], int]) -> None:
        """:param address_of: where a variable of O, by its index, stands in memory."""
        self._writer = writer
        self._address_of = address_of

    def value(self, one: Expression) -> int:
        """The register that holds the value; a local's own, or a new one."""
        match one:
            case Local():
                return one.index
            case Constant():
                return self._writer.constant(_bits(one))
            case Load():
                return self._load(one)
            case AddressOf():
                return self._address(one.location)
            case AddressOfVariable():
                return self._writer.constant(self._address_of(one.variable))
            case Cast():
                return self.cast(one.value, one.type)
            case Unary():
                return self._unary(one)
            case Binary():
                return self._binary(one)
            case Conditional():
                return self._conditional(one)
            case Call():
                return self._writer.call(one.function, [partial(self.value, argument) for argument in one.arguments])
            case _:
                assert_never(one)

    # ---- places

    def offset(self, location: Location) -> int:
        """The register to add to a place's offset in the object that is handled, NOWHERE if there is none."""
        return self._sum(location.terms) if location.terms else NOWHERE

    def whole_offset(self, location: Location) -> int:
        """A register with a place's offset in the object that is handled."""
        return self._plus(self._sum(location.terms), location.offset)

    def _address(self, location: Location) -> int:
        base = self._own_address() if location.base is None else self.value(location.base)
        if not location.terms:
            return self._plus(base, location.offset)
        terms = self._sum(location.terms)
        self._writer.emit(StepCode.ADD, terms, terms, base)
        return self._plus(terms, location.offset)

    def _own_address(self) -> int:
        to = self._writer.register()
        self._writer.emit(StepCode.SELF, to)
        return to

    # What the indices on the way to a place add up to, in a new register.
    def _sum(self, terms: Sequence[Term]) -> int:
        total = self._writer.constant(0)
        for term in terms:
            mark = self._writer.mark
            index = self.value(term.index)
            if term.bound >= 0:
                self._writer.emit(StepCode.BOUND, left=index, value=term.bound)
            step = self._writer.constant(term.stride)
            self._writer.emit(StepCode.MULTIPLY, step, step, index)
            self._writer.emit(StepCode.ADD, total, total, step)
            self._writer.release(mark)
        return total

    def _plus(self, left: int, number: int) -> int:
        to = self._writer.constant(number)
        self._writer.emit(StepCode.ADD, to, to, left)
        return to

    def _load(self, one: Load) -> int:
        place = one.location
        form = (place.bit_offset + place.bit_size + 7) // 8 if place.bit_size else form_of(one.type)
        to = self._writer.register()
        mark = self._writer.mark
        if place.base is None:
            code = StepCode.LOAD_OLD if place.side is Side.OLD else StepCode.LOAD_NEW
            self._writer.emit(code, to, self.offset(place), form, at=place.offset)
        else:
            self._writer.emit(StepCode.READ, to, self._address(place), form)
        if place.bit_size:
            self._pick_bits(to, place, one.type)
        self._writer.release(mark)
        return to

    def _pick_bits(self, to: int, place: Location, kind: ValueType) -> None:
        by = self._writer.constant(place.bit_offset)
        self._writer.emit(StepCode.SHIFT_RIGHT_UNSIGNED, to, to, by, at=64)
        self._writer.emit(StepCode.EXTEND, to, to, int(_is_signed(kind)), at=place.bit_size)

    # ---- operators

    def cast(self, value: Expression, kind: ValueType) -> int:
        """The value as one of another type."""
        source, register = value.type, self.value(value)
        if not isinstance(kind, Number) or not isinstance(source, Number):
            return register  # addresses are eight bytes, and so is what they become
        if kind.boolean:
            return self._not(self._not(register, source), Number(4, signed=True))
        if source.floating:
            return self._from_float(register, kind)
        if kind.floating:
            code = StepCode.FLOAT_OF if source.signed else StepCode.FLOAT_OF_UNSIGNED
            return self._rounded(self._one(code, register), kind)
        is_wider = kind.size > source.size and (kind.signed or not source.signed)
        return register if is_wider or kind.size == WORD else self._fit(register, kind)

    def _from_float(self, register: int, kind: Number) -> int:
        if kind.floating:
            return self._rounded(register, kind)
        to = self._one(StepCode.FLOAT_TO if kind.signed else StepCode.FLOAT_TO_UNSIGNED, register)
        return self._fit(to, kind)

    def _unary(self, one: Unary) -> int:
        operand = self.value(one.value)
        if one.operator is UnaryOperator.NOT:
            return self._not(operand, one.value.type)
        is_float = isinstance(one.type, Number) and one.type.floating
        if is_float:
            other, code = self._writer.constant(_double(-1.0)), StepCode.FLOAT_MULTIPLY
        elif one.operator is UnaryOperator.NEGATE:
            other, code = self._writer.constant(-1), StepCode.MULTIPLY
        else:
            other, code = self._writer.constant(-1), StepCode.XOR
        self._writer.emit(code, other, other, operand)
        return other if is_float else self._fit(other, one.type)

    def _not(self, operand: int, kind: ValueType) -> int:
        is_float = isinstance(kind, Number) and kind.floating
        zero = self._writer.constant(0)
        self._writer.emit(StepCode.FLOAT_EQUAL if is_float else StepCode.EQUAL, zero, zero, operand)
        return zero

    def _binary(self, one: Binary, *, settles: bool = True) -> int:
        to = self._writer.register()
        mark = self._writer.mark
        operand = self._low_bits if one.operator in _RING else self.value
        left, right = operand(one.left), operand(one.right)
        kind = one.left.type
        if isinstance(kind, Number) and kind.floating:
            self._writer.emit(_FLOATS[one.operator], to, left, right)
        elif one.operator is BinaryOperator.LESS_EQUAL:
            self._compare(StepCode.LESS, kind, to, right, left)
            self._writer.emit(StepCode.EQUAL, to, to, self._writer.constant(0))
        elif one.operator in _COMPARISONS:
            self._compare(_INTEGERS[one.operator], kind, to, left, right)
        else:
            bits = size_of(kind) * 8 if one.operator in _SHIFTS else 0
            self._writer.emit(_by_sign(_INTEGERS[one.operator], kind), to, left, right, at=bits)
        self._writer.release(mark)
        if settles:
            self._settle(one, to)
        return to

    # The value of an operand of which only the bits of its type count: sums of sums are cut to their size once.
    def _low_bits(self, one: Expression) -> int:
        is_integer = isinstance(one.type, Number) and not one.type.floating
        if isinstance(one, Binary) and one.operator in _RING and is_integer:
            return self._binary(one, settles=False)
        return self.value(one)

    def _compare(self, code: StepCode, kind: ValueType, to: int, left: int, right: int) -> None:
        self._writer.emit(_by_sign(code, kind), to, left, right)

    # The result of an operation as its type has it.
    def _settle(self, one: Binary, to: int) -> None:
        kind = one.type
        if one.operator in _COMPARISONS or not isinstance(kind, Number):
            return
        if kind.floating and kind.size < WORD:
            self._writer.emit(StepCode.FLOAT_ROUND, to, to)
        elif not kind.floating and kind.size < WORD and one.operator not in _KEEPS_SIZE:
            self._writer.emit(StepCode.EXTEND, to, to, int(kind.signed), at=kind.size * 8)

    def _conditional(self, one: Conditional) -> int:
        to = self._writer.register()
        mark = self._writer.mark
        otherwise = self._writer.jump(StepCode.JUMP_ZERO, self.value(one.condition))
        self._writer.release(mark)
        self._writer.emit(StepCode.MOVE, to, self.value(one.then))
        self._writer.release(mark)
        end = self._writer.jump()
        self._writer.land(otherwise)
        self._writer.emit(StepCode.MOVE, to, self.value(one.otherwise))
        self._writer.release(mark)
        self._writer.land(end)
        return to

    def _one(self, code: StepCode, left: int) -> int:
        to = self._writer.register()
        self._writer.emit(code, to, left)
        return to

    def _rounded(self, register: int, kind: Number) -> int:
        return register if kind.size == WORD else self._one(StepCode.FLOAT_ROUND, register)

    # Cut to the type's size, in a new register: the old one may be a local's.
    def _fit(self, register: int, kind: ValueType) -> int:
        if size_of(kind) == WORD:
            return register
        to = self._writer.register()
        self._writer.emit(StepCode.EXTEND, to, register, int(_is_signed(kind)), at=size_of(kind) * 8)
        return to


def form_of(kind: ValueType) -> int:
    """How a value of a type stands in memory: `enum mcr_form` and its size."""
    if not isinstance(kind, Number):
        return WORD
    form = kind.size
    if kind.floating:
        form |= Form.FLOAT
    elif kind.boolean:
        form |= Form.BOOL
    elif kind.signed:
        form |= Form.SIGNED
    return form


def size_of(kind: ValueType) -> int:
    """Bytes of a value of a type."""
    return kind.size if isinstance(kind, Number) else WORD


def _is_signed(kind: ValueType) -> bool:
    return isinstance(kind, Number) and kind.signed and not kind.boolean


def _by_sign(code: StepCode, kind: ValueType) -> StepCode:
    return code if _is_signed(kind) else _UNSIGNED.get(code, code)


def _bits(one: Constant) -> int:
    if isinstance(one.type, Number) and one.type.floating:
        return _double(float(one.value))
    return _wrapped(int(one.value), one.type)


# As a register holds it: `-5U` is a large number.
def _wrapped(value: int, kind: ValueType) -> int:
    bits = size_of(kind) * 8
    value &= (1 << bits) - 1
    return value - (1 << bits) if _is_signed(kind) and value >> bits - 1 else value


def _double(value: float) -> int:
    return int.from_bytes(struct.pack("<d", value), "little")
