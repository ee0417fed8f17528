"""What `free` and `bytes` say about the old program's memory, against its types."""

from __future__ import annotations

from gdb_mcr.annotations.labels import Label
from gdb_mcr.annotations.names import Miss, ProgramNames
from gdb_mcr.annotations.pairs import Pair
from gdb_mcr.model.datatype import TypeKind, TypeTable
from gdb_mcr.model.layout import describe, element, holds_pointers
from gdb_mcr.model.place import Place, Side
from gdb_mcr.model.statement import TypeName

_AGGREGATES = frozenset({TypeKind.STRUCT, TypeKind.UNION})


def free_type(old: ProgramNames, name: TypeName) -> int | Miss:
    """The struct or union that begins free chunks: complete, since where it ends the dead bytes begin."""
    found = old.type(name)
    if isinstance(found, Miss):
        return found
    one = old.program.types[found]
    if one.kind not in _AGGREGATES:
        return Miss(Label.NOT_A_STRUCT, f"`{name}` is `{describe(one)}`", "name the struct that links free chunks")
    if not one.complete:
        message = f"the old program only declares `{describe(one)}`"
        return Miss(Label.INCOMPLETE_TYPE, message, "its size is known to whoever defines it")
    return found


def not_plain(pair: Pair, place: Place) -> Miss | None:
    """Why ``place`` does not lead to plain bytes by the old program's types, None if it may."""
    types = pair.old.program.types
    leaf = pair.leaf(place, Side.OLD)
    if isinstance(leaf, Miss):
        return leaf
    pointer = element(types, leaf)
    if pointer is not None and pointer.kind is TypeKind.POINTER:
        return _no_bytes(types, place, pointer.target)
    one = types.strip(leaf)
    what = describe(one) if one is not None else "void"
    hint = "name the pointer that leads to the bytes, or an array of such pointers"
    return Miss(Label.NOT_A_POINTER, f"`{place.key}` is `{what}` in the old program", hint)


def _no_bytes(types: TypeTable, place: Place, target: int) -> Miss | None:
    one = types.strip(target)
    if one is not None and one.kind is TypeKind.FUNCTION:
        return Miss(Label.NOT_A_POINTER, f"`{place.key}` leads to a function", "name a pointer to data")
    if one is None or not holds_pointers(types, target):
        return None
    message = f"`{place.key}` leads to `{describe(one)}`, which is no plain bytes by its type"
    return Miss(Label.HOLDS_POINTERS, message, "`keep new TYPE.field;` leaves a stale field as the new program has it")
