"""Numbers of C on x86-64: their types, how these combine, and which values they hold (C11 6.2.5, 6.3.1, 6.4.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gdb_mcr.model.datatype import DataType, TypeKind
from gdb_mcr.model.expression import DOUBLE, INT, LONG, UNSIGNED, UNSIGNED_LONG, Number, ValueType
from gdb_mcr.model.layout import is_integral

EXACT_IN_DOUBLE = 1 << 53
"""Every integer up to this is a double."""

CHAR = Number(1, signed=True)
FLOAT = Number(4, signed=True, floating=True)
BOOL = Number(1, signed=False, boolean=True)

FIXED_TYPES = {
    **{f"int{8 * size}_t": Number(size, signed=True) for size in (1, 2, 4, 8)},
    **{f"uint{8 * size}_t": Number(size, signed=False) for size in (1, 2, 4, 8)},
    **dict.fromkeys(("size_t", "uintptr_t", "uintmax_t"), UNSIGNED_LONG),
    **dict.fromkeys(("ssize_t", "intptr_t", "intmax_t", "ptrdiff_t", "time_t", "off_t"), LONG),
}
"""Types that every program has, whether its debug information names them or not."""

_OTHER_NUMBERS = {"float": FLOAT, "double": DOUBLE, "_Bool": BOOL, "bool": BOOL}
_INTEGERS = {
    "char": 1, "short": 2, "int short": 2, "": 4, "int": 4, "long": 8, "int long": 8, "long long": 8, "int long long": 8
}  # fmt: skip
_ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "0": 0}


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the greatest value that an integer may have."""

    low: int
    high: int

    def inside(self, other: Bounds) -> bool:
        """Whether ``other`` has room for all of these."""
        return other.low <= self.low and self.high <= other.high

    def joined(self, other: Bounds) -> Bounds:
        """Room for both."""
        return Bounds(min(self.low, other.low), max(self.high, other.high))

    @property
    def only(self) -> int | None:
        """The value, if there is only one."""
        return self.low if self.low == self.high else None


TRUTH = Bounds(0, 1)


def number_of(one: DataType) -> Number | None:
    """The number that a type is (typedefs stripped); None for what is none, or one of no usual size."""
    if one.kind is TypeKind.FLOAT and one.size in (4, 8):
        return Number(one.size, signed=True, floating=True)
    if not is_integral(one) or one.size not in (1, 2, 4, 8):
        return None
    if one.kind is TypeKind.BOOLEAN:
        return BOOL
    signed = one.signed or any(value < 0 for _, value in one.constants)
    return Number(one.size, signed)


def all_values(number: Number, bits: int = 0) -> Bounds:
    """What an integer type, or a bit field of it, holds."""
    if number.boolean:
        return TRUTH
    width = bits or 8 * number.size
    return Bounds(-(1 << width - 1), (1 << width - 1) - 1) if number.signed else Bounds(0, (1 << width) - 1)


def wrapped(value: int, number: Number) -> int:
    """An integer cut off to a type."""
    if number.boolean:
        return int(value != 0)
    value &= (1 << 8 * number.size) - 1
    return value - (1 << 8 * number.size) if number.signed and value >> 8 * number.size - 1 else value


def promoted(number: Number, bits: int = 0) -> Number:
    """The integer promotions: what an int can hold becomes one (C11 6.3.1.1)."""
    if number.floating or not all_values(number, bits).inside(all_values(INT)):
        return number
    return INT


def common(left: Number, right: Number) -> Number:
    """The usual arithmetic conversions of two promoted numbers (C11 6.3.1.8)."""
    if left.floating or right.floating:
        return DOUBLE if DOUBLE in (left, right) else FLOAT
    size = max(left.size, right.size)
    signed = all(one.signed for one in (left, right) if one.size == size)
    return Number(size, signed)


def number_text(one: ValueType) -> str:
    """A type of a value as C writes it."""
    if not isinstance(one, Number):
        return "a pointer"
    if one.boolean:
        return "_Bool"
    if one.floating:
        return "double" if one.size == 8 else "float"
    word = {1: "char", 2: "short", 4: "int", 8: "long"}[one.size]
    return word if one.signed else f"unsigned {word}"


def integer_literal(text: str) -> tuple[int, Number] | None:
    """The value and type of an integer or character constant (C11 6.4.4); None if no type has room for it."""
    if text.startswith("'"):
        character = _character(text[1:-1])
        return None if character is None else (character, INT)
    suffix = re.sub(r"^(0[xX][0-9A-Fa-f]+|[0-9]+|0[bB][01]+)", "", text).lower()
    digits = text[: len(text) - len(suffix)]
    if digits[:2].lower() in ("0x", "0b"):
        value, is_decimal = int(digits, 0), False
    else:
        is_decimal = digits == "0" or not digits.startswith("0")
        if not is_decimal and re.search("[89]", digits):
            return None
        value = int(digits, 10 if is_decimal else 8)
    if not re.fullmatch("u?l{0,2}|l{1,2}u", suffix):
        return None
    candidates = [INT, UNSIGNED, LONG, UNSIGNED_LONG]
    if "u" in suffix:
        candidates = [UNSIGNED, UNSIGNED_LONG]
    elif is_decimal:
        candidates = [INT, LONG]
    if "l" in suffix:
        candidates = [one for one in candidates if one.size == 8]
    return next(((value, one) for one in candidates if value <= all_values(one).high), None)


def basic_number(words: tuple[str, ...]) -> Number | None:
    """`unsigned long` and the like; None for words that are no number type together."""
    rest = sorted(word for word in words if word not in ("signed", "unsigned"))
    signs = len(words) - len(rest)
    name = " ".join(rest)
    if signs == 0 and name in _OTHER_NUMBERS:
        return _OTHER_NUMBERS[name]
    size = _INTEGERS.get(name)
    return Number(size, "unsigned" not in words) if size and signs <= 1 and (rest or signs) else None


def _character(text: str) -> int | None:
    if not text.startswith("\\"):
        return ord(text) if text.isascii() else None
    if text[1] == "x":
        return wrapped(int(text[2:], 16), CHAR)
    return _ESCAPES.get(text[1], ord(text[1]))
