"""The scalars that a type is made of, and what the alternatives of a union agree on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gdb_mcr.engine.records import ShapeKind
from gdb_mcr.model.datatype import DataType, TypeKind, TypeTable
from gdb_mcr.units import WORD

MAX_UNION_LEAVES = 256
"""A union alternative with more leaves than this is not compared leaf by leaf: all its bytes are opaque."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar inside a type: `size` bytes at `offset`."""

    offset: int
    size: int
    kind: ShapeKind
    target: int
    """Pointee as an index in the type table, -1 for void or none."""


def scalar_kind(one: DataType) -> ShapeKind:
    """WORDS for what could hide a pointer (words and characters), else DATA."""
    if one.kind is TypeKind.CHARACTER or (one.kind is TypeKind.INTEGER and one.size in (1, WORD, 2 * WORD)):
        return ShapeKind.WORDS
    return ShapeKind.DATA


def leaves(types: TypeTable, type_index: int, offset: int = 0) -> list[Leaf] | None:
    """The scalars of a type in order, unions as what their alternatives agree on; None if there are too many."""
    one = types.strip(type_index)
    if one is None or one.kind is TypeKind.FUNCTION:
        return []
    if one.kind is TypeKind.STRUCT:
        plain = (member for member in one.members if not member.bit_size)
        return _join(leaves(types, member.type, offset + member.offset) for member in plain)
    if one.kind is TypeKind.UNION:
        return [Leaf(offset + leaf.offset, leaf.size, leaf.kind, leaf.target) for leaf in union_leaves(types, one)]
    if one.kind is TypeKind.ARRAY:
        return _array_leaves(types, one, offset)
    if one.kind is TypeKind.POINTER:
        target = types.strip(one.target)
        is_code = target is not None and target.kind is TypeKind.FUNCTION
        return [Leaf(offset, one.size, ShapeKind.CODE if is_code else ShapeKind.POINTER, one.target)]
    return [Leaf(offset, one.size, scalar_kind(one), -1)]


def _array_leaves(types: TypeTable, one: DataType, offset: int) -> list[Leaf] | None:
    element = types.strip(one.target)
    size = element.size if element else 1
    if (element is not None and element.kind is TypeKind.CHARACTER) or size == 1:
        return [Leaf(offset, max(one.count, 0) * size, ShapeKind.WORDS, -1)]
    if one.count > MAX_UNION_LEAVES:
        return None
    return _join(leaves(types, one.target, offset + n * size) for n in range(max(one.count, 0)))


def _join(parts: Iterable[list[Leaf] | None]) -> list[Leaf] | None:
    joined: list[Leaf] = []
    for part in parts:
        if part is None or len(joined) + len(part) > MAX_UNION_LEAVES:
            return None
        joined.extend(part)
    return joined


def union_leaves(types: TypeTable, union: DataType) -> list[Leaf]:
    """What all alternatives of a union agree on, as leaves; the rest as OPAQUE runs, or DATA if none has a pointer."""
    alternatives = [leaves(types, member.type) for member in union.members]
    known = [one for one in alternatives if one is not None]
    if len(known) < len(alternatives) or not known:
        return [Leaf(0, union.size, ShapeKind.OPAQUE, -1)]
    if not any(leaf.kind in (ShapeKind.POINTER, ShapeKind.CODE, ShapeKind.OPAQUE) for one in known for leaf in one):
        kind = ShapeKind.WORDS if any(leaf.kind is ShapeKind.WORDS for one in known for leaf in one) else ShapeKind.DATA
        return [Leaf(0, union.size, kind, -1)]
    agreed = [leaf for leaf in (_agreed(leaf, known[1:]) for leaf in known[0]) if leaf is not None]
    return _fill_gaps(agreed, union.size)


def _agreed(leaf: Leaf, others: list[list[Leaf]]) -> Leaf | None:
    target = leaf.target
    for one in others:
        same = next((other for other in one if other == replace(leaf, target=other.target)), None)
        if same is None:
            return None
        if same.target != target:
            target = -1
    return Leaf(leaf.offset, leaf.size, leaf.kind, target)


def _fill_gaps(agreed: list[Leaf], size: int) -> list[Leaf]:
    filled: list[Leaf] = []
    at = 0
    for leaf in agreed:
        if leaf.offset > at:
            filled.append(Leaf(at, leaf.offset - at, ShapeKind.OPAQUE, -1))
        filled.append(leaf)
        at = leaf.offset + leaf.size
    if at < size:
        filled.append(Leaf(at, size - at, ShapeKind.OPAQUE, -1))
    return filled
