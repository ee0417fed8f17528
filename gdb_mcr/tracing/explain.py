"""Names for places in memory, in the user's terms: `conns[17]->event.ev_base`, `slab page (items.c)`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gdb_mcr.engine.records import NONE, Object, ObjectKind
from gdb_mcr.model.datatype import DataType, TypeKind, TypeTable
from gdb_mcr.model.layout import describe, flat_members
from gdb_mcr.tracing.areas import global_variables
from gdb_mcr.tracing.transfer import StateTransfer
from gdb_mcr.units import WORD

MAX_PATH = 12
"""Steps shown of a path from a root; longer ones are cut in the middle."""

ReadOld = Callable[[int, int], bytes | None]
"""Reads (address, size) of O's memory."""


def member_path(types: TypeTable, index: int, offset: int) -> str:
    """The member at `offset` of a type, as C would write it behind a variable: `.event.ev_fd`, `[3].next`."""
    return _member(types, index, offset)[0]


def member_type(types: TypeTable, index: int, offset: int) -> DataType | None:
    """The type of the member that begins at `offset` of a type, None if none does."""
    _, inside, one = _member(types, index, offset)
    return one if inside == 0 else None


# The innermost member at `offset`: how C writes it, the offset inside it, its type.
def _member(types: TypeTable, index: int, offset: int) -> tuple[str, int, DataType | None]:
    path = ""
    one = types.strip(index)
    while one is not None:
        if one.kind is TypeKind.ARRAY:
            element = types.strip(one.target)
            if element is None or not element.size:
                break
            path += f"[{offset // element.size}]"
            offset, one = offset % element.size, element
            continue
        if one.kind not in (TypeKind.STRUCT, TypeKind.UNION):
            break
        inner = _member_at(types, one, offset)
        if inner is None:
            break
        name, offset, one = inner
        path += f".{name}" if name else ""
    return path, offset, one


def _member_at(types: TypeTable, one: DataType, offset: int) -> tuple[str, int, DataType | None] | None:
    for member in reversed(flat_members(types, one)):
        inner = types.strip(member.type)
        size = inner.size if inner else 0
        open_ended = inner is not None and inner.kind is TypeKind.ARRAY and inner.count <= 0
        if member.offset <= offset and (offset < member.offset + size or open_ended):
            return member.name, offset - member.offset, inner
    return None


@dataclass(frozen=True, slots=True)
class Place:
    """A byte of a state object of O."""

    object: int
    offset: int


