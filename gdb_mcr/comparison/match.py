"""Which types, variables and functions of the old program continue in the new one.

Identity is the name together with the declaring file, never the name alone (DESIGN section 8); annotations rename.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from gdb_mcr.annotations.names import ProgramNames
from gdb_mcr.model.annotation import Annotations
from gdb_mcr.model.datatype import DataType, TypeKind, TypeTable
from gdb_mcr.model.layout import LayoutComparer
from gdb_mcr.model.match import Match
from gdb_mcr.model.place import Side
from gdb_mcr.model.program import Function, Program
from gdb_mcr.model.statement import TypeName
from gdb_mcr.source import Span

_TAGGED = frozenset({TypeKind.STRUCT, TypeKind.UNION, TypeKind.ENUM})
_NOWHERE = Span("", 0, 0, 0, 0)


def match_programs(old: Program, new: Program, annotations: Annotations) -> Match:
    """Pairs everything that has a name in both programs."""
    names = ProgramNames(new, Side.NEW)
    return Match(
        types=dict(_types(old, names, annotations)),
        variables=dict(_variables(old, names, annotations)),
        functions=dict(_functions(old, new)),
    )


def _types(old: Program, new: ProgramNames, annotations: Annotations) -> Iterator[tuple[int, int]]:
    renamed = {place.old: place.new for place in annotations.types}
    layout = LayoutComparer(old.types, new.program.types)
    for one in old.types:
        if one.kind not in _TAGGED or not one.name or not one.complete:
            continue
        target = renamed.get(one.index)
        if target is None:
            target = _twin(one, new.program.types, layout)
        if target is None:
            target = new.same_type(one, TypeName(one.name, "", "", _NOWHERE))
        if target is not None:
            yield one.index, target


# One header may declare a type in several shapes, by feature macros (struct tm of <time.h>): then the shape decides.
def _twin(one: DataType, new: TypeTable, layout: LayoutComparer) -> int | None:
    found = [
        other.index
        for other in new.named(one.name)
        if other.kind is one.kind and other.complete and other.decl_file == one.decl_file
    ]
    return next((index for index in found if layout.same(one.index, index)), None) if len(found) > 1 else None


def _variables(old: Program, new: ProgramNames, annotations: Annotations) -> Iterator[tuple[int, int]]:
    renamed = {place.old: place.new for place in annotations.variables}
    for index, one in enumerate(old.variables):
        target = renamed.get(index)
        if target is None:
            target = new.same_variable(one)
        if target is not None:
            yield index, target


# A pointer to a function leads to where callers of its name land; clones have no counterpart of their own.
def _functions(old: Program, new: Program) -> Iterator[tuple[int, int]]:
    candidates: dict[str, list[int]] = {}
    for index, function in enumerate(new.functions):
        if function.is_whole:
            candidates.setdefault(function.name, []).append(index)
    for index, function in enumerate(old.functions):
        if not function.is_whole:
            continue
        found = candidates.get(function.name, [])
        same = [one for one in found if _same_file(function, new.functions[one])] or found
        if len(same) == 1:
            yield index, same[0]


def _same_file(one: Function, other: Function) -> bool:
    return PurePosixPath(one.decl_file).name == PurePosixPath(other.decl_file).name
