"""What stands behind a struct: the elements of its last member, which its size does not count (C11 6.7.2.1p18)."""

from __future__ import annotations

from gdb_mcr.model.datatype import DataType, TypeKind, TypeTable


def open_array(types: TypeTable, one: DataType | None) -> DataType | None:
    """A struct's last member if it is an array that goes on behind the struct: flexible, or the older [1]."""
    if one is None or one.kind is not TypeKind.STRUCT or not one.members:
        return None
    last = types.strip(one.members[-1].type)
    return last if last is not None and last.kind is TypeKind.ARRAY and last.count <= 1 else None


def tail_starts(
    old_types: TypeTable, old: DataType | None, new_types: TypeTable, new: DataType | None
) -> tuple[int, int]:
    """Offsets in O and in N from which on elements follow each other: behind those that both declare, else sizeof."""
    before, after = open_array(old_types, old), open_array(new_types, new)
    if old is None or new is None or before is None or after is None:
        return old.size if old is not None else 0, new.size if new is not None else 0
    declared = max(min(before.count, after.count), 0)
    return _behind(old_types, old, before, declared), _behind(new_types, new, after, declared)


def _behind(types: TypeTable, one: DataType, array: DataType, count: int) -> int:
    element = types.strip(array.target)
    return one.members[-1].offset + count * (element.size if element is not None else 0)
