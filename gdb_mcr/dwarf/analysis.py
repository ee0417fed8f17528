"""Everything that is known of one ELF file, in one pass. Takes up to some seconds; `load` caches it."""

from __future__ import annotations

import gc
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gdb_mcr.dwarf.code import Chain, CodeMap, functions, symbol_functions
from gdb_mcr.dwarf.constants import At
from gdb_mcr.dwarf.dies import DebugInfo
from gdb_mcr.dwarf.elf import R_64, R_GLOB_DAT, R_IRELATIVE, R_JUMP_SLOT, R_RELATIVE, ElfImage
from gdb_mcr.dwarf.files import SourceFiles
from gdb_mcr.dwarf.identity import ElfIdentity
from gdb_mcr.dwarf.landing import LandingFinder
from gdb_mcr.dwarf.lists import Lists
from gdb_mcr.dwarf.names import FLAG_WRAPPER, NameRow, Names, name_rows
from gdb_mcr.dwarf.sites import SiteReader
from gdb_mcr.dwarf.types import TypeBuilder
from gdb_mcr.dwarf.unwind import FrameTable, UnwindRow
from gdb_mcr.dwarf.variables import VariableReader
from gdb_mcr.errors import AnalysisError
from gdb_mcr.model.datatype import TypeTable
from gdb_mcr.model.program import Function, Program
from gdb_mcr.units import Range

_WORD_RELOCATIONS = frozenset({R_64, R_GLOB_DAT, R_JUMP_SLOT, R_RELATIVE, R_IRELATIVE})


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is cached of one file."""

    program: Program
    names: tuple[NameRow, ...]
    unwind: tuple[UnwindRow, ...]


def analyse(image: ElfImage, identity: ElfIdentity) -> Analysis:
    """Reads the whole file.

    :raises AnalysisError: its debug or unwind information is damaged or of a kind that is not understood.
    """
    frames = FrameTable(image)
    try:
        if identity.has_debug_info:
            with _no_collection():
                return _with_debug_info(image, identity, frames)
    except (struct.error, IndexError, KeyError, ValueError, OverflowError, RecursionError) as error:
        raise AnalysisError(
            f"{image.path} has debug information that cannot be read: {error!r}", hint="build it again with -gdwarf-5"
        ) from error
    found = tuple(symbol_functions(image))
    names = name_rows((), lambda _: ((), 0), found, frames.frames, identity.soname)
    return Analysis(_program(image, identity, found), tuple(names), tuple(frames.rows))


# All of these objects live until the analysis ends; searching them for garbage again and again doubles its time.
@contextmanager
def _no_collection() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _with_debug_info(image: ElfImage, identity: ElfIdentity, frames: FrameTable) -> Analysis:
    debug = DebugInfo(image)
    lists, files = Lists(debug), SourceFiles(debug)
    types, code = TypeBuilder(debug, files), CodeMap(debug, lists)
    reader = SiteReader(image, debug, types, code, LandingFinder(image, debug, lists, types, frames.rows))
    known: dict[Chain, tuple[Names, int]] = {}

    def name_of(chain: Chain) -> tuple[Names, int]:
        if chain not in known:
            flags = FLAG_WRAPPER if reader.is_wrapper(chain) else 0
            known[chain] = tuple(debug.name(one) for one in chain), flags
        return known[chain]

    rest = symbol_functions(image, [where for where, _ in code.functions])
    program = replace(
        _program(image, identity, functions(debug, files, types, code)),
        variables=VariableReader(debug, files, types).variables(),
        sites=reader.sites(),
        producer=_producer(debug),
        types=types.table(),
    )
    names = name_rows(code.rows, name_of, rest, frames.frames, identity.soname)
    return Analysis(program, tuple(names), tuple(frames.rows))


def _producer(debug: DebugInfo) -> str:
    for unit in debug.units:
        if unit.top is not None and At.PRODUCER in unit.top.attributes:
            return str(unit.top.attributes[At.PRODUCER])
    return ""


# What needs no debug information.
def _program(image: ElfImage, identity: ElfIdentity, found: Sequence[Function]) -> Program:
    return Program(
        path=str(image.path),
        build_id=identity.build_id,
        soname=identity.soname,
        is_pie=identity.is_pie,
        has_debug_info=identity.has_debug_info,
        image=image.image,
        sections=image.sections,
        relocation_slots=relocation_slots(image),
        relocated_words=tuple(sorted({one.address for one in image.relocations if one.kind in _WORD_RELOCATIONS})),
        types=TypeTable(()),
        functions=tuple(found),
        variables=(),
        sites=(),
        imports=frozenset(image.imports),
    )


def relocation_slots(image: ElfImage) -> tuple[Range, ...]:
    """What the dynamic linker fills and the program never writes: .got, .got.plt, PT_GNU_RELRO; sorted, joined."""
    parts = [one.range for one in image.sections if one.name in (".got", ".got.plt")]
    joined: list[Range] = []
    for one in sorted([*parts, *image.segments("PT_GNU_RELRO")]):
        if joined and one.start <= joined[-1].end:
            joined[-1] = Range(joined[-1].start, max(joined[-1].end, one.end))
        else:
            joined.append(one)
    return tuple(joined)
