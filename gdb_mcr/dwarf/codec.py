"""A `Program` and its name rows as plain tuples, which `marshal` writes and reads ten times faster than pickle does."""

from __future__ import annotations

from dataclasses import fields, replace
from operator import attrgetter
from typing import Any

from gdb_mcr.dwarf.names import NameRow
from gdb_mcr.model.datatype import DataType, Member, TypeKind, TypeTable
from gdb_mcr.model.program import AllocationSite, Function, Program, Section, SiteRule, Variable
from gdb_mcr.units import Range

Row = tuple[Any, ...]

_KINDS = tuple(TypeKind)
_RULES = tuple(SiteRule)
_NESTED = frozenset({"image", "sections", "relocation_slots", "types", "functions", "variables", "sites"})
_PLAIN = tuple(one.name for one in fields(Program) if one.name not in _NESTED)


def program_to_row(program: Program) -> Row:
    """Only tuples, strings, numbers and booleans."""
    return (
        tuple(getattr(program, name) for name in _PLAIN),
        _range_row(program.image),
        tuple((one.name, *_range_row(one.range), one.writable, one.executable) for one in program.sections),
        tuple(_range_row(one) for one in program.relocation_slots),
        tuple(_type_row(one) for one in program.types),
        _rows(Function, program.functions),
        _rows(Variable, program.variables),
        tuple(
            (one.return_address, one.type, one.variable, one.function, _RULES.index(one.rule)) for one in program.sites
        ),
    )


def program_from_row(row: Row, path: str) -> Program:
    """The program again, as the file `path`."""
    plain, image, sections, slots, types, functions, variables, sites = row
    program = Program(
        **dict(zip(_PLAIN, plain, strict=True)),
        image=Range(*image),
        sections=tuple(Section(name, Range(start, end), *rest) for name, start, end, *rest in sections),
        relocation_slots=tuple(Range(*one) for one in slots),
        types=TypeTable([_type(one) for one in types]),
        functions=tuple(Function(*one) for one in functions),
        variables=tuple(Variable(*one) for one in variables),
        sites=tuple(
            AllocationSite(address, kind, variable, function, _RULES[rule])
            for address, kind, variable, function, rule in sites
        ),
    )
    return program if program.path == path else replace(program, path=path)


def names_to_row(names: tuple[NameRow, ...]) -> Row:
    """Columns: addresses, and the chains' numbers in a list of all different chains."""
    chains = {one.names: index for index, one in reversed(list(enumerate(names)))}
    numbers = {chain: number for number, chain in enumerate(chains)}
    return tuple(one.pc for one in names), tuple(numbers[one.names] for one in names), tuple(chains)


def _range_row(one: Range) -> Row:
    return one.start, one.end


def _rows(kind: type, values: tuple[Any, ...]) -> Row:
    take = attrgetter(*(one.name for one in fields(kind)))
    return tuple(take(one) for one in values)


_type_fields = attrgetter("index", "name", "size", "decl_file", "target", "count", "signed", "constants", "complete")
_member_fields = attrgetter("name", "offset", "type", "bit_offset", "bit_size")


def _type_row(one: DataType) -> Row:
    return (_KINDS.index(one.kind), tuple(_member_fields(member) for member in one.members), *_type_fields(one))


def _type(row: Row) -> DataType:
    kind, members, index, name, size, decl_file, target, count, signed, constants, complete = row
    inner = tuple(Member(*one) for one in members)
    return DataType(index, _KINDS[kind], name, size, decl_file, target, count, signed, inner, constants, complete)
