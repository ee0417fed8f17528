"""Which numbers of O can be numbers of N, and how. Source: DESIGN section 10, "integers with a range check"."""

from __future__ import annotations

from gdb_mcr.engine.records import OpFlag
from gdb_mcr.model.datatype import DataType, TypeKind
from gdb_mcr.model.layout import are_bytes, is_integral, narrows


def is_number(one: DataType) -> bool:
    """An integer of C, or a float or double."""
    return is_integral(one) or is_real(one)


def is_real(one: DataType) -> bool:
    """float or double."""
    return one.kind is TypeKind.FLOAT and one.size in (4, 8)


def is_plain_copy(old: DataType, new: DataType) -> bool:
    """Whether an integer's bytes stay as they are, whatever its value."""
    return old.size == new.size and (old.signed == new.signed or are_bytes(old, new)) and not narrows(old, new)


def number_flags(old: DataType, new: DataType) -> OpFlag:
    """The signs of an integer, and whether it must be 0 or 1 in N."""
    flags = OpFlag.SIGNED if old.signed else OpFlag.NONE
    if new.kind is TypeKind.BOOLEAN:
        return flags | OpFlag.BOOLEAN
    return flags | OpFlag.NEW_SIGNED if new.signed else flags
