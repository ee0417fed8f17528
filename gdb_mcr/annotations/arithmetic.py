"""What operators make of values: conversions, result types and bounds (C11 6.5)."""

from __future__ import annotations

from gdb_mcr.annotations.labels import Label
from gdb_mcr.annotations.numbers import TRUTH, Bounds, all_values, common, number_text, promoted
from gdb_mcr.annotations.operands import Value, converted, is_null, logical_not, truth
from gdb_mcr.annotations.wrong import WrongError
from gdb_mcr.model.datatype import TypeTable
from gdb_mcr.model.expression import (
    INT,
    LONG,
    Binary,
    BinaryOperator,
    Cast,
    Conditional,
    Constant,
    Load,
    Number,
    Pointer,
    Unary,
    UnaryOperator,
)
from gdb_mcr.model.place import Side
from gdb_mcr.source import Span

COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">="})
_SHIFTS = frozenset({"<<", ">>"})
_INTEGERS_ONLY = frozenset({"%", "&", "|", "^", "<<", ">>"})


def promote(value: Value) -> Value:
    """An integer as C calculates with it. Of a bit field its width counts, not its type."""
    if not isinstance(value.type, Number):
        return value
    bits = value.expression.location.bit_size if isinstance(value.expression, Load) else 0
    return converted(value, promoted(value.type, bits))


def unary(operator: str, value: Value, span: Span) -> Value:
    """`-`, `~` or `!`"""
    if operator == "!":
        return _at(logical_not(value), span)
    if not isinstance(value.type, Number) or (operator == "~" and value.type.floating):
        raise _no_operand(operator, value)
    value = promote(value)
    number = value.type
    assert isinstance(number, Number)
    bounds = None
    if value.bounds is not None:
        low, high = value.bounds.low, value.bounds.high
        bounds = _within(Bounds(-high, -low) if operator == "-" else Bounds(~high, ~low), number)
    if bounds is not None and bounds.only is not None:
        return Value(Constant(bounds.low, number), number, span, bounds)
    if isinstance(value.expression, Constant) and operator == "-":
        return Value(Constant(-value.expression.value, number), number, span, bounds)
    return Value(Unary(UnaryOperator(operator), value.expression, number), number, span, bounds)


def binary(operator: str, left: Value, right: Value, span: Span, old: TypeTable) -> Value:
    """Any operator between two values.

    :param old: the old program's types, for additions to pointers.
    """
    if operator in ("&&", "||"):
        return _logical(operator, left, right, span)
    if isinstance(left.type, Pointer) or isinstance(right.type, Pointer):
        return _with_pointers(operator, left, right, span, old)
    if operator in _INTEGERS_ONLY:
        for one in (left, right):
            if isinstance(one.type, Number) and one.type.floating:
                raise _no_operand(operator, one)
    left, right = promote(left), promote(right)
    if operator in _SHIFTS:
        return _shift(operator, left, right, span)
    left, right = _alike(left, right)
    return _comparison(operator, left, right, span) if operator in COMPARISONS else _number(operator, left, right, span)


def choice(condition: Value, then: Value, otherwise: Value, span: Span) -> Value:
    """`condition ? then : otherwise`"""
    if isinstance(then.type, Number) and isinstance(otherwise.type, Number):
        then, otherwise = _alike(promote(then), promote(otherwise))
    else:
        then, otherwise = _pointers_alike(then, otherwise, span)
    bounds = then.bounds.joined(otherwise.bounds) if then.bounds and otherwise.bounds else None
    made = Conditional(truth(condition).expression, then.expression, otherwise.expression, then.type)
    return Value(made, then.type, span, bounds)


def _logical(operator: str, left: Value, right: Value, span: Span) -> Value:
    one = truth(right)
    right = one if one.bounds is not None and one.bounds.inside(TRUTH) else logical_not(logical_not(right))
    known = Constant(0 if operator == "&&" else 1, INT)
    then, otherwise = (right.expression, known) if operator == "&&" else (known, right.expression)
    return Value(Conditional(truth(left).expression, then, otherwise, INT), INT, span, TRUTH)


