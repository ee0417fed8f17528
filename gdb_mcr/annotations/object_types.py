"""Which types objects of a program can have, as far as its types, variables and allocations say."""

from __future__ import annotations

from collections.abc import Iterable

from gdb_mcr.model.datatype import TypeKind
from gdb_mcr.model.program import Program


def types_of_objects(program: Program, more: Iterable[int] = ()) -> frozenset[int]:
    """Indices of all types that an object, or a part of one, can have; typedefs stripped.

    From variables and typed allocation sites through members, elements and pointers.

    :param more: types that objects have for other reasons.
    """
    types = program.types
    waiting = [one.type for one in program.variables] + [site.type for site in program.sites] + list(more)
    found: set[int] = set()
    while waiting:
        one = types.strip(waiting.pop())
        if one is None or one.index in found:
            continue
        found.add(one.index)
        if one.kind in (TypeKind.POINTER, TypeKind.ARRAY):
            waiting.append(one.target)
        waiting.extend(member.type for member in one.members)
    return frozenset(found)
