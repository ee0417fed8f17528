"""The code of one ELF file, function by function. Source: LSB 5, "Exception Frames": one describes a piece of code."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from pathlib import Path

from gdb_mcr.dwarf.elf import ElfImage
from gdb_mcr.dwarf.frames import FunctionIndex
from gdb_mcr.dwarf.unwind import FrameTable
from gdb_mcr.units import Range


class CodeImage:
    """Code as the file has it. Addresses are ELF virtual addresses.

    A *piece* is code that stands together and is unwound together: a function, or the part of one that the compiler
    put elsewhere (`.cold`). The linker's stubs for calls of other files are none.
    """

    def __init__(self, path: Path) -> None:
        """:raises AnalysisError: it is no ELF file for x86-64, or is damaged."""
        self._image = ElfImage(path)
        self._names = FunctionIndex.of(path)
        stubs = [one.range for one in self._image.sections if one.name.startswith(".plt")]
        frames = FrameTable(self._image).frames
        self._pieces = [one for one in frames if not any(one.start in stub for stub in stubs)]
        self._starts = [one.start for one in self._pieces]
        self._contents: dict[str, bytes] = {}

    def piece(self, pc: int) -> Range | None:
        """The piece that contains the instruction, None outside of all."""
        index = bisect_right(self._starts, pc) - 1
        return self._pieces[index] if index >= 0 and pc in self._pieces[index] else None

    def names(self, pc: int) -> tuple[str, ...]:
        """The inline chain at an instruction, innermost first; empty where no name is known."""
        return self._names.at(pc)

    def read(self, address: int, size: int) -> bytes:
        """Up to ``size`` bytes of the section that contains the address, as they are before any relocation."""
        for one in self._image.sections:
            if address in one.range:
                if one.name not in self._contents:
                    self._contents[one.name] = self._image.section(one.name)
                offset = address - one.range.start
                return self._contents[one.name][offset : offset + size]
        return b""

    def import_at(self, slot: int) -> str:
        """The function of another file whose address the dynamic linker puts into this word, "" if it is none."""
        return self._imports.get(slot, "")

    @cached_property
    def _imports(self) -> dict[int, str]:
        return {one.address: one.symbol for one in self._image.relocations if one.symbol}
