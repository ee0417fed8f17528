"""Which functions of the old build the new one has otherwise, by their machine code."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

from gdb_mcr.dwarf.code_image import CodeImage
from gdb_mcr.machine_code.shape import shape
from gdb_mcr.model.program import Function, Program


def changed_functions(old: Program, old_file: Path, new: Program, new_file: Path) -> frozenset[str]:
    """Names of the old build's functions whose code differs, or that the new one lacks.

    A change in what was inlined is one of the function around it.
    """
    if old.build_id == new.build_id:
        return frozenset()
    before, after = _shapes(old, old_file), _shapes(new, new_file)
    return frozenset(name for name, code in before.items() if after.get(name) != code)


_Shape = tuple[tuple[str, tuple[str, ...]], ...]


def _shapes(program: Program, file: Path) -> dict[str, _Shape]:
    image, places = CodeImage(file), _Places(program)
    pieces: dict[str, list[Function]] = {}
    for one in program.functions:
        pieces.setdefault(one.name, []).append(one)
    return {
        name: tuple(
            (one.entry_name, shape(image.read(one.start, one.end - one.start), one.start, places.name))
            for one in sorted(parts, key=lambda one: (one.entry_name, one.start))
        )
        for name, parts in pieces.items()
    }


# What code refers to, in words that both builds have in common.
class _Places:
    def __init__(self, program: Program) -> None:
        self._functions = sorted(program.functions, key=lambda one: one.start)
        self._variables = sorted(program.variables, key=lambda one: one.address)
        self._function_starts = [one.start for one in self._functions]
        self._variable_starts = [one.address for one in self._variables]
        self._sections = program.sections

    def name(self, address: int) -> str:
        at = bisect_right(self._function_starts, address) - 1
        if at >= 0 and address < self._functions[at].end:
            return f"{self._functions[at].name}+{address - self._functions[at].start:#x}"
        at = bisect_right(self._variable_starts, address) - 1
        if at >= 0 and address < self._variables[at].address + self._variables[at].size:
            return f"{self._variables[at].name}+{address - self._variables[at].address:#x}"
        return next((one.name for one in self._sections if address in one.range), "?")
