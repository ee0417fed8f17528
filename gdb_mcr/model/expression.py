"""Expressions of annotations that checked: every name is an offset, every node has its type, every conversion of C is a
node of its own. What `annotations/` makes and `tracing/` compiles; the texts they come from are in `model/written.py`.

Evaluation is C's (C11 6.5) on x86-64. Which operators exist is kept small: `a != b` comes as NOT(a == b), `a > b` as
b < a, `a && b` as a ? !!b : 0, `p[i]` as a place at p with a term; an addition to a pointer has its integer already
multiplied by the size of what is pointed to.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from gdb_mcr.model.place import Side


@dataclass(frozen=True, slots=True)
class Number:
    """The type of a number: an integer, an enum, a boolean or a floating point number."""

    size: int
    """Bytes: 1, 2, 4 or 8; of a floating point number 4 or 8."""
    signed: bool
    floating: bool = False
    boolean: bool = False
    """_Bool: whatever is not 0 becomes 1."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """The type of an address. One of O's can be followed, and is translated when it is stored; one of N's is only
    copied and compared."""

    side: Side
    target: int
    """Index in that side's `types`; -1 = void."""


ValueType: TypeAlias = Number | Pointer

INT = Number(4, signed=True)
UNSIGNED = Number(4, signed=False)
LONG = Number(8, signed=True)
UNSIGNED_LONG = Number(8, signed=False)
DOUBLE = Number(8, signed=True, floating=True)


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal, an enum constant or a sizeof. A null pointer is 0 of type `Pointer`."""

    value: int | float
    type: ValueType


@dataclass(frozen=True, slots=True)
class Local:
    """What `let` or `foreach` has bound."""

    index: int
    """In the handler's `locals`."""
    type: ValueType


@dataclass(frozen=True, slots=True)
class Term:
    """An index on the way to a place: its offset grows by `index` times `stride`."""

    index: Expression
    """An integer; extend it to 64 bits by its own sign."""
    stride: int
    """Bytes."""
    bound: int
    """The index must be in [0, bound), else the handler fails; -1 where the length is not known (behind a pointer)."""


@dataclass(frozen=True, slots=True)
class Location:
    """A place in memory: in the object that is handled (`base` is None), or where a pointer of O's leads."""

    side: Side
    base: Expression | None
    """An expression of type `Pointer` of O's; None: the object itself, O's or N's by `side`."""
    offset: int
    """Bytes."""
    terms: tuple[Term, ...]
    type: int
    """Index in `side`'s types, as declared (typedefs are not stripped)."""
    size: int
    """Bytes; of a bit field, of its declared type."""
    bit_offset: int = 0
    """Of a bit field: as in `model.datatype.Member`."""
    bit_size: int = 0
    """Of a bit field: its width; 0 = no bit field."""


@dataclass(frozen=True, slots=True)
class Load:
    """The value at a place, which holds a number or a pointer. `type` says how it stands there."""

    location: Location
    type: ValueType


@dataclass(frozen=True, slots=True)
class AddressOf:
    """The address of a place of O's: `&old.field`, or an array that decays to a pointer."""

    location: Location
    type: Pointer


@dataclass(frozen=True, slots=True)
class AddressOfVariable:
    """The address that a variable of O's has while O runs."""

    variable: int
    """Index in the old program's `variables`."""
    type: Pointer


@dataclass(frozen=True, slots=True)
class Cast:
    """A conversion as C does it (C11 6.3): numbers to numbers (cutting off what does not fit), addresses to integers
    of eight bytes and back, pointers to other pointers of the same side."""

    value: Expression
    type: ValueType


class UnaryOperator(Enum):
    """`type` is that of the operand; of NOT, int."""

    NEGATE = "-"
    COMPLEMENT = "~"
    NOT = "!"


@dataclass(frozen=True, slots=True)
class Unary:
    """An operation on one value. The operand has been promoted."""

    operator: UnaryOperator
    value: Expression
    type: ValueType


class BinaryOperator(Enum):
    """The operands of all but shifts have one type; comparisons give an int, the others that type. A shift has its left
    operand's type. Integers wrap around at their type's size."""

    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"
    REMAINDER = "%"
    AND = "&"
    OR = "|"
    XOR = "^"
    SHIFT_LEFT = "<<"
    SHIFT_RIGHT = ">>"
    EQUAL = "=="
    LESS = "<"
    LESS_EQUAL = "<="


@dataclass(frozen=True, slots=True)
class Binary:
    """An operation on two values. ADD and SUBTRACT may have a pointer on the left and a long on the right, in bytes."""

    operator: BinaryOperator
    left: Expression
    right: Expression
    type: ValueType


@dataclass(frozen=True, slots=True)
class Conditional:
    """`condition ? then : otherwise`. Only one of the two is evaluated; both have `type`."""

    condition: Expression
    then: Expression
    otherwise: Expression
    type: ValueType


@dataclass(frozen=True, slots=True)
class Call:
    """A call into a handler library. Every argument is a number of eight bytes or a pointer of O's."""

    function: str
    arguments: tuple[Expression, ...]
    type: ValueType


Expression: TypeAlias = (
    Constant | Local | Load | AddressOf | AddressOfVariable | Cast | Unary | Binary | Conditional | Call
)