# Comparisons, sums and differences; what else is done with an address is done after a cast to a number.
def _with_pointers(operator: str, left: Value, right: Value, span: Span, old: TypeTable) -> Value:
    if operator in COMPARISONS:
        return _comparison(operator, *_pointers_alike(left, right, span), span)
    if operator == "+" and isinstance(right.type, Pointer) and isinstance(left.type, Number):
        left, right = right, left
    if operator == "-" and isinstance(left.type, Pointer) and isinstance(right.type, Pointer):
        return _distance(left, right, span, old)
    if operator not in ("+", "-") or not isinstance(left.type, Pointer) or not _is_integer(right):
        raise _no_operand(operator, left if isinstance(left.type, Pointer) else right)
    if left.type.side is Side.NEW:
        raise WrongError(Label.TYPE_MISMATCH, left.span, "a pointer of the new program's is only copied and compared")
    size = Value(Constant(_element_size(left, old), LONG), LONG, right.span)
    scaled = right.expression if size.expression == Constant(1, LONG) else None
    wide = converted(right, LONG)
    moved = (scaled and wide.expression) or Binary(BinaryOperator.MULTIPLY, wide.expression, size.expression, LONG)
    return Value(Binary(BinaryOperator(operator), left.expression, moved, left.type), left.type, span)


def _distance(left: Value, right: Value, span: Span, old: TypeTable) -> Value:
    _pointers_alike(left, right, span)
    size = Constant(_element_size(left, old), LONG)
    bytes_between = Binary(BinaryOperator.SUBTRACT, Cast(left.expression, LONG), Cast(right.expression, LONG), LONG)
    made = Binary(BinaryOperator.DIVIDE, bytes_between, size, LONG)
    return Value(made, LONG, span, all_values(LONG))


def _element_size(pointer: Value, old: TypeTable) -> int:
    assert isinstance(pointer.type, Pointer)
    one = old.strip(pointer.type.target)
    if one is None:
        return 1  # as GCC counts behind a void *
    if not one.size:
        message = "what this pointer leads to has no size in the old program"
        raise WrongError(Label.INCOMPLETE_TYPE, pointer.span, message, "cast it to `(char *)` to count bytes")
    return one.size


def _pointers_alike(left: Value, right: Value, span: Span) -> tuple[Value, Value]:
    if is_null(left) and isinstance(right.type, Pointer):
        return Value(Constant(0, right.type), right.type, left.span), right
    if is_null(right) and isinstance(left.type, Pointer):
        return left, Value(Constant(0, left.type), left.type, right.span)
    if not isinstance(left.type, Pointer) or not isinstance(right.type, Pointer):
        message = f"{number_text(left.type)} and {number_text(right.type)} do not go together"
        raise WrongError(Label.TYPE_MISMATCH, span, message, "cast the pointer: `(unsigned long)pointer`")
    if left.type.side is not right.type.side:
        message = "an address of the old program's and one of the new program's do not go together"
        raise WrongError(Label.TYPE_MISMATCH, span, message)
    return left, right


def _alike(left: Value, right: Value) -> tuple[Value, Value]:
    assert isinstance(left.type, Number)
    assert isinstance(right.type, Number)
    number = common(left.type, right.type)
    return converted(left, number), converted(right, number)


def _shift(operator: str, left: Value, right: Value, span: Span) -> Value:
    number = left.type
    assert isinstance(number, Number)
    if right.bounds is not None and not (right.bounds.high >= 0 and right.bounds.low < 8 * number.size):
        message = f"`{number_text(number)}` has {8 * number.size} bits"
        raise WrongError(Label.BAD_NUMBER, right.span, message, "cast what is shifted to a wider type")
    bounds = all_values(number)
    if right.bounds and left.bounds and right.bounds.low >= 0 and right.bounds.high < 8 * number.size:
        ends = [_shifted(operator, one, by) for one in _ends(left) for by in _ends(right)]
        bounds = _within(Bounds(min(ends), max(ends)), number) or bounds
    return _made(operator, left, right, number, span, bounds)


