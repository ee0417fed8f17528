"""Conversion programs: what the engine does, op by op, to bring an object of an O type to its N type.

Source: DESIGN section 10: members by name, arrays by index, enums by name, integers with a range check, pointers
translated, new members keep N's initial value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gdb_mcr.engine.records import NONE, EnumEntry, Op, OpCode, OpFlag, Program, ShapeFlag, ShapeKind
from gdb_mcr.model.datatype import DataType, Member, TypeKind, TypeTable
from gdb_mcr.model.handler import TaggedPointer
from gdb_mcr.model.layout import (
    LayoutComparer,
    describe,
    enum_changes,
    flat_members,
    is_integral,
    type_text,
)
from gdb_mcr.tracing.facts import FactIndex
from gdb_mcr.tracing.handled import NOT_HANDLED, HandlerIndex
from gdb_mcr.tracing.numbers import is_number, is_plain_copy, is_real, number_flags
from gdb_mcr.tracing.policy import Policy
from gdb_mcr.tracing.scalars import Leaf, leaves, union_leaves
from gdb_mcr.tracing.standpoint import At
from gdb_mcr.tracing.tails import open_array, tail_starts
from gdb_mcr.units import WORD

CHANGED_UNION = "a union whose alternatives changed"
"""Why a DroppedField is one that annotations about the member in use would settle."""


@dataclass(frozen=True, slots=True)
class DroppedField:
    """A member of O that has no home in N; `id` is the op's aux."""

    id: int
    path: str
    reason: str


