"""Addresses of named objects and functions."""

from __future__ import annotations

from pathlib import Path

from gdb_mcr.dwarf.elf import ElfImage
from gdb_mcr.errors import AnalysisError


def symbol_address(path: Path, name: str) -> int:
    """The ELF virtual address of the symbol `name` that this file defines; a global one before a local one.

    :raises AnalysisError: there is none.
    """
    image = ElfImage(path)
    for table in (image.dynamic_symbols, image.symbols):
        found = [one for one in table if one.name == name and one.section]
        if found:
            return max(found, key=lambda one: one.is_global).address
    raise AnalysisError(f"{path} defines no symbol {name}")
