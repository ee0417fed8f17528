"""Where each function's code is, and which inlined calls it contains. Source: DWARF 5, sections 3.3.1, 3.3.8."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from gdb_mcr.dwarf.clones import source_name
from gdb_mcr.dwarf.constants import At, Tag
from gdb_mcr.dwarf.dies import DebugInfo, Die
from gdb_mcr.dwarf.elf import STT_FUNC, STT_GNU_IFUNC, ElfImage, Symbol
from gdb_mcr.dwarf.files import SourceFiles
from gdb_mcr.dwarf.lists import Lists
from gdb_mcr.dwarf.types import TypeBuilder
from gdb_mcr.model.program import Function
from gdb_mcr.units import Range

Chain = tuple[Die, ...]
"""An inline chain: inlined calls from the innermost outwards, at the end the function that has the code."""


class CodeMap:
    """From code addresses to inline chains."""

    def __init__(self, debug: DebugInfo, lists: Lists) -> None:
        self._debug = debug
        self._lists = lists
        self.entries: set[int] = set()
        """Where functions are entered: the start of each one's first range."""
        self.functions = sorted(self._iter_functions(), key=lambda one: (one[0].start, -one[0].end))
        rows: dict[int, Chain] = {}
        for where, die in self.functions:
            self._paint(rows, where, (die,), inlined_under(die))
            rows[where.end] = ()
        self.rows: list[tuple[int, Chain]] = sorted(rows.items(), key=lambda one: one[0])
        self._starts = [pc for pc, _ in self.rows]

    def chain(self, pc: int) -> Chain:
        """The inline chain at `pc`, empty outside of known functions."""
        index = bisect_right(self._starts, pc) - 1
        return self.rows[index][1] if index >= 0 else ()

    def chain_of_call(self, return_address: int) -> Chain:
        """The inline chain of the call that returns to this address (which may be another line, or function)."""
        return self.chain(return_address - 1)

    def _iter_functions(self) -> Iterator[tuple[Range, Die]]:
        code = [section.range for section in self._debug.image.sections if section.executable]
        for die in self._debug.tagged(Tag.SUBPROGRAM):
            ranges = self._lists.ranges(die)
            self.entries.update(where.start for where in ranges[:1])
            for where in ranges:
                # What the linker threw away stays in the debug information at address 0.
                if any(where.start in one for one in code):
                    yield where, die

    # Later rows win: an inner call ends where its caller goes on, or where the next inner call starts.
    def _paint(self, rows: dict[int, Chain], where: Range, chain: Chain, inner: Sequence[Die]) -> None:
        rows[where.start] = chain
        parts = [(one, die) for die in inner for one in self._lists.ranges(die) if where.overlaps(one)]
        for one, die in sorted(parts, key=lambda part: (part[0].start, part[0].end)):
            clipped = Range(max(one.start, where.start), min(one.end, where.end))
            self._paint(rows, clipped, (die, *chain), inlined_under(die))
            rows[clipped.end] = chain


def inlined_under(die: Die) -> list[Die]:
    """Calls inlined into the function or inlined call `die` itself, in any of its blocks."""
    found = []
    for one in die.children:
        if one.tag == Tag.INLINED_SUBROUTINE:
            found.append(one)
        elif one.tag == Tag.LEXICAL_BLOCK:
            found += inlined_under(one)
    return found


def functions(debug: DebugInfo, files: SourceFiles, types: TypeBuilder, code: CodeMap) -> tuple[Function, ...]:
    """Every function with code, one entry a range, sorted by address; last those that only the symbol table knows."""
    by_address = symbols_by_address(debug.image.symbols)
    known = [
        Function(
            name=debug.name(die),
            start=where.start,
            end=where.end,
            decl_file=files.declaring(die),
            entry_name=_entry_name(debug.name(die), by_address.get(where.start, []), where.start in code.entries),
            external=bool(debug.find(die, At.EXTERNAL)),
            type=types.index(debug.origin(die)),
        )
        for where, die in code.functions
    ]
    rest = symbol_functions(debug.image, [where for where, _ in code.functions])
    return tuple(sorted([*known, *rest], key=lambda one: (one.start, one.end)))


def symbol_functions(image: ElfImage, covered: Sequence[Range] = ()) -> list[Function]:
    """Functions of the symbol table outside of the sorted ranges `covered`, sorted, without overlaps."""
    result: list[Function] = []
    starts = [one.start for one in covered]
    for address, names in sorted(symbols_by_address(image.symbols).items()):
        index = bisect_right(starts, address) - 1
        if index >= 0 and address in covered[index]:
            continue
        symbol = min(names, key=_plainness)
        if result and address < result[-1].end:
            continue
        name = source_name(symbol.name)
        entry = symbol.name if symbol.name != name else ""
        result.append(Function(name, address, address + symbol.size, "", entry, symbol.is_global))
    return result


def symbols_by_address(symbols: Sequence[Symbol]) -> dict[int, list[Symbol]]:
    """Symbols of functions with code in this file."""
    result: dict[int, list[Symbol]] = {}
    for one in symbols:
        if one.kind in (STT_FUNC, STT_GNU_IFUNC) and one.section and one.size:
            result.setdefault(one.address, []).append(one)
    return result


# Of several names the one that a user would write: malloc, not __libc_malloc. The same in every version of a library.
def _plainness(symbol: Symbol) -> tuple[int, int, str]:
    name = symbol.name
    return len(name) - len(name.lstrip("_")), len(name), name


# In a file without symbols a function's further ranges are told from its entry all the same.
def _entry_name(name: str, symbols: Sequence[Symbol], is_entry: bool) -> str:
    names = [one.name for one in symbols]
    if not names:
        return "" if is_entry else f"{name}.cold"
    return "" if name in names else min(names)
