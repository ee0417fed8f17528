"""What an update does to the fields of one object, told before there is an N: by O's values and those of its start-up.

The same rules as the engine's (`native/engine/convert.c`), one field at a time and in words. N's own values are not
known here. Source: DESIGN sections 9 and 10.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from gdb_mcr.engine.records import Op, OpCode, OpFlag
from gdb_mcr.model.datatype import DataType, TypeKind, TypeTable
from gdb_mcr.model.inspection import FieldFate
from gdb_mcr.model.layout import flat_members
from gdb_mcr.tracing.handled import Handled
from gdb_mcr.tracing.leaves import Leaf, leaf_path, unroll
from gdb_mcr.tracing.transfer import StateTransfer
from gdb_mcr.tracing.values import ValueWriter
from gdb_mcr.units import Range

MAX_LEAVES = 4096
"""Fields of one object that are looked at; an array may have millions."""

UNCHANGED = "ours: unchanged since start-up"
REFUSED = "refused: "
ADDED = "ours: new in this build"
HANDLED = "by a transfer handler"


@dataclass(frozen=True, slots=True)
class Subject:
    """One element of an object: its bytes now and, if it was there, at the end of start-up."""

    type: int
    program: int
    """Conversion program to N's type."""
    theirs: bytes
    base: bytes | None


