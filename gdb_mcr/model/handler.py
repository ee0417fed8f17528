"""Transfer handlers and facts about memory that checked, as `tracing/` compiles them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from gdb_mcr.model.expression import Expression, Location, ValueType
from gdb_mcr.model.place import Place
from gdb_mcr.source import Span


@dataclass(frozen=True, slots=True)
class SetLocal:
    """`let x = value;` or a later `x = value;`"""

    local: int
    """In the handler's `locals`."""
    value: Expression
    """Has the local's type."""
    span: Span


@dataclass(frozen=True, slots=True)
class Store:
    """`new.field = value;` for a number or a pointer. A pointer of O's is translated to where its target is in N."""

    to: Location
    """In N's object."""
    value: Expression
    """For a floating point number one of that type; for another number an integer of any type: if it does not fit the
    place, the handler fails. For a pointer a pointer."""
    type: ValueType
    """What the place holds."""
    span: Span


@dataclass(frozen=True, slots=True)
class Convert:
    """`new.part = old.part;` for structs, unions and arrays: as the transfer converts the one type to the other by
    itself, with the handlers of the types inside."""

    to: Location
    """In N's object."""
    source: Location
    """In O's object; its `base` is None."""
    span: Span


@dataclass(frozen=True, slots=True)
class If:
    """`if (condition) { … } else { … }`"""

    condition: Expression
    """An int; not 0 is true."""
    then: tuple[Step, ...]
    otherwise: tuple[Step, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class CountLoop:
    """`foreach i in start .. end { … }`: also what a loop over an array becomes."""

    local: int
    """A long: start, start + 1, … up to but not including end."""
    start: Expression
    """A long, evaluated once."""
    end: Expression
    """A long, evaluated once."""
    body: tuple[Step, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ListLoop:
    """`foreach p in first via next { … }`: p = first; while (p) { …; p = p->next; }"""

    local: int
    """A pointer of O's."""
    first: Expression
    next: Expression
    """The element behind `local`."""
    body: tuple[Step, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Evaluate:
    """A call for its effect."""

    value: Expression
    span: Span


Step: TypeAlias = SetLocal | Store | Convert | If | CountLoop | ListLoop | Evaluate


@dataclass(frozen=True, slots=True)
class Handler:
    """`transfer TYPE { … }` or `transfer variable NAME { … }`.

    It runs after the types' own conversion of the object and sees what that has made of N's: what it does not store
    stays so. The one of a variable runs after the one of its type.

    Where N has an object of its own, what it stores is merged like any other field: it runs on O's object now and on
    that as it was at the end of O's start-up. Where both come to the same, N's value stays, unless `keep old` of a
    field that it uses says else.
    """

    place: Place
    """A type or a variable in both programs; the paths are empty."""
    body: tuple[Step, ...]
    locals: tuple[ValueType, ...]
    reads: frozenset[tuple[str, ...]]
    """Paths of fields in O's object (names only, outermost first; () is all of it) whose values it uses: they have a
    home."""
    writes: frozenset[tuple[str, ...]]
    """Paths of fields in N's object that it stores: the types' own conversion need not give them a value."""
    span: Span


@dataclass(frozen=True, slots=True)
class TaggedPointer:
    """`tagged TARGET & MASK;` The bits of MASK in this pointer are the program's own and stay as they are."""

    place: Place
    """A pointer, or an integer of eight bytes that holds one, or an array of such."""
    mask: int
    """Of 64 bits, never 0 and never all."""
    span: Span
    target: int = -1
    """What an integer points to: index in the old program's `types`; -1 = what the type of the pointer says."""


@dataclass(frozen=True, slots=True)
class ArrayLength:
    """`length TARGET = EXPRESSION;` How many elements are in use where this pointer leads; what follows is dead."""

    place: Place
    """A pointer; no array is on the path to it."""
    count: Expression
    """A long over O's object of `place`."""
    span: Span


@dataclass(frozen=True, slots=True)
class PointsTo:
    """`points TARGET to TYPE;` What an untyped pointer, or each one of an array, leads to."""

    place: Place
    old_type: int
    """Index in the old program's `types`: what stands there, typedefs stripped."""
    span: Span


@dataclass(frozen=True, slots=True)
class ActiveMember:
    """`active TARGET when EXPRESSION;` Which member of a union is in use. Of several for one union the first that is
    true counts; if none is, the union is opaque."""

    place: Place
    """The member; no array is on the path to it."""
    condition: Expression
    """An int over O's object of `place`."""
    span: Span


@dataclass(frozen=True, slots=True)
class Precision:
    """`opaque TARGET;` or `precise TARGET;`

    Opaque: the bytes of the field may hold any word, and one that looks like a pointer may be one, whatever the type
    says. Precise: its type is believed where it would be taken for opaque.
    """

    place: Place
    precise: bool
    span: Span


MemoryFact: TypeAlias = TaggedPointer | ArrayLength | PointsTo | ActiveMember | Precision