class ProgramCompiler:
    """Compiles pairs of types; collects ops, enum maps and the fields that found no home."""

    def __init__(
        self,
        old: TypeTable,
        new: TypeTable,
        policy: Policy,
        layout: LayoutComparer,
        facts: FactIndex | None = None,
        pointee: Callable[[int], int] = lambda _: NONE,
    ) -> None:
        """:param pointee: from a pointer type of O to the shape that it leads to."""
        self._pointee = pointee
        self._old = old
        self._new = new
        self._policy = policy
        self._layout = layout
        self.handlers = HandlerIndex(policy.handlers)
        self.facts = facts or FactIndex()
        self.ops: list[Op] = []
        self.enums: list[EnumEntry] = []
        self.programs: list[Program] = []
        self.dropped: list[DroppedField] = []
        self._known: dict[tuple[int, int, str, int], int] = {}
        self._same: ProgramCompiler | None = None

    def program(self, old_index: int, new_index: int, variable: str = "", number: int = -1) -> int:
        """Index of the program for a pair of types; `variable` names a global that policies may speak of.

        :param number: the variable's index, for handlers and facts of that very variable.
        """
        has_own = self.handlers.of_variable(number) != NONE or self.facts.of_variable(number)
        key = (old_index, new_index, variable if self._speaks_of(variable) else "", number if has_own else -1)
        if key not in self._known:
            self._known[key] = self._compile(*key)
        return self._known[key]

    def conversion(self, old_index: int, new_index: int) -> tuple[int, int]:
        """Ops that convert one type to another in the midst of a handler: the first one, and how many."""
        first = len(self.ops)
        self._type(old_index, new_index, At(0, 0, ()))
        return first, len(self.ops) - first

    def as_is(self, index: int) -> int:
        """The program for a type without a counterpart in N: the layout stays, pointers are translated."""
        if self._same is None:
            layout = LayoutComparer(self._old, self._old)
            self._same = ProgramCompiler(self._old, self._old, Policy(), layout, self.facts, self._pointee)
            self._same.ops, self._same.enums = self.ops, self.enums
            self._same.programs, self._same.dropped = self.programs, self.dropped
        return self._same.program(index, index)

    def _speaks_of(self, variable: str) -> bool:
        policy = self._policy
        named = (*policy.field_flags, *policy.dropped, *policy.renamed_fields)
        return bool(variable) and any(name == variable or name.startswith(variable + ".") for name in named)

    def _compile(self, old_index: int, new_index: int, variable: str, number: int) -> int:
        first = len(self.ops)
        old, new = self._old.strip(old_index), self._new.strip(new_index)
        names = (variable,) if variable else ()
        handler, facts = self.handlers.of_variable(number), self.facts.of_variable(number)
        at = At(0, 0, names, self._policy.op_flags(*names), self.handlers.handled(handler), facts)
        self._type(old_index, new_index, at)
        self._handle(handler, at)
        old_tail, new_tail = tail_starts(self._old, old, self._new, new)
        row = Program(
            first=first,
            count=len(self.ops) - first,
            old_size=old.size if old else 0,
            new_size=new.size if new else 0,
            old_tail=old_tail,
            new_tail=new_tail,
            old_type=NONE,
            new_type=NONE,
            tail_program=NONE,
            identical=int(self._layout.same(old_index, new_index) and not variable and number < 0),
        )
        self.programs.append(row)
        index = len(self.programs) - 1
        row.tail_program = self._tail(old, new)
        return index

    # A flexible array member at the end of both structs: its elements' program.
    def _tail(self, old: DataType | None, new: DataType | None) -> int:
        old_array, new_array = open_array(self._old, old), open_array(self._new, new)
        if old_array is None or new_array is None:
            return NONE
        element = self._old.strip(old_array.target)
        if element is None or element.size <= 1:
            return NONE
        return self.program(old_array.target, new_array.target)

    def _emit(
        self, code: OpCode, at: At, *, old_bytes: int = 0, new_bytes: int = 0, length: int = 0, aux: int = 0
    ) -> Op:
        op = Op(
            code=code,
            flags=int(at.flags | OpFlag.HANDLED if at.handled.is_written else at.flags),
            old_bytes=old_bytes,
            new_bytes=new_bytes,
            old_offset=at.old,
            new_offset=at.new,
            length=length,
            aux=aux,
        )
        self.ops.append(op)
        return op

    def _drop(self, at: At, size: int, reason: str) -> None:
        is_handled = at.handled.is_read or at.handled.is_written
        if size == 0 or is_handled or any(name in self._policy.dropped for name in at.names):
            return
        path = at.names[-1] if at.names else "?"
        self.dropped.append(DroppedField(len(self.dropped), path, reason))
        self._emit(OpCode.DROPPED, at, length=size, aux=len(self.dropped) - 1)

    # A type's own conversion, and then its handler.
    def _type(self, old_index: int, new_index: int, at: At) -> None:
        old, new = self._old.strip(old_index), self._new.strip(new_index)
        handler = self.handlers.of_type(old.index, new.index) if old and new else NONE
        self._by_type(old_index, new_index, replace(at, handled=at.handled | self.handlers.handled(handler)))
        if not at.handled.is_written:
            self._handle(handler, at)

    # `keep old` of a field that it uses means what it makes of it.
    def _handle(self, handler: int, at: At) -> None:
        if handler == NONE:
            return
        one = self.handlers.handlers[handler]
        used = (".".join((one.place.name, *path)) for path in one.reads)
        kept = self._policy.op_flags(*used) & OpFlag.KEEP_OLD
        self._emit(OpCode.HANDLER, replace(at, flags=at.flags | kept, handled=NOT_HANDLED), aux=handler)

    def _by_type(self, old_index: int, new_index: int, at: At) -> None:
        if self._is_never(old_index):
            self._emit(OpCode.KEEP, at, old_bytes=1, length=self._size(old_index))
            return
        old, new = self._old.strip(old_index), self._new.strip(new_index)
        if old is None or new is None:
            return
        at = replace(at, facts=self.facts.of_type(old.index) | at.facts)
        if old.kind is not TypeKind.ARRAY and (at.facts.is_pointer or at.facts.is_opaque):
            self._by_facts(old, new, at)
        elif is_integral(old) and is_integral(new):
            self._integer(old, new, at)
        elif is_number(old) and is_real(new):
            self._real(old, new, at)
        elif old.kind is not new.kind:
            self._drop(at, old.size, f"it was {describe(old)}, now it is {describe(new)}")
        else:
            self._same_kind(old, new, at)

    # What an annotation says to be other than its type tells.
    def _by_facts(self, old: DataType, new: DataType, at: At) -> None:
        if at.facts.is_opaque and old.size == new.size:
            self._emit(OpCode.OPAQUE, at, length=old.size)
        elif at.facts.is_pointer and old.size == new.size == WORD:
            self._data_pointer(at)
        else:
            what = "opaque bytes" if at.facts.is_opaque else "a pointer"
            self._drop(at, old.size, f"it is {what} by annotation, and the new build has {describe(new)} there")

    # Tags are the program's own and stay.
    def _data_pointer(self, at: At, pointee: int = NONE) -> None:
        tagged = at.facts.here(TaggedPointer)
        tags = tagged[0].mask if tagged is not None else 0
        op = self._emit(OpCode.POINTER, at, length=tags & (1 << 32) - 1, aux=tags >> 32)
        op.old_stride = pointee

    def _is_never(self, index: int) -> bool:
        while index >= 0:
            one = self._old[index]
            if self._policy.shape_flags(one) & ShapeFlag.NEVER:
                return True
            if one.kind is not TypeKind.TYPEDEF:
                return False
            index = one.target
        return False

    def _size(self, index: int) -> int:
        one = self._old.strip(index)
        return one.size if one else 0

    def _same_kind(self, old: DataType, new: DataType, at: At) -> None:
        match old.kind:
            case TypeKind.FLOAT if old.size == new.size:
                self._emit(OpCode.DATA, at, length=old.size)
            case TypeKind.FLOAT:
                self._drop(at, old.size, f"it was {describe(old)}, now it is {describe(new)}")
            case TypeKind.POINTER:
                self._pointer(old, new, at)
            case TypeKind.ARRAY:
                self._array(old, new, at)
            case TypeKind.STRUCT:
                self._struct(old, new, at)
            case TypeKind.UNION:
                self._union(old, new, at)
            case _:
                pass

    def _integer(self, old: DataType, new: DataType, at: At) -> None:
        signed = replace(at, flags=at.flags | number_flags(old, new))
        changes = enum_changes(old, new) if old.kind is new.kind is TypeKind.ENUM else {}
        if changes:
            self._enum(old, new, signed, changes)
        elif is_plain_copy(old, new) and not at.flags & OpFlag.COUNTER:
            self._emit(OpCode.DATA, at, length=old.size)
        else:
            self._emit(OpCode.INTEGER, signed, old_bytes=old.size, new_bytes=new.size)

    def _real(self, old: DataType, new: DataType, at: At) -> None:
        flags = OpFlag.SIGNED if old.signed else OpFlag.NONE
        place = replace(at, flags=at.flags | flags)
        if old.kind is new.kind and old.size == new.size:
            self._emit(OpCode.DATA, at, length=old.size)
        else:
            self._emit(OpCode.REAL, place, old_bytes=old.size, new_bytes=new.size, aux=int(old.kind is TypeKind.FLOAT))

    def _pointer(self, old: DataType, new: DataType, at: At) -> None:
        if not self._layout.same_pointee(old.target, new.target) and not at.flags & OpFlag.KEEP_OLD:
            before, after = type_text(self._old, old.target), type_text(self._new, new.target)
            self._drop(at, old.size, f"it pointed to {before}, now it points to {after}")
            return
        target = self._old.strip(old.target)
        if target is not None and target.kind is TypeKind.FUNCTION:
            self._emit(OpCode.CODE, at)
        else:
            self._data_pointer(at, self._pointee(old.index))

    def _enum_map(self, old: DataType, changes: dict[int, int | None]) -> tuple[int, int]:
        entries = [(value, changes.get(value, value)) for _, value in sorted(old.constants, key=lambda one: one[1])]
        known = [EnumEntry(value, now) for value, now in entries if now is not None]
        first = len(self.enums)
        self.enums.extend(known)
        return first, len(known)

    def _enum(self, old: DataType, new: DataType, at: At, changes: dict[int, int | None]) -> None:
        first, count = self._enum_map(old, changes)
        self._emit(OpCode.ENUM, at, old_bytes=old.size, new_bytes=new.size, length=count, aux=first)

    def _array(self, old: DataType, new: DataType, at: At) -> None:
        count = min(max(old.count, 0), max(new.count, 0))
        element, size, new_size = self._old.strip(old.target), self._size(old.target), self._new_size(new.target)
        if count:
            if element is not None and is_integral(element) and self._layout.same(old.target, new.target):
                code = OpCode.WORDS if size in (1, WORD) else OpCode.DATA
                if size == 1:
                    self._emit(code, at, length=count)
                else:
                    self._loop(old, new, at, count, size, new_size)
            else:
                self._loop(old, new, at, count, size, new_size)
        if old.count > max(new.count, 0) and new.count > 0:
            rest = replace(at, old=at.old + count * size)
            self._drop(rest, (old.count - count) * size, f"the array has {new.count} elements now")

    def _new_size(self, index: int) -> int:
        one = self._new.strip(index)
        return one.size if one else 0

    def _loop(self, old: DataType, new: DataType, at: At, count: int, old_stride: int, new_stride: int) -> None:
        loop = self._emit(OpCode.LOOP, at, aux=count)
        body = len(self.ops)
        self._type(old.target, new.target, replace(at, old=0, new=0))
        loop.length = len(self.ops) - body
        loop.old_stride, loop.new_stride = old_stride, new_stride
        if not loop.length:
            self.ops.pop()

    def _struct(self, old: DataType, new: DataType, at: At) -> None:
        self._emit(OpCode.NESTED, at, length=old.size)
        now = {member.name: member for member in flat_members(self._new, new) if member.name}
        taken = set()
        for member in flat_members(self._old, old):
            place = at.member(self._old, member, old.name)
            place = replace(place, flags=place.flags | self._policy.op_flags(*place.names))
            target = self._counterpart(member, place, new, now) if member.name else self._same_unnamed(member, new)
            if target is None:
                self._drop_member(member, place)
                continue
            taken.add(target.name)
            handled = place.handled.new(target.name.split("."))
            self._member(member, target, replace(place, new=at.new + target.offset, handled=handled))

    def _drop_member(self, member: Member, place: At) -> None:
        size = (member.bit_offset + member.bit_size + 7) // 8 if member.bit_size else self._size(member.type)
        self._drop(place, size, "the new build has no such member")

    def _member(self, old: Member, new: Member, place: At) -> None:
        if old.bit_size or new.bit_size:
            old_width = old.bit_size or self._size(old.type) * 8
            new_width = new.bit_size or self._new_size(new.type) * 8
            self._bits(old, new, place, old_width, new_width)
        else:
            self._type(old.type, new.type, place)

    def _bits(self, old: Member, new: Member, place: At, old_width: int, new_width: int) -> None:
        before, after = self._old.strip(old.type), self._new.strip(new.type)
        if before is None or after is None or not is_integral(before) or not is_integral(after):
            self._drop(place, (old.bit_offset + old_width + 7) // 8, "it is no integer any more")
            return
        bits = old.bit_offset << 16 | new.bit_offset
        flagged = replace(place, flags=place.flags | number_flags(before, after))
        op = self._emit(OpCode.BITS, flagged, old_bytes=old_width, new_bytes=new_width, aux=bits)
        changes = enum_changes(before, after) if before.kind is after.kind is TypeKind.ENUM else {}
        if changes:
            op.old_stride, op.length = self._enum_map(before, changes)

    # The new member that continues an old one: by annotation, else of the same name.
    def _counterpart(self, member: Member, place: At, new: DataType, now: dict[str, Member]) -> Member | None:
        for name in place.names:
            path = self._policy.renamed_fields.get(name)
            if path is not None:
                return self._find(new, path)
        return now.get(member.name)

    # Members of anonymous unions are known by their names in the struct (C11 6.7.2.1), so that one of them tells.
    def _same_unnamed(self, member: Member, new: DataType) -> Member | None:
        names = self._names_inside(self._old, member)
        unnamed = (one for one in flat_members(self._new, new) if not one.name)
        return next((one for one in unnamed if names & self._names_inside(self._new, one)), None)

    @staticmethod
    def _names_inside(types: TypeTable, member: Member) -> set[str]:
        one = types.strip(member.type)
        return {inner.name for inner in flat_members(types, one) if inner.name} if one is not None else set()

    def _find(self, new: DataType, path: str) -> Member | None:
        offset = 0
        one: DataType | None = new
        found: Member | None = None
        for name in path.split("."):
            if one is None:
                return None
            found = next((member for member in flat_members(self._new, one) if member.name == name), None)
            if found is None:
                return None
            offset += found.offset
            one = self._new.strip(found.type)
        return replace(found, name=path, offset=offset) if found else None

    def _union(self, old: DataType, new: DataType, at: At) -> None:
        if any(at.facts.active()):
            self._choice(old, new, at)
        elif self._goes_on(old, new):
            for leaf in union_leaves(self._old, old):
                self._leaf(leaf, replace(at, old=at.old + leaf.offset, new=at.new + leaf.offset))
        elif not at.handled.reads and not at.handled.writes:
            self._drop(at, old.size, CHANGED_UNION)

    # A union of which annotations tell the member that is in use; if it is none, its bytes are opaque.
    def _choice(self, old: DataType, new: DataType, at: At) -> None:
        members, now = ({one.name: one for one in union.members} for union in (old, new))
        choices = []
        for name, fact, back in at.facts.active():
            choice = self._emit(OpCode.CHOICE, replace(at, handled=NOT_HANDLED), aux=self.facts.questions[fact])
            choice.new_stride = back
            first = len(self.ops)
            place = at.member(self._old, members[name], old.name)
            path = fact.place.old_path if self._old is self._new else fact.place.new_path
            target = now.get(path[-1]) if path else None
            if target is None:
                self._drop_member(members[name], place)
            else:
                self._member(members[name], target, replace(place, handled=place.handled.new((target.name,))))
            choice.length = len(self.ops) - first
            choices.append((choice, len(self.ops)))
        if old.size == new.size:
            self._emit(OpCode.OPAQUE, at, length=old.size)
        else:
            self._drop(at, old.size, "no annotation tells which of its members is in use")
        for choice, end in choices:
            choice.old_stride = len(self.ops) - end

    # Every alternative stands in the new union as it was; whichever is in use, it can be read there. Where one of them
    # alone leads to what has another layout now, nobody knows whether it is that.
    def _goes_on(self, old: DataType, new: DataType) -> bool:
        if self._layout.same(old.index, new.index):
            return True
        now = {member.name: member.type for member in new.members if member.name}
        each = [leaf for member in old.members for leaf in leaves(self._old, member.type) or ()]
        kept = all(self._layout.is_kept(leaf.target) for leaf in each if leaf.kind is ShapeKind.POINTER)
        goes_on = (member.name in now and self._layout.same(member.type, now[member.name]) for member in old.members)
        return kept and all(goes_on)

    def _leaf(self, leaf: Leaf, at: At) -> None:
        codes = {
            ShapeKind.POINTER: OpCode.POINTER,
            ShapeKind.CODE: OpCode.CODE,
            ShapeKind.OPAQUE: OpCode.OPAQUE,
            ShapeKind.WORDS: OpCode.WORDS,
        }
        code = codes.get(leaf.kind, OpCode.DATA)
        op = self._emit(code, at, length=0 if code in (OpCode.POINTER, OpCode.CODE) else leaf.size)
        if code is OpCode.POINTER:
            op.old_stride = NONE
