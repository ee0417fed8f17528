"""All differences between two builds, in the user's terms. Source: DESIGN section 11; SERVERS.md, "Sizes lie"."""

from __future__ import annotations

from collections.abc import Iterator

from gdb_mcr.model.datatype import DataType, Member, TypeKind, TypeTable
from gdb_mcr.model.inspection import Change
from gdb_mcr.model.layout import LayoutComparer, describe, enum_changes, flat_members
from gdb_mcr.model.match import Match
from gdb_mcr.model.program import Function, Program, Variable

AGGREGATES = frozenset({TypeKind.STRUCT, TypeKind.UNION})


def differences(old: Program, new: Program, match: Match) -> tuple[Change, ...]:
    """Types, enums, variables and functions that were added, removed, changed or renamed."""
    layout = _shapes(old.types, new.types)
    changes = [
        *_types(old.types, new.types, match, layout),
        *_variables(old, new, match, layout),
        *_functions(old, new, match),
    ]
    return tuple(sorted(set(changes), key=lambda one: (one.subject, one.name, one.file)))


def changed_types(old: Program, new: Program, match: Match) -> Iterator[tuple[DataType, DataType]]:
    """Structs and unions whose layout differs. An enum that was renumbered is a difference of its own."""
    layout = _shapes(old.types, new.types)
    for old_index, new_index in match.types.items():
        if old.types[old_index].kind in AGGREGATES and not layout.same(old_index, new_index):
            yield old.types[old_index], new.types[new_index]


def _shapes(old: TypeTable, new: TypeTable) -> LayoutComparer:
    return LayoutComparer(old, new, by_constants=False)


def lost_members(old: TypeTable, new: TypeTable, one: DataType, now: DataType) -> list[Member]:
    """Members of an old aggregate that its new form has under no name."""
    names = {member.name for member in flat_members(new, now)}
    return [member for member in flat_members(old, one) if member.name and member.name not in names]


def member_lines(old: TypeTable, new: TypeTable, one: DataType, now: DataType) -> tuple[str, ...]:
    """One line for each member that differs, and one for the size."""
    lines = [f"size {one.size} -> {now.size} bytes"] if one.size != now.size else []
    before = {member.name: member for member in flat_members(old, one)}
    after = {member.name: member for member in flat_members(new, now)}
    for name, member in before.items():
        if name not in after:
            lines.append(f"- {_member(old, member)}")
        else:
            lines += _moved(old, new, member, after[name])
    lines += [f"+ {_member(new, member)}" for name, member in after.items() if name not in before]
    return tuple(lines)


def _moved(old: TypeTable, new: TypeTable, before: Member, after: Member) -> list[str]:
    parts = []
    if not _shapes(old, new).same(before.type, after.type):
        parts.append(f"{_type(old, before.type)} -> {_type(new, after.type)}")
    if _place(before) != _place(after):
        parts.append(f"offset {_place(before)} -> {_place(after)}")
    return [f"  {before.name}: {', '.join(parts)}"] if parts else []


def _place(member: Member) -> str:
    return f"{member.offset}:{member.bit_offset}" if member.bit_size else str(member.offset)


def _member(types: TypeTable, member: Member) -> str:
    return f"{_type(types, member.type)} {member.name or '(unnamed)'} at {_place(member)}"


def _type(types: TypeTable, index: int) -> str:
    one = types[index] if index >= 0 else None
    if one is None:
        return "void"
    if one.kind is TypeKind.TYPEDEF:
        return one.name
    if one.kind is TypeKind.POINTER:
        return f"{_type(types, one.target)} *"
    if one.kind is TypeKind.ARRAY:
        return f"{_type(types, one.target)}[{max(one.count, 0)}]"
    return describe(one)


def _types(old: TypeTable, new: TypeTable, match: Match, layout: LayoutComparer) -> Iterator[Change]:
    for old_index, new_index in match.types.items():
        one, now = old[old_index], new[new_index]
        if one.name != now.name:
            yield Change(one.kind.value, one.name, "renamed", one.decl_file, (f"now {now.name}",))
        if one.kind is TypeKind.ENUM:
            lines = constant_lines(one, now)
            if lines:
                yield Change("enum", one.name, "changed", now.decl_file, lines)
        elif not layout.same(old_index, new_index):
            yield Change("type", describe(one), "changed", now.decl_file, member_lines(old, new, one, now))
    yield from _only(old, set(match.types), "removed")
    yield from _only(new, set(match.types.values()), "added")


def constant_lines(one: DataType, now: DataType) -> tuple[str, ...]:
    """One line for each constant of an enum that is gone, new, or has another value."""
    changed = enum_changes(one, now)
    names = {value: name for name, value in one.constants}
    lines = [f"- {names[value]} = {value}" for value, other in changed.items() if other is None]
    lines += [f"  {names[value]} = {value} -> {other}" for value, other in changed.items() if other is not None]
    before = {name for name, _ in one.constants}
    return tuple(lines + [f"+ {name} = {value}" for name, value in now.constants if name not in before])


def _only(types: TypeTable, matched: set[int], what: str) -> Iterator[Change]:
    for one in types:
        if one.kind in AGGREGATES and one.name and one.complete and one.index not in matched:
            yield Change("type", describe(one), what, one.decl_file)


def variable_name(one: Variable) -> str:
    """A variable as annotations write it."""
    return f"{one.function}::{one.name}" if one.function else one.name


def _variables(old: Program, new: Program, match: Match, layout: LayoutComparer) -> Iterator[Change]:
    for old_index, new_index in match.variables.items():
        one, now = old.variables[old_index], new.variables[new_index]
        if one.name != now.name:
            yield Change("variable", variable_name(one), "renamed", one.decl_file, (f"now {variable_name(now)}",))
        if not layout.same(one.type, now.type) and not _is_of_changed_type(old.types, one, now, new.types):
            detail = (
                f"{_type(old.types, one.type)} ({one.size} bytes) -> {_type(new.types, now.type)} ({now.size} bytes)"
            )
            yield Change("variable", variable_name(one), "changed", now.decl_file, (detail,))
    for program, matched, what in (
        (old, set(match.variables), "removed"),
        (new, set(match.variables.values()), "added"),
    ):
        for index, one in enumerate(program.variables):
            if one.writable and index not in matched:
                yield Change("variable", variable_name(one), what, one.decl_file)


# The change of a struct is told once, not again for every variable of it.
def _is_of_changed_type(old: TypeTable, one: Variable, now: Variable, new: TypeTable) -> bool:
    before, after = old.strip(one.type), new.strip(now.type)
    while before is not None and after is not None and before.kind is after.kind is TypeKind.ARRAY:
        if before.count != after.count:
            return False
        before, after = old.strip(before.target), new.strip(after.target)
    return before is not None and after is not None and before.kind in AGGREGATES and before.kind is after.kind


def _functions(old: Program, new: Program, match: Match) -> Iterator[Change]:
    for program, matched, what in (
        (old, set(match.functions), "removed"),
        (new, set(match.functions.values()), "added"),
    ):
        names = {program.functions[index].name for index in matched}
        for function in _whole(program):
            if function.name not in names:
                yield Change("function", function.name, what, function.decl_file)


def _whole(program: Program) -> Iterator[Function]:
    return (function for function in program.functions if function.is_whole and function.decl_file)
