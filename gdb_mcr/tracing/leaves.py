"""The fields of an object one by one, as a conversion program goes over them: where each stands in O and in N."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gdb_mcr.engine.records import Op, OpCode
from gdb_mcr.model.datatype import DataType, Member, TypeKind, TypeTable
from gdb_mcr.model.layout import flat_members
from gdb_mcr.units import WORD, Range


@dataclass(frozen=True, slots=True)
class Leaf:
    """One op at one place. Offsets in bytes from the element's start."""

    op: Op
    old: Range
    new_offset: int

    @property
    def bit(self) -> int:
        """Of a bit field: its first bit, counted from `old.start`; else -1."""
        return self.op.aux >> 16 if self.op.code == OpCode.BITS else -1


def unroll(ops: Sequence[Op], wanted: Range, old: int = 0, new: int = 0) -> Iterator[Leaf]:
    """All ops that touch bytes `wanted` of the element, loops unrolled."""
    at = 0
    while at < len(ops):
        op = ops[at]
        at += 1
        place = Range(old + op.old_offset, old + op.old_offset + op_size(op))
        if op.code == OpCode.LOOP:
            body = ops[at : at + op.length]
            at += op.length
            for n in _rounds(op, place, wanted):
                yield from unroll(
                    body, wanted, place.start + n * op.old_stride, new + op.new_offset + n * op.new_stride
                )
        elif op.code not in _WITHOUT_BYTES and place.overlaps(wanted):
            yield Leaf(op, place, new + op.new_offset)


_WITHOUT_BYTES = frozenset({OpCode.NESTED, OpCode.HANDLER, OpCode.CHOICE})


# The rounds of a loop that touch `wanted`.
def _rounds(op: Op, place: Range, wanted: Range) -> range:
    stride = max(op.old_stride, 1)
    first = max(0, (wanted.start - place.start) // stride)
    last = min(op.aux, -(-(wanted.end - place.start) // stride))
    return range(first, max(first, last))


def op_size(op: Op) -> int:
    """Bytes of O that an op covers."""
    match op.code:
        case OpCode.POINTER | OpCode.CODE:
            return WORD
        case OpCode.INTEGER | OpCode.ENUM | OpCode.REAL:
            return int(op.old_bytes)
        case OpCode.BITS:
            return int(((op.aux >> 16) + op.old_bytes + 7) // 8)
        case OpCode.LOOP:
            return int(op.aux * op.old_stride)
        case _:
            return int(op.length)


def leaf_path(types: TypeTable, index: int, leaf: Range, bit: int = -1) -> tuple[str, int]:
    """The field at bytes `leaf` of a type as C writes it behind a variable, and its type: `.event.ev_fd`, `[3].next`.

    :param bit: of a bit field, its first bit from `leaf.start`.
    """
    path, offset = "", leaf.start
    while True:
        one = types.strip(index)
        if one is None or (one.size == leaf.size and offset == 0 and not _is_wrapper(one)):
            return path, index
        if one.kind is TypeKind.ARRAY:
            element = types.strip(one.target)
            if element is None or not element.size or element.size < leaf.size:
                return path, index
            path += f"[{offset // element.size}]"
            offset, index = offset % element.size, one.target
            continue
        member = _member_at(types, one, offset, leaf.size, bit)
        if member is None:
            return path, index
        path += f".{member.name}" if member.name else ""
        offset, index = offset - member.offset, member.type
        if member.bit_size:
            return path, index


# A struct of one member has that member's size: go on to the member.
def _is_wrapper(one: DataType) -> bool:
    return one.kind in (TypeKind.STRUCT, TypeKind.UNION) and len(one.members) == 1


def _member_at(types: TypeTable, one: DataType, offset: int, size: int, bit: int) -> Member | None:
    if one.kind not in (TypeKind.STRUCT, TypeKind.UNION):
        return None
    for member in flat_members(types, one):
        if member.bit_size:
            if (member.offset, member.bit_offset) == (offset, bit):
                return member
            continue
        inner = types.strip(member.type)
        length = inner.size if inner else 0
        if member.offset <= offset and offset + size <= member.offset + length and bit < 0:
            return member
    # A bit field inside an inner aggregate.
    return _holder_of_bit(types, one, offset) if bit >= 0 else None


def _holder_of_bit(types: TypeTable, one: DataType, offset: int) -> Member | None:
    for member in flat_members(types, one):
        inner = types.strip(member.type)
        if inner is None or inner.kind not in (TypeKind.STRUCT, TypeKind.UNION, TypeKind.ARRAY) or member.bit_size:
            continue
        if member.offset <= offset < member.offset + inner.size:
            return member
    return None
