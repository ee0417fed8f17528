"""What speaks against an update before any process is looked at. Source: DESIGN section 11.

*Certain* findings hold whatever the old server did; *possible* ones depend on its memory and settle themselves in an
update, one way or the other.
"""

from __future__ import annotations

from collections.abc import Iterator

from gdb_mcr.comparison.differences import changed_types, constant_lines, lost_members, variable_name
from gdb_mcr.model.annotation import Annotations
from gdb_mcr.model.datatype import DataType, TypeKind
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.layout import describe
from gdb_mcr.model.match import Match
from gdb_mcr.model.place import Subject
from gdb_mcr.model.program import Function, Program
from gdb_mcr.model.statement import Treatment

LEAST_COMMON_PERCENT = 40
"""Of the smaller program's functions and variables; two builds of one server share far more."""

_MAKES_PROCESSES = frozenset({"fork", "vfork", "clone", "posix_spawn"})
_MAKES_THREADS = frozenset({"pthread_create"})


def static_findings(old: Program, new: Program, match: Match, annotations: Annotations) -> tuple[Finding, ...]:
    """Everything that the two files tell, the certain ones first."""
    stranger = _different_programs(old, new, match)
    if stranger is not None:
        return (stranger,)
    found = [
        *_process_model(old, new),
        *_changed_in_opaque(old, new, match),
        *_lost_fields(old, new, match, annotations),
        *_lost_variables(old, match, annotations),
        *_renumbered(old, new, match),
    ]
    return tuple(sorted(found, key=lambda one: (not one.certain, one.kind, one.id)))


def common_percent(old: Program, new: Program, match: Match) -> int:
    """How many of the smaller program's functions and variables have a namesake in the other, in per cent.

    What all programs have tells nothing: `main`, and the linker's own functions.
    """
    common = sum(_is_own(old.functions[one]) for one in match.functions) + len(match.variables)
    smaller = min(_named(old), _named(new))
    return 100 * common // smaller if smaller else 100


def _named(program: Program) -> int:
    return sum(map(_is_own, program.functions)) + len(program.variables)


def _is_own(one: Function) -> bool:
    return bool(one.decl_file) and one.name != "main"


def _different_programs(old: Program, new: Program, match: Match) -> Finding | None:
    percent = common_percent(old, new, match)
    if percent >= LEAST_COMMON_PERCENT:
        return None
    text = (
        f"these are two different programs: {percent} % of the functions and variables of the smaller one have a "
        "namesake in the other, so nothing of the old start-up can be replayed"
    )
    return Finding("R8:program", "R8", True, text, "", "name another build of the same server")


def _process_model(old: Program, new: Program) -> Iterator[Finding]:
    had_threads, has_threads = _MAKES_THREADS & old.imports, _MAKES_THREADS & new.imports
    had_processes, has_processes = _MAKES_PROCESSES & old.imports, _MAKES_PROCESSES & new.imports
    if bool(had_threads) == bool(has_threads) and bool(had_processes) == bool(has_processes):
        return
    before = _model(bool(had_processes), bool(had_threads))
    after = _model(bool(has_processes), bool(has_threads))
    text = f"the process model changed: the old build {before}, the new build {after}"
    settle = "restart this server; an update cannot turn processes into threads"
    yield Finding("R8:process-model", "R8", True, text, "", settle)


def _model(processes: bool, threads: bool) -> str:
    words = ["makes processes" if processes else "makes no processes", "threads" if threads else "no threads"]
    return " and ".join(words)


def _changed_in_opaque(old: Program, new: Program, match: Match) -> Iterator[Finding]:
    for one, now in changed_types(old, new, match):
        if not one.name:
            continue
        size = f"{one.size} bytes as before" if one.size == now.size else f"{one.size} -> {now.size} bytes"
        text = (
            f"{describe(one)} ({now.decl_file}) has another layout ({size}); "
            "objects of it in untyped memory would stay as they are"
        )
        yield Finding(f"R1:{one.name}", "R1", False, text, "", "")


def _lost_fields(old: Program, new: Program, match: Match, annotations: Annotations) -> Iterator[Finding]:
    settled = {place.key for place in annotations.places(Treatment.DROP)} | set(annotations.new_field_paths)
    settled |= set(_read_fields(old, annotations))
    for one, now in changed_types(old, new, match):
        for member in lost_members(old.types, new.types, one, now):
            key = f"{one.name}.{member.name}"
            if one.name and key not in settled:
                text = (
                    f"the new {describe(one)} ({now.decl_file}) has no field {member.name}; "
                    "its value is lost where it was changed since start-up"
                )
                yield Finding(f"R2:{key}", "R2", False, text, "", f"rename {key} -> NEW; or drop {key};")


# What a transfer handler uses has a home.
def _read_fields(old: Program, annotations: Annotations) -> Iterator[str]:
    for handler in annotations.handlers:
        if handler.place.subject is not Subject.TYPE:
            continue
        one = old.types[handler.place.old]
        everything = [(member.name,) for member in one.members] if () in handler.reads else ()
        yield from (f"{one.name}.{path[0]}" for path in (*handler.reads, *everything) if path)


def _lost_variables(old: Program, match: Match, annotations: Annotations) -> Iterator[Finding]:
    dropped = {place.key for place in annotations.places(Treatment.DROP)}
    for index, one in enumerate(old.variables):
        name = variable_name(one)
        if index in match.variables or not one.writable or one.thread_local or not one.decl_file or name in dropped:
            continue
        text = (
            f"the new build has no variable {name} ({one.decl_file}); "
            "its value is lost if it was changed since start-up"
        )
        yield Finding(f"R2:{name}", "R2", False, text, "", f"rename variable {name} -> NEW; or drop {name};")


def _renumbered(old: Program, new: Program, match: Match) -> Iterator[Finding]:
    for old_index, new_index in match.types.items():
        one, now = old.types[old_index], new.types[new_index]
        if one.kind is not TypeKind.ENUM or not _moved(one, now):
            continue
        lines = "; ".join([line.strip() for line in constant_lines(one, now) if "->" in line][:4])
        text = f"constants of enum {one.name} ({now.decl_file}) have other values: {lines}"
        text += ". Values of this type are translated by name; copies in plain integers are not"
        yield Finding(f"R10:{one.name}", "R10", False, text, "", "")


def _moved(one: DataType, now: DataType) -> bool:
    before = dict(one.constants)
    return any(name in before and before[name] != value for name, value in now.constants)
