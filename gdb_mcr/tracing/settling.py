"""Annotations that would settle a finding about memory whose type is not known, in the user's names."""

from __future__ import annotations

import re
from typing import Protocol

from gdb_mcr.model.datatype import DataType, TypeKind, TypeTable
from gdb_mcr.model.layout import element, flat_members, holds_pointers
from gdb_mcr.tracing.explain import Place
from gdb_mcr.units import WORD

MAX_LINKS = 2
"""Pointers in an object that does no more than link free chunks: to the next one, and to the one before."""


class Fields(Protocol):
    """What `tracing.explain.Explainer` knows of the fields of objects."""

    def way_in(self, index: int) -> Place | None: ...
    def field_type(self, place: Place) -> DataType | None: ...
    def short_field(self, place: Place) -> str: ...


def plain_statement(fields: Fields, types: TypeTable, index: int) -> str:
    """`bytes conn.rbuf;` for an object that a pointer leads to which by its type leads to no pointers; else ""."""
    place = fields.way_in(index)
    pointer = fields.field_type(place) if place is not None else None
    if place is None or pointer is None or pointer.kind is not TypeKind.POINTER:
        return ""
    if _is_code(types, pointer) or holds_pointers(types, pointer.target):
        return ""
    name = _field_name(fields, place)
    return f"bytes {name};" if name else ""


def points_statement(fields: Fields, types: TypeTable, place: Place | None, target: DataType | None) -> str:
    """`points cache.first to struct item;` for a void pointer or an integer at `place` that leads to one; else ""."""
    holder = fields.field_type(place) if place is not None else None
    if place is None or holder is None or target is None or not target.name:
        return ""
    is_void = holder.kind is TypeKind.POINTER and types.strip(holder.target) is None
    if not is_void and not (holder.kind is TypeKind.INTEGER and holder.size == WORD):
        return ""
    name = _field_name(fields, place)
    return f"points {name} to {target.kind.value} {target.name};" if name else ""


def _field_name(fields: Fields, place: Place) -> str:
    name = re.sub(r"\[\d+\]", "", fields.short_field(place))
    return name if re.fullmatch(r"[A-Za-z_]\w*((::|\.)[A-Za-z_]\w*)*", name, re.ASCII) else ""


def free_statement(types: TypeTable, *indices: int) -> str:
    """`free cache_free_s;` for the first of some types that only links chunks; "" if none does."""
    links = (one for index in indices if (one := types.strip(index)) is not None and _only_links(types, one))
    return next((f"free {one.kind.value} {one.name};" for one in links if one.name), "")


def _is_code(types: TypeTable, pointer: DataType) -> bool:
    target = types.strip(pointer.target)
    return target is not None and target.kind is TypeKind.FUNCTION


# A struct of one or two pointers to itself or to void, as lists have them: BSD's queues wrap them in a struct.
def _only_links(types: TypeTable, one: DataType) -> bool:
    pointers = _pointers(types, one)
    return (
        pointers is not None
        and 0 < len(pointers) <= MAX_LINKS
        and all((target := element(types, pointer.target)) is None or target.index == one.index for pointer in pointers)
    )


# All pointers of a struct, None if it holds anything else.
def _pointers(types: TypeTable, one: DataType) -> list[DataType] | None:
    found: list[DataType] = []
    for member in flat_members(types, one) if one.kind is TypeKind.STRUCT else ():
        inner = types.strip(member.type)
        within = [inner] if inner is not None and inner.kind is TypeKind.POINTER else None
        if inner is not None and inner.kind is TypeKind.STRUCT:
            within = _pointers(types, inner)
        if within is None:
            return None
        found += within
    return found
