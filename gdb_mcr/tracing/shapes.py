"""C types to the engine's shapes: what in an object can be a pointer, could hide one, or is plain data.

Source: seed, "precise tracing" (data type tags) and "conservative tracing" (opaque areas).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gdb_mcr.engine.records import NONE, Case, PointerFactRow, Shape, ShapeFlag, ShapeKind, ShapeMember
from gdb_mcr.model.datatype import DataType, Member, TypeKind, TypeTable
from gdb_mcr.model.handler import ArrayLength, TaggedPointer
from gdb_mcr.tracing.facts import FactIndex, Facts, points_to
from gdb_mcr.tracing.scalars import scalar_kind, union_leaves
from gdb_mcr.units import WORD


class ShapeCompiler:
    """Compiles types of one program on demand; the result is a flat table for the engine."""

    def __init__(
        self,
        types: TypeTable,
        flags_of: Callable[[DataType], ShapeFlag] = lambda _: ShapeFlag(0),
        plain_fields: frozenset[str] = frozenset(),
        facts: FactIndex | None = None,
    ) -> None:
        """:param plain_fields: `Type.field` of pointers to memory that never holds pointers, by annotation.
        :param facts: what else annotations say of fields.
        """
        self._types = types
        self._facts = facts or FactIndex()
        self._variables: dict[int, int] = {}
        self._flags_of = flags_of
        self._plain_fields = plain_fields
        self._plain = NONE
        self._by_type: dict[int, int] = {}
        self._words_of_size: dict[tuple[ShapeKind, int], int] = {}
        self._pending: list[tuple[int, int]] = []
        self.shapes: list[Shape] = []
        self.members: list[ShapeMember] = []
        self.flags = bytearray()
        self.source: list[int] = []
        """By shape: the type it was compiled from, -1 for anonymous byte runs."""
        self.cases: list[Case] = []
        self.pointer_facts: list[PointerFactRow] = []

    def shape(self, type_index: int) -> int:
        """The shape of a type, NONE for void, with everything it points to."""
        return self._complete(self._shape(type_index))

    def variable_shape(self, type_index: int, variable: int) -> int:
        """The shape of a variable of O, by its index: its type's, or its own if facts speak of it."""
        facts = self._facts.of_variable(variable)
        if not facts:
            return self.shape(type_index)
        if variable not in self._variables:
            self._variables[variable] = self._complete(self._with_facts(type_index, facts))
            self.source[self._variables[variable]] = type_index
        return self._variables[variable]

    def _complete(self, result: int) -> int:
        while self._pending:
            pointer, target = self._pending.pop()
            self.shapes[pointer].target = self._shape(target)
        return result

    def pointee(self, pointer: int) -> int:
        """The shape of what a pointer type leads to, NONE for void and functions."""
        one = self._types.strip(pointer)
        return self.shape(one.target) if one is not None and one.kind is TypeKind.POINTER else NONE

    # Pointees wait in _pending: a chain of types can be longer than Python's stack.
    def _shape(self, type_index: int) -> int:
        if type_index < 0:
            return NONE
        known = self._by_type.get(type_index)
        if known is not None:
            return known
        one = self._types[type_index]
        flags = self._flags_of(one)
        if one.kind is TypeKind.TYPEDEF and not flags & ShapeFlag.NEVER:
            result = self._shape(one.target)
            self._by_type[type_index] = result
            return result
        if flags & ShapeFlag.NEVER:
            stripped = self._types.strip(type_index)
            index = self._add(type_index, ShapeKind.DATA, stripped.size if stripped else 0)
            self.flags[index] |= ShapeFlag.NEVER
            return index
        index = self._compile(one)
        if index != NONE:
            self.flags[index] |= flags
        return index

    def _add(self, type_index: int, kind: ShapeKind, size: int, target: int = NONE, count: int = 0) -> int:
        index = len(self.shapes)
        least = alignment(self._types, type_index)
        self.shapes.append(Shape(kind=kind, alignment=least, size=size, target=target, count=count))
        self.flags.append(0)
        self.source.append(type_index)
        if type_index >= 0:
            self._by_type[type_index] = index
        return index

    def bytes_of(self, kind: ShapeKind, size: int) -> int:
        """A nameless run of bytes."""
        key = (kind, size)
        if key not in self._words_of_size:
            self._words_of_size[key] = self._add(-1, kind, size)
        return self._words_of_size[key]

    def _compile(self, one: DataType) -> int:
        match one.kind:
            case TypeKind.POINTER:
                return self._pointer(one)
            case TypeKind.STRUCT:
                return self._struct(one)
            case TypeKind.UNION:
                return self._union(one)
            case TypeKind.ARRAY:
                return self._array(one)
            case TypeKind.VOID | TypeKind.FUNCTION:
                return NONE
            case _:
                return self._add(one.index, scalar_kind(one), one.size)

    def _pointer(self, one: DataType) -> int:
        target = self._types.strip(one.target)
        if target is not None and target.kind is TypeKind.FUNCTION:
            return self._add(one.index, ShapeKind.CODE, one.size)
        index = self._add(one.index, ShapeKind.POINTER, one.size)
        self._pending.append((index, one.target))
        return index

    def _struct(self, one: DataType) -> int:
        index = self._add(one.index, ShapeKind.STRUCT, one.size)
        self._set_struct(index, one, self._facts.of_type(one.index))
        return index

    def _set_struct(self, index: int, one: DataType, facts: Facts) -> None:
        inner = [(member.offset, self._member(one, member, facts)) for member in one.members if not member.bit_size]
        self._set_members(index, ((offset, shape) for offset, shape in inner if shape != NONE))

    def _member(self, holder: DataType, member: Member, facts: Facts) -> int:
        if f"{holder.name}.{member.name}" in self._plain_fields:
            return self.to_plain(member.type)
        return self._with_facts(member.type, facts.inside(self._types, member.name, member.offset, member.type))

    # A place of which facts speak has a shape of its own, whatever the type has elsewhere.
    def _with_facts(self, type_index: int, facts: Facts) -> int:
        one = self._types.strip(type_index)
        if not facts or one is None:
            return self._shape(type_index)
        if one.kind is TypeKind.ARRAY:
            count = one.count if one.count > 0 else NONE
            return self._add(-1, ShapeKind.ARRAY, one.size, self._element(one, facts), count)
        if facts.is_opaque:
            return self.bytes_of(ShapeKind.OPAQUE, one.size)
        if facts.is_pointer or (one.kind is TypeKind.POINTER and facts.here(ArrayLength)):
            return self._pointer_by_facts(one, facts)
        match one.kind:
            case TypeKind.STRUCT:
                index = self._add(-1, ShapeKind.STRUCT, one.size)
                self._set_struct(index, one, self._facts.of_type(one.index) | facts)
                return index
            case TypeKind.UNION:
                return self._choice(one, self._facts.of_type(one.index) | facts)
            case TypeKind.POINTER:
                return self._shape(type_index)
            case _:
                return self.bytes_of(ShapeKind.DATA, one.size) if facts.is_precise else self._shape(type_index)

    def _element(self, one: DataType, facts: Facts) -> int:
        element = self._with_facts(one.target, facts)
        return self.bytes_of(ShapeKind.WORDS, 1) if element == NONE else element

    def _pointer_by_facts(self, one: DataType, facts: Facts) -> int:
        index = self._pointer_to(points_to(self._types, one, facts))
        tagged, length = facts.here(TaggedPointer), facts.here(ArrayLength)
        if tagged is not None or length is not None:
            question, back = (self._facts.questions[length[0]], length[1]) if length is not None else (NONE, 0)
            self.shapes[index].first, self.shapes[index].count = len(self.pointer_facts), 1
            self.pointer_facts.append(PointerFactRow(tagged[0].mask if tagged is not None else 0, question, back))
        return index

    # A union of which annotations tell which member is in use.
    def _choice(self, one: DataType, facts: Facts) -> int:
        rows = []
        members = {member.name: member for member in one.members}
        for name, fact, back in facts.active():
            shape = self._with_facts(members[name].type, facts.inside(self._types, name, 0, members[name].type))
            rows.append(Case(self._facts.questions[fact], shape, back))
        if not rows:
            return self._union_by(one)
        index = self._add(-1, ShapeKind.CHOICE, one.size, self.bytes_of(ShapeKind.OPAQUE, one.size), len(rows))
        self.shapes[index].first = len(self.cases)
        self.cases += rows
        return index

    def to_plain(self, type_index: int) -> int:
        """The shape of a pointer, or an array of pointers, whose targets are plain bytes."""
        one = self._types.strip(type_index)
        if one is not None and one.kind is TypeKind.ARRAY:
            index = self._add(-1, ShapeKind.ARRAY, one.size, self.to_plain(one.target), one.count)
            return index
        if self._plain == NONE:
            self._plain = self._add(-1, ShapeKind.DATA, 1)
            self.flags[self._plain] |= ShapeFlag.PLAIN
        return self._add(-1, ShapeKind.POINTER, WORD, self._plain)

    def _set_members(self, index: int, members: Iterable[tuple[int, int]]) -> None:
        self.shapes[index].first = len(self.members)
        self.members.extend(ShapeMember(offset, shape) for offset, shape in members)
        self.shapes[index].count = len(self.members) - self.shapes[index].first

    def _array(self, one: DataType) -> int:
        index = self._add(one.index, ShapeKind.ARRAY, one.size)
        element = self._shape(one.target)
        if element == NONE:
            element = self.bytes_of(ShapeKind.WORDS, 1)
        self.shapes[index].target = element
        self.shapes[index].count = one.count if one.count > 0 else NONE
        return index

    def _union(self, one: DataType) -> int:
        facts = self._facts.of_type(one.index)
        if any(facts.active()):
            self._by_type[one.index] = self._choice(one, facts)
            return self._by_type[one.index]
        return self._union_by(one)

    def _union_by(self, one: DataType) -> int:
        index = self._add(one.index, ShapeKind.STRUCT, one.size)
        pieces = union_leaves(self._types, one)
        members = []
        for leaf in pieces:
            if leaf.kind is ShapeKind.POINTER:
                members.append((leaf.offset, self._pointer_to(leaf.target)))
            else:
                members.append((leaf.offset, self.bytes_of(leaf.kind, leaf.size)))
        self._set_members(index, members)
        return index

    def _pointer_to(self, target: int) -> int:
        index = self._add(-1, ShapeKind.POINTER, WORD)
        self._pending.append((index, target))
        return index


def alignment(types: TypeTable, type_index: int) -> int:
    """What addresses of objects of a type are multiples of, in bytes; 1 where that is not certain (packed structs)."""
    one = types.strip(type_index)
    if one is None or one.kind is TypeKind.FUNCTION or not one.size:
        return 1
    if one.kind is TypeKind.ARRAY:
        return alignment(types, one.target)
    if one.kind not in (TypeKind.STRUCT, TypeKind.UNION):
        return one.size if one.size in (1, 2, 4, WORD) else 1
    plain = [member for member in one.members if not member.bit_size]
    each = [(member.offset, alignment(types, member.type)) for member in plain]
    most = max((least for _, least in each), default=1)
    return most if one.size % most == 0 and all(offset % least == 0 for offset, least in each) else 1