class Explainer:
    """Names objects of a traced O."""

    def __init__(self, transfer: StateTransfer, read_old: ReadOld) -> None:
        self._transfer = transfer
        self._read = read_old
        program, bias = transfer.old.executable.program, transfer.old.executable.bias
        self._types = program.types
        self._variables = {bias + one.address: one for one in global_variables(program)}

    def type_index(self, one: Object) -> int:
        """The C type of an object, -1 if opaque."""
        return -1 if one.type == NONE else self._transfer.shapes.source[one.type]

    def name(self, index: int) -> str:
        """An object by itself: a variable's name, or what it is, its size and who allocated it."""
        one = self._transfer.tracer.objects()[index]
        if one.kind is ObjectKind.GLOBAL:
            variable = self._variables[one.address]
            return f"{variable.function}::{variable.name}" if variable.function else variable.name
        if one.kind is ObjectKind.LIBRARY:
            owner = next((m.name for m in self._transfer.old.libraries if one.address in m.range), "a library")
            return f"data of {owner}"
        if one.kind is ObjectKind.MAPPING:
            return f"mapping {one.address:#x}"
        return f"{self.kind_of(one)} at {one.address:#x}{self._allocated_by(one)}"

    def short_name(self, index: int) -> str:
        """An object without its address, the same in every run: a variable's name, a type, or who allocated it."""
        one = self._transfer.tracer.objects()[index]
        if one.kind is not ObjectKind.CHUNK:
            return self.name(index)
        type_index = self.type_index(one)
        if type_index < 0:
            return f"opaque{self._allocated_by(one)}"
        return self.kind_of(one).rpartition(" ")[2]

    def short_field(self, place: Place) -> str:
        """A byte of an object as annotations write it, the same in every run: `conn.event.ev_fd`."""
        known = self._typed(place)
        if known is None:
            return f"{self.short_name(place.object)}+{place.offset}"
        return self.short_name(place.object) + member_path(self._types, *known)

    def field_type(self, place: Place) -> DataType | None:
        """The type of what begins at a byte of an object, None if that is not known."""
        known = self._typed(place)
        return member_type(self._types, *known) if known is not None else None

    # An object's type, and the offset inside one of it: a chunk may be an array.
    def _typed(self, place: Place) -> tuple[int, int] | None:
        one = self._transfer.tracer.objects()[place.object]
        type_index = self.type_index(one)
        stripped = self._types.strip(type_index) if type_index >= 0 else None
        if stripped is None:
            return None
        is_array = one.kind is ObjectKind.CHUNK and stripped.size
        return type_index, place.offset % stripped.size if is_array else place.offset

    def kind_of(self, one: Object) -> str:
        """What an object is: its type, or `N opaque bytes`."""
        index = self.type_index(one)
        if index < 0:
            return f"{one.size} opaque bytes"
        stripped = self._types.strip(index)
        return describe(stripped) if stripped is not None else "void"

    def _allocated_by(self, one: Object) -> str:
        sites = self._transfer.old.sites
        if one.site >= len(sites):
            return ""
        site = sites[one.site]
        names = [name for name in (self._function(site.generation, address) for address in site.returns) if name]
        return f" (allocated in {' < '.join(names[:3])})" if names else ""

    def _function(self, generation: int, address: int) -> str:
        module = self._transfer.resolver.module_of(generation, address)
        if module is None:
            return ""
        inside = address - module.bias - 1
        found = next((one for one in module.program.functions if one.start <= inside < one.end), None)
        return found.name if found else module.name

    def field(self, place: Place) -> str:
        """A byte of an object, as the user would write it."""
        one = self._transfer.tracer.objects()[place.object]
        name = self.name(place.object)
        index = self.type_index(one)
        if index < 0:
            return f"{name}+{place.offset}" if place.offset else name
        return name + self._inside(one, index, place.offset)

    def _inside(self, one: Object, index: int, offset: int) -> str:
        stripped = self._types.strip(index)
        size = stripped.size if stripped else 0
        if one.kind is ObjectKind.CHUNK and size and one.size >= 2 * size and offset >= size:
            return f"[{offset // size}]{member_path(self._types, index, offset % size)}"
        return member_path(self._types, index, offset)

    def path(self, index: int) -> str:
        """How tracing came to an object, from a root: `conns[17] -> rbuf`."""
        chain = list(self._chain(index))
        steps = [self._step(parent, child) for parent, child in zip(chain[1:], chain, strict=False)]
        steps.reverse()
        if not chain:
            return ""
        if not steps:
            return self.name(chain[0])
        if len(steps) > MAX_PATH:
            steps = [*steps[: MAX_PATH // 2], "…", *steps[-MAX_PATH // 2 :]]
        return " -> ".join([self.name(chain[-1]) + steps[0], *steps[1:]])

    def _chain(self, index: int) -> Iterator[int]:
        objects = self._transfer.tracer.objects()
        seen = set()
        while index != NONE and index not in seen:
            seen.add(index)
            yield index
            index = objects[index].parent

    def way_in(self, index: int) -> Place | None:
        """The word of an object's parent by which tracing came to it."""
        return self.word_to(self._transfer.tracer.objects()[index].parent, index)

    def word_to(self, holder: int, index: int) -> Place | None:
        """The first word of `holder`, which may be NONE, that leads to an object."""
        offset = self._pointer(holder, index) if holder != NONE else None
        return Place(holder, offset) if offset is not None else None

    def _pointer(self, parent: int, child: int) -> int | None:
        objects = self._transfer.tracer.objects()
        one, target = objects[parent], objects[child]
        data = self._read(one.address, one.size)
        return _find_pointer(data, one.address, target.address, target.size) if data else None

    # The member of `parent` that points into `child`.
    def _step(self, parent: int, child: int) -> str:
        one = self._transfer.tracer.objects()[parent]
        offset = self._pointer(parent, child)
        index = self.type_index(one)
        if offset is None:
            return ".?"
        return self._inside(one, index, offset) if index >= 0 else f"+{offset}"


def _find_pointer(data: bytes, address: int, start: int, size: int) -> int | None:
    first = -address % WORD
    for offset in range(first, len(data) - WORD + 1, WORD):
        if start <= int.from_bytes(data[offset : offset + WORD], "little") < start + max(size, 1):
            return offset
    return None


def first_words(names: Sequence[str], limit: int = 3) -> str:
    """A few names for a message: `a, b, c and 4 more`."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
