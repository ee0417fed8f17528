"""Which types, variables and functions of the old program continue in the new one.

Identity is the name together with the declaring file, never the name alone (DESIGN section 8); annotations rename.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

from gdb_mcr.annotations.names import ProgramNames
from gdb_mcr.model.annotation import Annotations
from gdb_mcr.model.datatype import DataType, TypeKind, TypeTable
from gdb_mcr.model.layout import LayoutComparer
from gdb_mcr.model.match import Match
from gdb_mcr.model.place import Side
from gdb_mcr.model.program import Function, Program, Variable
from gdb_mcr.model.statement import TypeName
from gdb_mcr.source import Span

_TAGGED = frozenset({TypeKind.STRUCT, TypeKind.UNION, TypeKind.ENUM})
_NOWHERE = Span("", 0, 0, 0, 0)


def match_programs(old: Program, new: Program, annotations: Annotations) -> Match:
    """Pairs everything that has a name in both programs."""
    names = ProgramNames(new, Side.NEW)
    return Match(
        types=_one_to_one(_types(old, names, annotations), lambda one, two: _is_twin_type(old, new, one, two)),
        variables=_one_to_one(
            _variables(old, names, annotations), lambda one, two: _is_twin_variable(old, new, one, two)
        ),
        functions=dict(_functions(old, new)),
    )


# Of several that would continue as the same one, the one of its own file does; if none or more than one, nobody does.
def _one_to_one(pairs: Iterable[tuple[int, int]], is_twin: Callable[[int, int], bool]) -> dict[int, int]:
    wanted: dict[int, list[int]] = {}
    for one, target in pairs:
        wanted.setdefault(target, []).append(one)
    found: dict[int, int] = {}
    for target, ones in wanted.items():
        chosen = ones if len(ones) == 1 else [one for one in ones if is_twin(one, target)]
        if len(chosen) == 1:
            found[chosen[0]] = target
    return dict(sorted(found.items()))


def _is_twin_type(old: Program, new: Program, one: int, two: int) -> bool:
    return old.types[one].decl_file == new.types[two].decl_file


def _is_twin_variable(old: Program, new: Program, one: int, two: int) -> bool:
    return old.variables[one].decl_file == new.variables[two].decl_file


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
        if target is None and not _is_renumbered(old, new.program, one):
            target = new.same_variable(one)
        if target is not None:
            yield index, target


# Static variables of one name in one function are told apart by their order: with one more or less it tells nothing.
def _is_renumbered(old: Program, new: Program, one: Variable) -> bool:
    return bool(one.function) and _same_names(old, one) != _same_names(new, one) != 0


def _same_names(program: Program, one: Variable) -> int:
    key = (one.name, one.function, PurePosixPath(one.decl_file).name)
    return sum((other.name, other.function, PurePosixPath(other.decl_file).name) == key for other in program.variables)


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
