"""A program (one ELF file) as its debug information describes it. A value: no I/O here, no process."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gdb_mcr.model.datatype import TypeTable
from gdb_mcr.units import Range


@dataclass(frozen=True, slots=True)
class Function:
    """One function with code. Addresses are ELF virtual addresses (add the load bias)."""

    name: str
    """Source name, clone suffixes stripped."""
    start: int
    end: int
    decl_file: str
    entry_name: str = ""
    """The ELF symbol at `start` if it differs from `name` (`foo.part.0`)."""
    external: bool = False
    type: int = -1
    """Function type in the type table, -1 if unknown."""

    @property
    def is_whole(self) -> bool:
        """Whether `start` is where callers of `name` land (not a .part, .cold or .constprop clone)."""
        return self.entry_name in ("", self.name)


@dataclass(frozen=True, slots=True)
class Variable:
    """One object with static storage. Key across versions: (decl_file if static, function, name, ordinal)."""

    name: str
    address: int
    """ELF virtual address; for a thread-local, its offset in the TLS block."""
    size: int
    type: int
    decl_file: str
    function: str = ""
    """For a function-level static: the function's name."""
    ordinal: int = 0
    """Count among statics of the same name in the same function."""
    external: bool = False
    thread_local: bool = False
    writable: bool = True
    """False when it stands in .rodata or .data.rel.ro."""


class SiteRule(Enum):
    """Why an allocation site got its type."""

    VARIABLE = "variable"
    RETURN_TYPE = "return type"


@dataclass(frozen=True, slots=True)
class AllocationSite:
    """The type of what a call returns, found where the result lands (DESIGN section 8, FACTS-E2E section 2.1)."""

    return_address: int
    """ELF virtual address behind the call instruction."""
    type: int
    """Pointee type in the type table; -1 = raw bytes (char *, void * that goes no further)."""
    variable: str
    function: str
    rule: SiteRule


@dataclass(frozen=True, slots=True)
class Section:
    """An ELF section that is loaded."""

    name: str
    range: Range
    writable: bool
    executable: bool


@dataclass(frozen=True, slots=True)
class Program:
    """Everything the controller knows of one ELF file."""

    path: str
    build_id: str
    """Hexadecimal; the cache key."""
    soname: str
    """DT_SONAME or the file name."""
    is_pie: bool
    has_debug_info: bool
    image: Range
    """Virtual addresses from the first to the last PT_LOAD, page-aligned."""
    sections: tuple[Section, ...]
    relocation_slots: tuple[Range, ...]
    """.got, .got.plt, and what PT_GNU_RELRO covers: never merged."""
    relocated_words: tuple[int, ...]
    """Addresses of words that dynamic relocations fill (R_X86_64_RELATIVE, GLOB_DAT, JUMP_SLOT, 64)."""
    types: TypeTable
    functions: tuple[Function, ...]
    variables: tuple[Variable, ...]
    sites: tuple[AllocationSite, ...]
    producer: str = ""
    """DW_AT_producer of the first unit."""
    imports: frozenset[str] = frozenset()
    """Names of the functions that it takes from libraries (undefined symbols of .dynsym, without versions)."""
