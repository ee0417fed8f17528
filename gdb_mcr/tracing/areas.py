"""Which parts of a program are state: variables, writable areas, code and constants with a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gdb_mcr.engine.records import Symbol
from gdb_mcr.model.program import Program, Variable
from gdb_mcr.tracing.sides import LoadedModule
from gdb_mcr.units import Range


def global_variables(program: Program) -> list[Variable]:
    """Writable variables with an address, sorted; of several at one place the largest (aliases, unnamed parts)."""
    return _largest([one for one in program.variables if one.writable and not one.thread_local and one.size])


def constant_variables(program: Program) -> list[Variable]:
    """Those that the program cannot write, sorted, likewise."""
    return _largest([one for one in program.variables if not one.writable and not one.thread_local and one.size])


def _largest(candidates: Iterable[Variable]) -> list[Variable]:
    kept: list[Variable] = []
    for one in sorted(candidates, key=lambda one: (one.address, -one.size)):
        if not kept or one.address >= kept[-1].address + kept[-1].size:
            kept.append(one)
    return kept


def text_range(module: LoadedModule) -> Range:
    """Absolute range from the first to the last executable section."""
    code = [section.range for section in module.program.sections if section.executable]
    if not code:
        return Range(0, 0)
    return Range(module.bias + min(one.start for one in code), module.bias + max(one.end for one in code))


def writable_areas(module: LoadedModule) -> list[Range]:
    """Writable sections of a library as absolute ranges, without relocation slots (DESIGN section 9: never merged)."""
    areas = []
    for section in module.program.sections:
        if section.writable and section.range.size:
            areas += subtract(section.range, module.program.relocation_slots)
    return [Range(module.bias + one.start, module.bias + one.end) for one in areas]


def subtract(whole: Range, holes: Iterable[Range]) -> list[Range]:
    """The parts of `whole` that no hole covers."""
    rest = [whole]
    for hole in holes:
        rest = [
            part
            for one in rest
            for part in (Range(one.start, min(one.end, hole.start)), Range(max(one.start, hole.end), one.end))
            if part.start < part.end
        ]
    return rest


def without_overlaps(symbols: Sequence[Symbol]) -> list[Symbol]:
    """Sorted symbols with those inside an earlier one left out."""
    kept: list[Symbol] = []
    for one in symbols:
        if not kept or one.old_address >= kept[-1].old_address + kept[-1].size:
            kept.append(one)
    return kept
