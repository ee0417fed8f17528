"""Objects with static storage: globals, statics of files and functions, thread-locals. Source: DWARF 5, 2.6, 4.1."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from gdb_mcr.dwarf.constants import At, Op, Tag
from gdb_mcr.dwarf.dies import DebugInfo, Die
from gdb_mcr.dwarf.elf import STT_OBJECT, STT_TLS
from gdb_mcr.dwarf.files import SourceFiles
from gdb_mcr.dwarf.leb import uleb
from gdb_mcr.dwarf.types import TypeBuilder
from gdb_mcr.model.program import Section, Variable
from gdb_mcr.units import WORD

_TLS_OPERATORS = (bytes([Op.FORM_TLS_ADDRESS]), bytes([Op.GNU_PUSH_TLS_ADDRESS]))
_RELRO_SECTIONS = (".data.rel.ro", ".data.rel.ro.local")


class VariableReader:
    """Collects the static objects of a program."""

    def __init__(self, debug: DebugInfo, files: SourceFiles, types: TypeBuilder) -> None:
        self._debug = debug
        self._files = files
        self._types = types
        self._sections = debug.image.sections
        self._starts = [one.range.start for one in self._sections]
        self._symbol_sizes = {
            (one.kind == STT_TLS, one.address): one.size
            for one in debug.image.symbols
            if one.kind in (STT_OBJECT, STT_TLS) and one.section
        }
        self._counts: dict[tuple[str, str, str], int] = {}

    def variables(self) -> tuple[Variable, ...]:
        """All of them, sorted by address, thread-locals last. One object is one entry however often it is described."""
        seen: dict[tuple[bool, int, str], Variable] = {}
        for die in self._debug.tagged(Tag.VARIABLE):
            place = self._place(die)
            name = self._debug.name(die)
            if place is None or not name or (*place, name) in seen:
                continue
            seen[*place, name] = self._variable(die, name, *place)
        return tuple(sorted(seen.values(), key=lambda one: (one.thread_local, one.address, one.name)))

    # (thread-local?, address or offset) of a variable whose whole location is one address.
    def _place(self, die: Die) -> tuple[bool, int] | None:
        location = die.attributes.get(At.LOCATION)
        if not isinstance(location, bytes) or not location:
            return None
        if len(location) == 1 + WORD and location[0] == Op.ADDR:
            return False, int.from_bytes(location[1:], "little")
        if len(location) == 2 + WORD and location[0] in (Op.CONST8U, Op.ADDR) and location[-1:] in _TLS_OPERATORS:
            return True, int.from_bytes(location[1:-1], "little")
        if location[0] == Op.ADDRX:
            index, end = uleb(location, 1)
            if end == len(location):
                return False, self._debug.indexed_address(die.unit, index)
        return None

    def _variable(self, die: Die, name: str, thread_local: bool, address: int) -> Variable:
        origin = self._debug.origin(die)
        index = self._types.index(self._debug.type_of(die))
        function = self._enclosing_function(die)
        file = self._files.declaring(die)
        return Variable(
            name=name,
            address=address,
            size=self._types.size(index) or self._symbol_sizes.get((thread_local, address), 0),
            type=index,
            decl_file=file,
            function=function,
            ordinal=self._next_ordinal(file, function, name) if function else 0,
            external=At.EXTERNAL in origin.attributes or At.EXTERNAL in die.attributes,
            thread_local=thread_local,
            writable=thread_local or self._is_writable(address),
        )

    def _next_ordinal(self, file: str, function: str, name: str) -> int:
        ordinal = self._counts.get((file, function, name), 0)
        self._counts[file, function, name] = ordinal + 1
        return ordinal

    # The function in whose source the static stands, wherever it was inlined to.
    def _enclosing_function(self, die: Die) -> str:
        for one in self._iter_scopes(self._debug.origin(die)):
            return self._debug.name(one)
        return ""

    @staticmethod
    def _iter_scopes(die: Die) -> Iterator[Die]:
        return (one for one in die.ancestors() if one.tag in (Tag.SUBPROGRAM, Tag.INLINED_SUBROUTINE))

    def _section(self, address: int) -> Section | None:
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address not in self._sections[index].range:
            return None
        return self._sections[index]

    def _is_writable(self, address: int) -> bool:
        section = self._section(address)
        return section is not None and section.writable and section.name not in _RELRO_SECTIONS
