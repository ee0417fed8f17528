"""One ELF file: headers through elftools, the long tables (symbols, relocations) in bulk. Source: gABI, psABI."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

from gdb_mcr.errors import AnalysisError
from gdb_mcr.model.program import Section
from gdb_mcr.units import PAGE, WORD, Range, align_down, align_up

STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_TLS, STT_GNU_IFUNC = 0, 1, 2, 6, 10

R_64, R_COPY, R_GLOB_DAT, R_JUMP_SLOT, R_RELATIVE, R_IRELATIVE = 1, 5, 6, 7, 8, 37
"""R_X86_64_* (psABI, table 4.9)."""

_SHF_WRITE, _SHF_ALLOC, _SHF_EXECINSTR = 1, 2, 4
_SYMBOL = struct.Struct("<IBBHQQ")
_RELA = struct.Struct("<QQq")


@dataclass(frozen=True, slots=True)
class Symbol:
    """A defined symbol, or (`section` 0) one that another file defines."""

    name: str
    address: int
    size: int
    kind: int
    """STT_*."""
    is_global: bool
    section: int


@dataclass(frozen=True, slots=True)
class Relocation:
    """One dynamic relocation of a word."""

    address: int
    kind: int
    """R_X86_64_*."""
    symbol: str
    addend: int


class ElfImage:
    """A whole ELF file in memory.

    :raises AnalysisError: it cannot be read or is no ELF file for x86-64.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.contents = path.read_bytes()
        except OSError as error:
            hint = "gdb_mcr's user must have the right to read it" if isinstance(error, PermissionError) else ""
            raise AnalysisError(f"{path} cannot be read: {error.strerror}", hint=hint) from error
        _check_header(path, self.contents)
        try:
            self._file = ELFFile(BytesIO(self.contents))
            self._sections = {one.name: one for one in self._file.iter_sections()}
        except (ELFError, ValueError, struct.error) as error:
            raise AnalysisError(f"{path} has damaged ELF headers", hint="build or copy it again") from error

    @property
    def is_shared_object(self) -> bool:
        """ET_DYN: a library, or a position-independent executable."""
        return bool(self._file.header["e_type"] == "ET_DYN")

    def section(self, name: str) -> bytes:
        """A section's bytes, decompressed; empty if there is none (or it has no bytes in the file)."""
        return bytes(self._sections[name].data()) if self.has_section(name) else b""

    def has_section(self, name: str) -> bool:
        """Whether the section has bytes in the file."""
        found = self._sections.get(name)
        return found is not None and found["sh_type"] != "SHT_NOBITS" and found["sh_size"] > 0

    def address(self, name: str) -> int:
        """A section's virtual address, 0 if there is none."""
        found = self._sections.get(name)
        return int(found["sh_addr"]) if found is not None else 0

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """Loaded sections but those of thread-local storage, which stand elsewhere at run time; sorted by address."""
        loaded = [
            Section(
                one.name,
                Range(one["sh_addr"], one["sh_addr"] + one["sh_size"]),
                bool(one["sh_flags"] & _SHF_WRITE),
                bool(one["sh_flags"] & _SHF_EXECINSTR),
            )
            for one in self._sections.values()
            if one["sh_flags"] & _SHF_ALLOC and one["sh_size"] and not one["sh_flags"] & 0x400
        ]
        return tuple(sorted(loaded, key=lambda one: one.range))

    def segments(self, kind: str) -> list[Range]:
        """Virtual address ranges of the segments of a kind ("PT_LOAD")."""
        return [
            Range(one["p_vaddr"], one["p_vaddr"] + one["p_memsz"])
            for one in self._file.iter_segments()
            if one["p_type"] == kind
        ]

    @cached_property
    def image(self) -> Range:
        """Virtual addresses from the first to the last PT_LOAD, page-aligned."""
        loads = self.segments("PT_LOAD")
        if not loads:
            raise AnalysisError(f"{self.path} has nothing to load", hint="name the program itself, not an object file")
        return Range(align_down(min(one.start for one in loads), PAGE), align_up(max(one.end for one in loads), PAGE))

    @cached_property
    def interpreter(self) -> str:
        """PT_INTERP, "" if there is none."""
        for one in self._file.iter_segments():
            if isinstance(one, InterpSegment):
                return str(one.get_interp_name())
        return ""

    @cached_property
    def dynamic(self) -> dict[str, list[int | str]]:
        """Entries of .dynamic by tag; DT_NEEDED and DT_SONAME as strings."""
        entries: dict[str, list[int | str]] = {}
        section = self._sections.get(".dynamic")
        if not isinstance(section, DynamicSection):
            return entries
        for tag in section.iter_tags():
            text = {"DT_NEEDED": "needed", "DT_SONAME": "soname"}.get(tag.entry.d_tag)
            value = getattr(tag, text) if text else tag.entry.d_val
            entries.setdefault(str(tag.entry.d_tag), []).append(value)
        return entries

    @cached_property
    def build_id(self) -> str:
        """The GNU build-id in hexadecimal, "" if there is none."""
        note = self.section(".note.gnu.build-id")
        if len(note) < 16:
            return ""
        name_size, size, _ = struct.unpack_from("<III", note)
        start = 12 + align_up(name_size, 4)
        return note[start : start + size].hex()

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """Named symbols of .symtab, or of .dynsym in a stripped file."""
        return tuple(self._symbol_table(".symtab", ".strtab")) or self.dynamic_symbols

    @cached_property
    def dynamic_symbols(self) -> tuple[Symbol, ...]:
        """Symbols of .dynsym in table order, nameless ones included: relocations count them."""
        return tuple(self._symbol_table(".dynsym", ".dynstr", keep_nameless=True))

    @property
    def imports(self) -> set[str]:
        """Names of the functions that other files must define."""
        kinds = (STT_NOTYPE, STT_FUNC)
        return {one.name for one in self.dynamic_symbols if one.name and not one.section and one.kind in kinds}

    def _symbol_table(self, table: str, strings: str, *, keep_nameless: bool = False) -> Iterator[Symbol]:
        names = self.section(strings)
        data = self.section(table)
        for name, info, _, section, address, size in _SYMBOL.iter_unpack(data[: len(data) // 24 * 24]):
            if name or keep_nameless:
                text = names[name : names.index(0, name)].decode("utf-8", "backslashreplace")
                yield Symbol(text, address, size, info & 0xF, info >> 4 != 0, section)

    @cached_property
    def relocations(self) -> tuple[Relocation, ...]:
        """All dynamic relocations; those packed in .relr.dyn come as R_X86_64_RELATIVE."""
        rows = []
        for one in self._sections.values():
            if one["sh_type"] == "SHT_RELA" and one["sh_flags"] & _SHF_ALLOC:
                rows += [
                    Relocation(address, info & 0xFFFFFFFF, self._dynamic_name(info >> 32), addend)
                    for address, info, addend in _RELA.iter_unpack(one.data())
                ]
        rows += [Relocation(address, R_RELATIVE, "", 0) for address in iter_relr(self.section(".relr.dyn"))]
        return tuple(rows)

    def _dynamic_name(self, index: int) -> str:
        return self.dynamic_symbols[index].name if index else ""


def iter_relr(data: bytes) -> Iterator[int]:
    """Addresses in a table of packed relative relocations. Source: gABI, SHT_RELR."""
    where = 0
    for (entry,) in struct.iter_unpack("<Q", data):
        if not entry & 1:
            yield entry
            where = entry + WORD
            continue
        yield from (where + WORD * bit for bit in range(63) if entry >> (bit + 1) & 1)
        where += 63 * WORD


def _check_header(path: Path, contents: bytes) -> None:
    if contents[:4] != b"\x7fELF":
        raise AnalysisError(f"{path} is no ELF file", hint="name the server's binary itself, not a script around it")
    if contents[4] != 2 or contents[18:20] != b"\x3e\x00":
        raise AnalysisError(f"{path} is no 64-bit x86 program", hint="only x86-64 servers can be updated")
