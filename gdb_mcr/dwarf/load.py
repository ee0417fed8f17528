"""Programs and libraries by path; analysed once for each build-id."""

from __future__ import annotations

from pathlib import Path

from gdb_mcr.dwarf.analysis import Analysis, analyse
from gdb_mcr.dwarf.cache import Cache
from gdb_mcr.dwarf.codec import names_to_row, program_from_row, program_to_row
from gdb_mcr.dwarf.elf import ElfImage
from gdb_mcr.dwarf.identity import ElfIdentity, identity_of, require_updatable
from gdb_mcr.dwarf.table_format import ABI_VERSION, table_bytes
from gdb_mcr.model.program import Program

PROGRAM, NAMES, TABLE = "program", "names", f"table-{ABI_VERSION}"
"""Kinds of cached files. libmcr takes tables of its own version only."""


def load_program(path: Path) -> Program:
    """All that is known of a server's executable.

    :raises AnalysisError: it is no position-independent x86-64 program with debug information, or that is damaged.
    """
    image = ElfImage(path)
    identity = identity_of(image)
    require_updatable(identity)
    return _load(image, identity)


def load_library(path: Path) -> Program:
    """All that is known of any ELF file; without debug information only its functions and areas.

    :raises AnalysisError: it is no ELF file for x86-64, or is damaged.
    """
    image = ElfImage(path)
    return _load(image, identity_of(image))


def load_cached(build_id: str, path: str) -> Program | None:
    """What was once found out of the file with this build-id, which may be gone; None if nothing is cached.

    :param path: what the program is to be called.
    """
    for has_debug_info in (True, False):
        row = Cache(build_id, has_debug_info).read_value(PROGRAM)
        if row is not None:
            return program_from_row(row, path)
    return None


def ensure_cached(path: Path) -> Cache:
    """The cache of a file, with every kind of result in it.

    :raises AnalysisError: as `load_library`.
    """
    image = ElfImage(path)
    identity = identity_of(image)
    cache = Cache(identity.build_id, identity.has_debug_info)
    if cache.read(TABLE) is None or cache.read_value(NAMES) is None:
        _analyse(image, identity, cache)
    return cache


def _load(image: ElfImage, identity: ElfIdentity) -> Program:
    cache = Cache(identity.build_id, identity.has_debug_info)
    row = cache.read_value(PROGRAM)
    if row is not None:
        return program_from_row(row, str(image.path))
    return _analyse(image, identity, cache).program


def _analyse(image: ElfImage, identity: ElfIdentity, cache: Cache) -> Analysis:
    analysis = analyse(image, identity)
    cache.write_value(PROGRAM, program_to_row(analysis.program))
    cache.write_value(NAMES, names_to_row(analysis.names))
    cache.write(TABLE, table_bytes(identity.build_id, analysis.unwind, analysis.names))
    return analysis
