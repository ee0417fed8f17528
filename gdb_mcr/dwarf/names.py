"""Name rows: from a code address to the inline chain's names, the same in every version of a program.

Source: DESIGN section 4, "call stack ID"; mcr_abi.h, "module tables" and "call stack IDs".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gdb_mcr.dwarf.allocators import is_wrapper_by_name
from gdb_mcr.dwarf.clones import source_name
from gdb_mcr.dwarf.code import Chain
from gdb_mcr.model.program import Function
from gdb_mcr.units import Range

FLAG_WRAPPER = 1
"""MCR_NAME_WRAPPER."""

_HASH_START = 0xCBF29CE484222325
_HASH_FACTOR = 0x100000001B3
_MASK = 0xFFFFFFFFFFFFFFFF

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NameRow:
    """Valid from `pc` (ELF virtual address) to the next row's; no names = no function."""

    pc: int
    names: Names
    """The inline chain, innermost first, clone suffixes stripped."""
    flags: int = 0


_Piece = tuple[int, int, Names, int]  # start, end, names, flags


def hash_names(names: Names) -> int:
    """mcr_hash of the names, each followed by a NUL; 0 for no names. FNV-1a, 64 bit."""
    if not names:
        return 0
    value = _HASH_START
    for byte in "".join(f"{name}\0" for name in names).encode("utf-8", "surrogateescape"):
        value = (value ^ byte) * _HASH_FACTOR & _MASK
    return value


def name_rows(
    chains: Sequence[tuple[int, Chain]],
    name_of: Callable[[Chain], tuple[Names, int]],
    functions: Iterable[Function],
    frames: Iterable[Range],
    soname: str,
) -> list[NameRow]:
    """Rows for all code, sorted: by debug information, else by symbol, else by unwind entry.

    :param chains: starts of stretches of code with one inline chain; `name_of` says the chain's names and flags.
    :param functions: functions of the symbol table that no chain covers.
    :param frames: every function that can be unwound.
    """
    pieces = _overlay(list(_symbol_pieces(functions, soname)), list(_chain_pieces(chains, name_of)))
    rows: list[NameRow] = []
    end = 0
    for start, stop, names, flags in _overlay(list(_frame_pieces(frames, soname)), pieces):
        if rows and end < start:
            rows.append(NameRow(end, ()))
        if not rows or end < start or (rows[-1].names, rows[-1].flags) != (names, flags):
            rows.append(NameRow(start, names, flags))
        end = stop
    return [*rows, NameRow(end, ())] if rows else []


def _chain_pieces(
    chains: Sequence[tuple[int, Chain]], name_of: Callable[[Chain], tuple[Names, int]]
) -> Iterator[_Piece]:
    for (start, chain), (end, _) in pairwise(chains):
        if chain and start < end:
            yield start, end, *name_of(chain)


def _symbol_pieces(functions: Iterable[Function], soname: str) -> Iterator[_Piece]:
    for one in functions:
        flags = FLAG_WRAPPER if is_wrapper_by_name(one.name, soname) else 0
        yield one.start, one.end, (source_name(one.name),), flags


def _frame_pieces(frames: Iterable[Range], soname: str) -> Iterator[_Piece]:
    flags = FLAG_WRAPPER if is_wrapper_by_name("", soname) else 0
    end = 0
    for one in frames:
        if one.start >= end:
            yield one.start, one.end, (f"{soname}+{one.start:#x}",), flags
            end = one.end


# All of `upper`, and of `lower` what `upper` leaves uncovered. Both sorted and without overlaps, as is the result.
def _overlay(lower: Sequence[_Piece], upper: Sequence[_Piece]) -> list[_Piece]:
    result = list(upper)
    index = 0
    for start, end, names, flags in lower:
        while index < len(upper) and upper[index][1] <= start:
            index += 1
        at, over = start, index
        while at < end:
            hole = upper[over][0] if over < len(upper) else end
            if at < hole:
                result.append((at, min(hole, end), names, flags))
            if over >= len(upper):
                break
            at = max(at, upper[over][1])
            over += 1
    return sorted(result)
