"""Where in a process's memory an expression leads, by its types and the pointers that stand there now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gdb_mcr.errors import UsageError
from gdb_mcr.model.datatype import DataType, Member, TypeKind, TypeTable
from gdb_mcr.model.layout import type_text
from gdb_mcr.source import did_you_mean
from gdb_mcr.tracing import expressions
from gdb_mcr.tracing.expressions import Follow, Index, Step
from gdb_mcr.units import WORD

MAX_NAMES = 12
"""Members listed when none is near to what was typed."""

_AGGREGATES = frozenset({TypeKind.STRUCT, TypeKind.UNION})


@dataclass(frozen=True, slots=True)
class Spot:
    """Something in memory."""

    address: int
    type: int
    """Index in the type table, -1 = not known."""
    text: str
    """How it was named."""


class Navigator:
    """Takes the steps of expressions."""

    def __init__(
        self, types: TypeTable, read: Callable[[int, int], bytes | None], type_at: Callable[[int], int]
    ) -> None:
        """:param read: the process's memory: (address, size) to bytes, None if they are not there.
        :param type_at: the type of the object at an address, -1 if it is not known; for what no pointer's type tells.
        """
        self._types = types
        self._read = read
        self._type_at = type_at

    def walk(self, start: Spot, steps: Sequence[Step]) -> Spot:
        """:raises UsageError: there is no such member, element or target."""
        spot = start
        for step in steps:
            spot = self._step(spot, step)
        return spot

    def _step(self, spot: Spot, step: Step) -> Spot:
        match step:
            case Follow():
                return self._follow(spot)
            case Index(number):
                return self._index(spot, number)
            case expressions.Member(name):
                return self._member(spot, name)

    def _type(self, spot: Spot) -> DataType:
        index = spot.type if spot.type >= 0 else self._type_at(spot.address)
        one = self._types.strip(index)
        if one is None:
            raise UsageError(f"it is not known what `{spot.text}` is", hint="ask for it without what follows it")
        return one

    def _follow(self, spot: Spot) -> Spot:
        one = self._type(spot)
        text = f"*{spot.text}"
        if one.kind is TypeKind.ARRAY:
            return Spot(spot.address, one.target, text)
        if one.kind is not TypeKind.POINTER:
            raise UsageError(f"`{spot.text}` is no pointer: it is {type_text(self._types, one.index)}")
        return Spot(self._target(spot), self._complete(one.target), text)

    def _target(self, spot: Spot) -> int:
        data = self._read(spot.address, WORD)
        if data is None:
            raise UsageError(f"`{spot.text}` cannot be read: nothing is mapped at {spot.address:#x}")
        address = int.from_bytes(data, "little")
        if not address:
            raise UsageError(f"`{spot.text}` is a null pointer")
        return address

    # The pointer's source file may only declare the struct.
    def _complete(self, index: int) -> int:
        one = self._types.strip(index)
        if one is None or one.kind is TypeKind.VOID:
            return -1
        if one.kind not in _AGGREGATES or one.complete:
            return index
        found = [other for other in self._types.named(one.name) if other.kind is one.kind and other.complete]
        return found[0].index if found else -1

    def _index(self, spot: Spot, number: int) -> Spot:
        one = self._type(spot)
        text = f"({spot.text})[{number}]" if spot.text.startswith("*") else f"{spot.text}[{number}]"
        if one.kind is TypeKind.ARRAY:
            if 0 < one.count <= number:
                raise UsageError(f"`{spot.text}` has {one.count} elements, counted from 0")
            start, element = spot.address, one.target
        elif one.kind is TypeKind.POINTER:
            start, element = self._target(spot), self._complete(one.target)
        else:
            kind = type_text(self._types, one.index)
            raise UsageError(f"`{spot.text}` is neither an array nor a pointer: it is {kind}")
        stripped = self._types.strip(element)
        if stripped is None or not stripped.size:
            raise UsageError(f"the size of what `{spot.text}` points to is not known")
        return Spot(start + number * stripped.size, element, text)

    def _member(self, spot: Spot, name: str) -> Spot:
        one = self._type(spot)
        found = find_member(self._types, one, name) if one.kind in _AGGREGATES else None
        if found is None:
            raise self._no_member(spot, one, name)
        offset, member = found
        return Spot(spot.address + offset, member.type, _with_member(spot.text, name))

    def _no_member(self, spot: Spot, one: DataType, name: str) -> UsageError:
        kind = type_text(self._types, one.index)
        if one.kind is TypeKind.POINTER:
            return UsageError(f"`{spot.text}` is a pointer ({kind})", hint=f"write `{spot.text}->{name}`")
        if one.kind not in _AGGREGATES:
            return UsageError(f"`{spot.text}` has no members: it is {kind}")
        names = list(_member_names(self._types, one))
        shown = ", ".join(f"`{other}`" for other in names[:MAX_NAMES])
        hint = did_you_mean(name, names) or f"its members: {shown}{'…' if len(names) > MAX_NAMES else ''}"
        return UsageError(f"`{spot.text}` ({kind}) has no member `{name}`", hint=hint)


# As users write it: `*p` and `.x` are `p->x`.
def _with_member(text: str, name: str) -> str:
    if not text.startswith("*"):
        return f"{text}.{name}"
    pointer = text[1:]
    return f"({pointer})->{name}" if pointer.startswith("*") else f"{pointer}->{name}"


def find_member(types: TypeTable, one: DataType, name: str) -> tuple[int, Member] | None:
    """A member and its offset, those of anonymous structs and unions inside included (C11 6.7.2.1)."""
    for member in one.members:
        if member.name == name:
            return member.offset, member
        inner = types.strip(member.type)
        if not member.name and inner is not None:
            found = find_member(types, inner, name)
            if found is not None:
                return member.offset + found[0], found[1]
    return None


def _member_names(types: TypeTable, one: DataType) -> Iterator[str]:
    for member in one.members:
        inner = types.strip(member.type)
        if member.name:
            yield member.name
        elif inner is not None:
            yield from _member_names(types, inner)
