"""A quick look at an ELF file: what it is, and whether it can be updated."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from gdb_mcr.dwarf.elf import ElfImage
from gdb_mcr.errors import AnalysisError

_DF_1_PIE = 0x08000000


@dataclass(frozen=True, slots=True)
class ElfIdentity:
    """What tells one ELF file from another."""

    path: Path
    build_id: str
    """Hexadecimal; if the linker wrote none, the first 20 bytes of the file's SHA-256."""
    soname: str
    """DT_SONAME or the file name."""
    is_pie: bool
    has_debug_info: bool
    needed: tuple[str, ...]
    """DT_NEEDED, in order."""
    interpreter: str
    """PT_INTERP, "" for a library or a static program."""


def identify(path: Path) -> ElfIdentity:
    """Reads the headers of any ELF file.

    :raises AnalysisError: it cannot be read, or is no ELF file for x86-64.
    """
    return identity_of(ElfImage(path))


def identity_of(image: ElfImage) -> ElfIdentity:
    """The identity of a file that is open already."""
    flags = image.dynamic.get("DT_FLAGS_1", [0])[0]
    is_marked = isinstance(flags, int) and bool(flags & _DF_1_PIE)
    return ElfIdentity(
        path=image.path,
        build_id=image.build_id or hashlib.sha256(image.contents).hexdigest()[:40],
        soname=str(image.dynamic.get("DT_SONAME", [image.path.name])[0]),
        is_pie=image.is_shared_object and (is_marked or bool(image.interpreter)),
        has_debug_info=image.has_section(".debug_info"),
        needed=tuple(str(one) for one in image.dynamic.get("DT_NEEDED", [])),
        interpreter=image.interpreter,
    )


def require_updatable(one: ElfIdentity) -> None:
    """Checks that a program can take part in an update.

    :raises AnalysisError: it is statically linked, not position-independent, or has no debug information.
    """
    if not one.interpreter:
        raise AnalysisError(f"{one.path} is statically linked or a library", hint="link the server dynamically")
    if not one.is_pie:
        raise AnalysisError(
            f"{one.path} is not position-independent, so an old and a new build cannot stand side by side",
            hint="build it with -fPIE and link it with -pie",
        )
    if not one.has_debug_info:
        raise AnalysisError(f"{one.path} has no debug information", hint="build it with -g and do not strip it")
