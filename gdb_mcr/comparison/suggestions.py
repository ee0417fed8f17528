"""What a file of annotations for two builds could say: a skeleton in comments, for someone who knows both sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gdb_mcr.annotations.names import ProgramNames
from gdb_mcr.comparison.differences import changed_types, lost_members, variable_name
from gdb_mcr.model.annotation import Annotations
from gdb_mcr.model.datatype import DataType, Member, TypeKind, TypeTable
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.layout import LayoutComparer, describe, flat_members, type_text
from gdb_mcr.model.match import Match
from gdb_mcr.model.place import Side
from gdb_mcr.model.program import Program
from gdb_mcr.model.statement import TypeName
from gdb_mcr.source import Span, edit_distance

MAX_CANDIDATES = 3
"""New names that are proposed for one that is gone."""


def suggestions(
    old: Program, new: Program, match: Match, annotations: Annotations, findings: Sequence[Finding]
) -> tuple[str, ...]:
    """Lines of annotations; every one is a comment. What no finding is about is left out."""
    ids = {one.id for one in findings}
    handled = {one.place.old for one in annotations.handlers}
    lines: list[str] = []
    names = ProgramNames(old, Side.OLD)
    for one, now in changed_types(old, new, match):
        if f"R1:{one.name}" in ids and one.index not in handled:
            lines += _of_type(old.types, new.types, one, now, ids, _written(names, one))
    lines += _of_variables(old, new, match, ids)
    for finding in findings:
        if finding.kind == "R10" and finding.certain is False:
            lines += ["", f"// {finding.text}", f"// {finding.settle}"]
    return tuple(lines[1:] if lines and not lines[0] else lines)


# A type as annotations name it: with its file where several have that name.
def _written(names: ProgramNames, one: DataType) -> str:
    if len(names.types(TypeName(one.name, "", "", Span("", 0, 0, 0, 0)))) == 1:
        return one.name
    return f'"{one.decl_file}"::{one.kind.value} {one.name}'


def _of_type(old: TypeTable, new: TypeTable, one: DataType, now: DataType, ids: set[str], name: str) -> Iterator[str]:
    lost = [member for member in lost_members(old, new, one, now) if f"R2:{one.name}.{member.name}" in ids]
    changed = _changed_members(old, new, one, now)
    names = {member.name for member in flat_members(old, one)}
    added = [member for member in flat_members(new, now) if member.name and member.name not in names]
    if not lost and not changed:
        return
    yield ""
    yield f"// {describe(one)} ({now.decl_file})"
    for member in lost:
        yield from _lost_field(old, new, one, member, added, name)
    if changed or added:
        yield from _handler(old, new, name, lost, changed, added)


# Members that both have and whose value may need more than a move.
def _changed_members(old: TypeTable, new: TypeTable, one: DataType, now: DataType) -> list[tuple[Member, Member]]:
    layout = LayoutComparer(old, new, by_constants=False)
    after = {member.name: member for member in flat_members(new, now) if member.name}
    pairs = [(member, after[member.name]) for member in flat_members(old, one) if member.name in after]
    return [
        (before, later)
        for before, later in pairs
        if not layout.same(before.type, later.type) and not _is_aggregate(old, before)
    ]


def _is_aggregate(types: TypeTable, member: Member) -> bool:
    one = types.strip(member.type)
    return one is not None and one.kind in (TypeKind.STRUCT, TypeKind.UNION)


def _lost_field(
    old: TypeTable, new: TypeTable, one: DataType, member: Member, added: Sequence[Member], name: str
) -> Iterator[str]:
    yield f"//   {type_text(old, member.type)} {member.name} is gone (R2:{one.name}.{member.name}); one of:"
    for other in _candidates(old, new, member, added):
        yield f"// rename {name}.{member.name} -> {other.name};"
    yield f"// drop {name}.{member.name};"


# New members that look like it, the likeliest first: of the same type, or of the same kind and nearly the same name.
def _candidates(old: TypeTable, new: TypeTable, member: Member, added: Sequence[Member]) -> list[Member]:
    text = type_text(old, member.type)
    before = old.strip(member.type)

    def rank(other: Member) -> tuple[bool, int]:
        distance = edit_distance(member.name.lower(), other.name.lower(), 100)
        return type_text(new, other.type) != text, distance

    fitting = [
        other
        for other in added
        if before is not None and (after := new.strip(other.type)) is not None and after.kind is before.kind
        if not rank(other)[0] or 2 * rank(other)[1] <= len(member.name)
    ]
    return sorted(fitting, key=rank)[:MAX_CANDIDATES]


def _handler(
    old: TypeTable,
    new: TypeTable,
    name: str,
    lost: Sequence[Member],
    changed: Sequence[tuple[Member, Member]],
    added: Sequence[Member],
) -> Iterator[str]:
    yield "//   Or, where values have to be computed:"
    yield f"// transfer {name} {{"
    for member in lost:
        yield f"//     // old.{member.name}: {type_text(old, member.type)}"
    for before, after in changed:
        types = f"{_member_type(old, before)} became {_member_type(new, after)}"
        yield f"//     new.{after.name} = old.{before.name};  // {types}"
    for member in added:
        yield f"//     new.{member.name} = …;  // {type_text(new, member.type)}, new"
    yield "// }"


def _member_type(types: TypeTable, member: Member) -> str:
    return f"{type_text(types, member.type)}{f' : {member.bit_size}' if member.bit_size else ''}"


def _of_variables(old: Program, new: Program, match: Match, ids: set[str]) -> Iterator[str]:
    matched = set(match.variables.values())
    free = [one for index, one in enumerate(new.variables) if index not in matched and one.writable]
    for index, one in enumerate(old.variables):
        name = variable_name(one)
        if index in match.variables or f"R2:{name}" not in ids:
            continue
        text = type_text(old.types, one.type)
        alike = [other for other in free if type_text(new.types, other.type) == text and other.function == one.function]
        alike.sort(key=lambda other: edit_distance(one.name, other.name, 100))
        yield ""
        yield f"// {text} {name} ({one.decl_file}) is gone (R2:{name}); one of:"
        for other in alike[:MAX_CANDIDATES]:
            yield f"// rename variable {name} -> {variable_name(other)};"
        yield f"// drop variable {name};"
