"""Which files a process has mapped as code, and where: what a debugger must know to unwind and to name functions.

Source: proc_pid_maps(5); ELF, "Program Header".
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gdb_mcr.units import PAGE, Range, align_down

_DELETED = " (deleted)"
_PT_LOAD = 1
_PF_X = 1


@dataclass(frozen=True, slots=True)
class Module:
    """An ELF file mapped as code."""

    path: str
    """As /proc/PID/maps has it."""
    file: str
    """Where its bytes can be read from here."""
    bias: int
    """Address = bias + ELF virtual address."""
    code: Range
    """Its first executable mapping."""


@dataclass(frozen=True, slots=True)
class _Mapping:
    range: Range
    offset: int
    path: str


def loaded_modules(pid: int) -> tuple[Module, ...]:
    """The ELF files that the process has mapped as code, sorted by address. Files that cannot be read are left out."""
    found: dict[str, Module] = {}
    for mapping in _code_mappings(pid):
        file = _readable(pid, mapping)
        if mapping.path not in found and file is not None:
            bias = _bias(Path(file), mapping)
            if bias is not None:
                found[mapping.path] = Module(mapping.path, file, bias, mapping.range)
    return tuple(sorted(found.values(), key=lambda one: one.code.start))


def module_at(modules: Sequence[Module], address: int) -> Module | None:
    """The module whose code holds ``address``."""
    index = bisect_right(modules, address, key=lambda one: one.code.start) - 1
    return modules[index] if index >= 0 and address in modules[index].code else None


def _code_mappings(pid: int) -> Iterator[_Mapping]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        words = line.split(maxsplit=5)
        if len(words) == 6 and words[5].startswith("/") and "x" in words[1]:
            start, end = (int(word, 16) for word in words[0].split("-"))
            yield _Mapping(Range(start, end), int(words[2], 16), words[5])


# A server whose file was replaced or that lives in a mount namespace of its own still has its file, elsewhere.
def _readable(pid: int, mapping: _Mapping) -> str | None:
    within = f"/proc/{pid}/map_files/{mapping.range.start:x}-{mapping.range.end:x}"
    outside = (mapping.path, f"/proc/{pid}/root{mapping.path}", within)
    candidates = (within,) if mapping.path.endswith(_DELETED) else outside
    return next((path for path in candidates if _is_file(Path(path))), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _bias(path: Path, mapping: _Mapping) -> int | None:
    try:
        with path.open("rb") as file:
            head = file.read(PAGE)
    except OSError:
        return None
    for offset, address in _code_segments(head):
        if align_down(offset, PAGE) == mapping.offset:
            return mapping.range.start - align_down(address, PAGE)
    return None


# (file offset, virtual address) of each executable segment of a 64-bit little-endian ELF file.
def _code_segments(head: bytes) -> Iterator[tuple[int, int]]:
    if head[:6] != b"\x7fELF\x02\x01":
        return
    (table,) = struct.unpack_from("<Q", head, 32)
    entry, count = struct.unpack_from("<HH", head, 54)
    for at in range(table, table + entry * count, entry):
        if at + 24 > len(head):
            return
        kind, flags, offset, address = struct.unpack_from("<IIQQ", head, at)
        if kind == _PT_LOAD and flags & _PF_X:
            yield offset, address
