"""Arrays of structs in which N's start-up has moved the elements up, so that O's values would go to their neighbours.

An element of an array is what stands at its index; the merge knows no other identity. Where the first text of an
element says that N has another one there, and each is elsewhere on the other side, the values of the two must not mix.
Source: DESIGN section 9, "pair by key".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gdb_mcr.engine.records import Event, EventKind
from gdb_mcr.model.datatype import DataType, Member, TypeKind, TypeTable
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.layout import flat_members
from gdb_mcr.tracing.explain import Explainer, Place
from gdb_mcr.tracing.transfer import StateTransfer
from gdb_mcr.units import WORD, Range

MAX_TEXT = 64
"""Only the first so many bytes of a text count."""

NEIGHBOURS = 8
"""So far an element that has moved is looked for."""

ReadBytes = Callable[[int, int], bytes | memoryview | None]
"""(address, size) to the bytes there, None if they are not known."""


@dataclass(frozen=True, slots=True)
class StartedMemory:
    """Both sides at the end of their start-up."""

    old: ReadBytes
    new: ReadBytes


@dataclass(frozen=True, slots=True)
class _Name:
    """Where an element of one side keeps its first text."""

    offset: int
    size: int  # of an inner array, 0 = it is a pointer


def moved_elements(transfer: StateTransfer, explainer: Explainer, memory: StartedMemory) -> list[Finding]:
    """R13, one for each array."""
    found: dict[str, Finding] = {}
    names = _Names(transfer)
    for event in transfer.tracer.events():
        if event.kind != EventKind.ELEMENT:
            continue
        subject = explainer.short_name(event.object)
        element = _element(names, explainer, event, memory) if subject not in found else None
        if element is not None and element.has_moved():
            found[subject] = _finding(explainer, event, element)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Side:
    """One element of an array on one side."""

    read: ReadBytes
    address: int
    whole: Range  # the array
    stride: int
    name: _Name

    # The text of the element so many places behind this one, "" if there is none.
    def text(self, distance: int = 0) -> str:
        address = self.address + distance * self.stride
        return _text(self.read, address, self.name) if address in self.whole else ""


@dataclass(frozen=True, slots=True)
class _Element:
    """What stands at one index, at the end of either start-up."""

    old: _Side
    new: _Side

    # A text that only changed from one build to the next is found on neither other side.
    def has_moved(self) -> bool:
        old, new = self.old.text(), self.new.text()
        near = [one for one in range(-NEIGHBOURS, NEIGHBOURS + 1) if one]
        if not old or not new or old == new:
            return False
        return any(self.old.text(one) == new or self.new.text(one) == old for one in near)


class _Names:
    """Where the structs of both sides keep their first text; looked up once for each: arrays have many elements."""

    def __init__(self, transfer: StateTransfer) -> None:
        self.transfer = transfer
        self._old = transfer.old.executable.program.types
        self._new = transfer.new.executable.program.types
        self._known: dict[int, tuple[_Name, _Name] | None] = {}

    # The struct that stands at that place of an object, and the one that it is in N.
    def types_at(self, index: int, offset: int) -> tuple[DataType, DataType] | None:
        old = _element_type(self._old, index, offset)
        target = self.transfer.match.types.get(old.index) if old is not None else None
        return (old, self._new[target]) if old is not None and target is not None else None

    def of(self, old: DataType, new: DataType) -> tuple[_Name, _Name] | None:
        if old.index not in self._known:
            self._known[old.index] = _names(self._old, old, self._new, new)
        return self._known[old.index]


def _element(known: _Names, explainer: Explainer, event: Event, memory: StartedMemory) -> _Element | None:
    transfer = known.transfer
    one = transfer.tracer.objects()[event.object]
    types = known.types_at(explainer.type_index(one), event.offset)
    names = known.of(*types) if types is not None else None
    if types is None or names is None:
        return None
    old, new = types
    pair, there = transfer.pairs[one.pair], transfer.tracer.translate(one.address + event.offset)
    base = Range(pair.base_address, pair.base_address + pair.base_size)
    ours = Range(pair.new_address, pair.new_address + pair.new_size)
    return _Element(
        _Side(memory.old, base.start + event.offset, base, old.size, names[0]),
        _Side(memory.new, there, ours, new.size, names[1]),
    )


# The struct at `offset` that is an element of the outermost array that has one there.
def _element_type(types: TypeTable, index: int, offset: int) -> DataType | None:
    one = types.strip(index)
    if one is not None and one.kind is TypeKind.STRUCT and one.size and offset % one.size == 0:
        return one
    while one is not None and one.kind is TypeKind.ARRAY:
        one = types.strip(one.target)
        if one is None or not one.size:
            return None
        offset %= one.size
    return one if one is not None and one.kind is TypeKind.STRUCT and offset == 0 else None


def _names(old_types: TypeTable, old: DataType, new_types: TypeTable, new: DataType) -> tuple[_Name, _Name] | None:
    mine = {member.name: _name(new_types, member) for member in flat_members(new_types, new)}
    for member in flat_members(old_types, old):
        theirs, ours = _name(old_types, member), mine.get(member.name)
        if theirs is not None and ours is not None:
            return theirs, ours
    return None


def _name(types: TypeTable, member: Member) -> _Name | None:
    one = types.strip(member.type)
    if one is None or one.kind not in (TypeKind.POINTER, TypeKind.ARRAY):
        return None
    target = types.strip(one.target)
    if target is None or target.kind is not TypeKind.CHARACTER:
        return None
    return _Name(member.offset, one.size if one.kind is TypeKind.ARRAY else 0)


def _text(read: ReadBytes, element: int, name: _Name) -> str:
    address, size = element + name.offset, name.size
    if not size:
        word = read(address, WORD)
        address, size = int.from_bytes(word, "little") if word is not None else 0, MAX_TEXT
    data = next((one for one in _tries(read, address, min(size, MAX_TEXT)) if one is not None), b"")
    return bytes(data).partition(b"\0")[0].decode("utf-8", "replace")


# A text may stand at the end of what is mapped.
def _tries(read: ReadBytes, address: int, size: int) -> Iterator[bytes | memoryview | None]:
    while address and size:
        yield read(address, size)
        size //= 2


def _finding(explainer: Explainer, event: Event, element: _Element) -> Finding:
    subject = explainer.short_name(event.object)
    text = (
        f"{explainer.field(Place(event.object, event.offset))} was {element.old.text()!r} in the old server's start-up "
        f"and is {element.new.text()!r} in the new build's: what the old server has there would go to another element"
    )
    return Finding(f"R13:{subject}", "R13", True, text, explainer.path(event.object), "")
