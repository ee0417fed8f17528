"""Module tables by path."""

from __future__ import annotations

from pathlib import Path

from gdb_mcr.dwarf.load import TABLE, ensure_cached


def module_table(path: Path) -> Path:
    """The cached table file (struct mcr_module_table, mode 0600) of an ELF file, made now if there is none.

    :raises AnalysisError: it is no ELF file for x86-64, or is damaged.
    :raises PrivateDirectoryError: there is no place for it.
    """
    return ensure_cached(path).path(TABLE)