class FieldTeller:
    """Tells the fates of fields. Ask before the transfer, which works in the same images."""

    def __init__(self, transfer: StateTransfer, values: ValueWriter, *, has_new: bool) -> None:
        """:param has_new: whether the transfer is to another build; if not, only what changed in O is told."""
        self._transfer = transfer
        self._types = transfer.old.executable.program.types
        self._new_types = transfer.new.executable.program.types
        self._values = values
        self._has_new = has_new

    def rows(self, one: Subject, wanted: Range) -> list[FieldFate]:
        """The fields that touch bytes `wanted` of an element, at most MAX_LEAVES."""
        program = self._transfer.compiler.programs[one.program]
        ops = self._transfer.compiler.ops[program.first : program.first + program.count]
        leaves = list(islice(unroll(ops, wanted), MAX_LEAVES))
        rows = [self._row(one, leaf) for leaf in leaves if leaf.old.end <= len(one.theirs)]
        return [*rows, *self._without_op(one, leaves, wanted)]

    def _row(self, one: Subject, leaf: Leaf) -> FieldFate:
        path, leaf_type = leaf_path(self._types, one.type, leaf.old, leaf.bit)
        theirs, base = one.theirs[leaf.old.start : leaf.old.end], self._base(one, leaf)
        shown_base = self._value(leaf, leaf_type, base) if base is not None else ""
        decision = self._decide(leaf.op, theirs, base)
        return FieldFate(path.removeprefix("."), decision, shown_base, self._value(leaf, leaf_type, theirs))

    # Zero where the object did not reach so far.
    @staticmethod
    def _base(one: Subject, leaf: Leaf) -> bytes | None:
        return None if one.base is None else one.base[leaf.old.start : leaf.old.end].ljust(leaf.old.size, b"\0")

    def _value(self, leaf: Leaf, leaf_type: int, data: bytes) -> str:
        if leaf.op.code == OpCode.BITS:
            return str(_bits_of(leaf.op, data))
        return self._values.write(leaf_type, data)

    def _decide(self, op: Op, theirs: bytes, base: bytes | None) -> str:
        changed = base is not None and _significant(op, theirs) != _significant(op, base)
        if not self._has_new:
            return "" if base is None else "changed since start-up" if changed else "as at the end of start-up"
        if op.code == OpCode.DROPPED:
            return self._dropped(op, changed if base is not None else any(theirs))
        return self._by_policy(op, base) or self._merged(op, theirs, base, changed)

    def _dropped(self, op: Op, is_loss: bool) -> str:
        reason = self._transfer.dropped[op.aux].reason
        return f"{REFUSED}it has a value of its own, and {reason}" if is_loss else f"left behind: {reason}"

    @staticmethod
    def _by_policy(op: Op, base: bytes | None) -> str:
        if op.flags & OpFlag.HANDLED:
            return HANDLED
        if op.code == OpCode.KEEP:
            return "ours: never merged" if base is not None else "theirs: moved as it is"
        if op.flags & OpFlag.KEEP_NEW:
            return "ours: by annotation"
        if op.flags & OpFlag.COUNTER and base is not None:
            return "sum: ours, and what was added since start-up"
        return "theirs: by annotation" if op.flags & OpFlag.KEEP_OLD and base is not None else ""

    def _merged(self, op: Op, theirs: bytes, base: bytes | None, changed: bool) -> str:
        if base is not None and not changed:
            return UNCHANGED
        lost = self._lost(op, theirs)
        if lost:
            return lost
        why = "made since start-up" if base is None else "changed since start-up"
        return f"theirs: {why}{_conversion(op)}"

    def _lost(self, op: Op, theirs: bytes) -> str:
        if op.code not in (OpCode.POINTER, OpCode.CODE):
            return ""
        value = int.from_bytes(theirs, "little")
        is_lost = value != 0 and self._transfer.tracer.translate(value) == 0
        return f"{REFUSED}the new build does not have what it points to" if is_lost else ""

    # Members that no op speaks of: dropped by annotation, or new. Only of structs at the outermost level.
    def _without_op(self, one: Subject, leaves: Sequence[Leaf], wanted: Range) -> Iterator[FieldFate]:
        old = self._types.strip(one.type)
        if not self._has_new or old is None or old.kind is not TypeKind.STRUCT or len(leaves) == MAX_LEAVES:
            return
        handled = self._handled(old)
        for name, place, kind in _members(self._types, old):
            if place.overlaps(wanted) and not any(leaf.old.overlaps(place) for leaf in leaves):
                value = self._values.write(kind, one.theirs[place.start : place.end])
                is_read = handled.is_read or handled.old(name).reads
                yield FieldFate(name, HANDLED if is_read else "left behind: by annotation", "", value)
        if wanted.size >= old.size:
            yield from self._added(old, leaves)

    def _handled(self, old: DataType) -> Handled:
        handlers, target = self._transfer.compiler.handlers, self._transfer.match.types.get(old.index, -1)
        return handlers.handled(handlers.of_type(old.index, target))

    def _added(self, old: DataType, leaves: Sequence[Leaf]) -> Iterator[FieldFate]:
        target = self._transfer.match.types.get(old.index)
        if target is None:
            return
        handled = self._handled(old)
        taken = {leaf.new_offset for leaf in leaves if leaf.op.code != OpCode.DROPPED}
        for name, place, _ in _members(self._new_types, self._new_types[target]):
            if not any(offset in place for offset in taken):
                yield FieldFate(name, HANDLED if handled.new([name]).writes else ADDED)


def _members(types: TypeTable, one: DataType) -> Iterator[tuple[str, Range, int]]:
    for member in flat_members(types, one):
        inner = types.strip(member.type)
        if member.name and inner is not None and inner.size and not member.bit_size:
            yield member.name, Range(member.offset, member.offset + inner.size), member.type


# A bit field shares its bytes with others.
def _significant(op: Op, data: bytes) -> bytes | int:
    return _bits_of(op, data) if op.code == OpCode.BITS else data


def _bits_of(op: Op, data: bytes) -> int:
    first, width = int(op.aux) >> 16, int(op.old_bytes)
    return int.from_bytes(data, "little") >> first & ((1 << width) - 1)


def _conversion(op: Op) -> str:
    if op.code == OpCode.ENUM:
        return ", by its constant's name"
    if op.code == OpCode.INTEGER and op.old_bytes != op.new_bytes:
        return f", {op.old_bytes} bytes become {op.new_bytes}"
    return ""


def in_element(row: FieldFate, number: int) -> FieldFate:
    """The same row of one element of an array."""
    inner = f".{row.path}" if row.path and not row.path.startswith("[") else row.path
    return replace(row, path=f"[{number}]{inner}")