def _shifted(operator: str, value: int, by: int) -> int:
    return value << by if operator == "<<" else value >> by


def _comparison(operator: str, left: Value, right: Value, span: Span) -> Value:
    if operator == "!=":
        return _at(logical_not(_comparison("==", left, right, span)), span)
    if operator in (">", ">="):
        return _comparison({">": "<", ">=": "<="}[operator], right, left, span)
    made = Binary(BinaryOperator(operator), left.expression, right.expression, INT)
    return Value(made, INT, span, _compared(operator, left.bounds, right.bounds))


# What the bounds of two integers say of their comparison.
def _compared(operator: str, left: Bounds | None, right: Bounds | None) -> Bounds:
    if left is None or right is None:
        return TRUTH
    if operator == "==":
        certain = left.only is not None and left == right
        impossible = left.high < right.low or right.high < left.low
    elif operator == "<":
        certain, impossible = left.high < right.low, left.low >= right.high
    else:
        certain, impossible = left.high <= right.low, left.low > right.high
    return Bounds(int(certain), int(not impossible))


def _number(operator: str, left: Value, right: Value, span: Span) -> Value:
    number = left.type
    assert isinstance(number, Number)
    if operator in "/%" and right.only == 0:
        raise WrongError(Label.BAD_NUMBER, right.span, "a division by zero")
    bounds = None
    if not number.floating:
        bounds = _within(_result(operator, left, right), number) or all_values(number)
    return _made(operator, left, right, number, span, bounds)


# Bounds of what comes out if it does not wrap around; None if that is hard to say.
def _result(operator: str, left: Value, right: Value) -> Bounds | None:
    if left.bounds is None or right.bounds is None:
        return None
    one, other = left.bounds, right.bounds
    match operator:
        case "+":
            return Bounds(one.low + other.low, one.high + other.high)
        case "-":
            return Bounds(one.low - other.high, one.high - other.low)
        case "*":
            ends = [a * b for a in _ends(left) for b in _ends(right)]
            return Bounds(min(ends), max(ends))
        case "/" if other.low > 0:
            ends = [_quotient(a, b) for a in _ends(left) for b in _ends(right)]
            return Bounds(min(ends), max(ends))
        case "%" if other.low > 0:
            return Bounds(0 if one.low >= 0 else 1 - other.high, other.high - 1)
        case "&" if one.low >= 0 or other.low >= 0:
            tops = [bounds.high for bounds in (one, other) if bounds.low >= 0]
            return Bounds(0, min(tops))
        case "|" | "^" if one.low >= 0 and other.low >= 0:
            return Bounds(0, (1 << max(one.high, other.high).bit_length()) - 1)
    return None


# C's division is towards zero.
def _quotient(left: int, right: int) -> int:
    return abs(left) // right * (1 if left >= 0 else -1)


def _ends(value: Value) -> tuple[int, int]:
    assert value.bounds is not None
    return value.bounds.low, value.bounds.high


def _within(bounds: Bounds | None, number: Number) -> Bounds | None:
    if number.floating or bounds is None:
        return None
    return bounds if bounds.inside(all_values(number)) else all_values(number)


# A constant where there is only one value, so that masks, indices and lengths may be calculated.
def _made(operator: str, left: Value, right: Value, number: Number, span: Span, bounds: Bounds | None) -> Value:
    if left.only is not None and right.only is not None and bounds is not None and bounds.only is not None:
        return Value(Constant(bounds.low, number), number, span, bounds)
    return Value(Binary(BinaryOperator(operator), left.expression, right.expression, number), number, span, bounds)


def _is_integer(value: Value) -> bool:
    return isinstance(value.type, Number) and not value.type.floating


def _no_operand(operator: str, value: Value) -> WrongError:
    hint = "cast it to a number first: `(unsigned long)pointer`" if isinstance(value.type, Pointer) else ""
    return WrongError(Label.TYPE_MISMATCH, value.span, f"`{operator}` does not take {number_text(value.type)}", hint)


def _at(value: Value, span: Span) -> Value:
    return Value(value.expression, value.type, span, value.bounds)
