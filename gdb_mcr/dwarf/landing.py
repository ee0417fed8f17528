"""In which variables a call's result lands, by location lists and the few instructions behind the call.

A variable counts only if its location starts where it does *because* of the call: in a register that holds the result
at that instruction, or in the stack slot that the result is stored to. A variable that is reloaded there has another.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gdb_mcr.dwarf.code import Chain
from gdb_mcr.dwarf.constants import At, Op, Tag
from gdb_mcr.dwarf.dies import DebugInfo, Die
from gdb_mcr.dwarf.elf import ElfImage
from gdb_mcr.dwarf.leb import sleb
from gdb_mcr.dwarf.lists import Lists
from gdb_mcr.dwarf.machine import DWARF_REGISTERS, RBP, RSP, ResultPath, follow_result
from gdb_mcr.dwarf.types import TypeBuilder
from gdb_mcr.dwarf.unwind import CFA_RBP, CFA_RSP, UnwindRow
from gdb_mcr.model.datatype import TypeKind
from gdb_mcr.units import WORD


@dataclass(frozen=True, slots=True, order=True)
class Landing:
    """A pointer variable that takes the result."""

    is_parameter: bool
    """Of an inlined call: the variables proper say more, since a pointer to a first member is the same pointer."""
    distance: int
    """Instructions behind the call until it does; stack slots and statics come after all registers."""
    type: int
    """The variable's type in the type table."""
    name: str


_STORED = 1000  # more than any distance in instructions


class LandingFinder:
    """Answers for one program."""

    def __init__(
        self, image: ElfImage, debug: DebugInfo, lists: Lists, types: TypeBuilder, rows: Sequence[UnwindRow]
    ) -> None:
        self._image = image
        self._debug = debug
        self._types = types
        self._rows = rows
        self._row_starts = [row.pc for row in rows]
        self._code = [
            (one.range, image.section(one.name)) for one in image.sections if one.executable and one.name != ".plt"
        ]
        self._by_start: dict[int, list[tuple[int, bool, int, str]]] = {}
        """By where a location starts: (machine register, parameter?, type, name)."""
        self._statics: dict[int, tuple[int, str]] = {}
        """By address: (type, name) of each pointer with static storage."""
        self._slots: dict[int, list[tuple[int, int, str]]] = {}
        """By scope (function or inlined call): (offset from the frame base, type, name)."""
        self._take_variables(lists)

    def follow(self, return_address: int) -> ResultPath:
        """What happens to the result of the call that returns to this address."""
        for where, code in self._code:
            if return_address in where:
                return follow_result(code, where.start, return_address)
        return ResultPath()

    def landings(self, path: ResultPath, return_address: int, chain: Chain) -> list[Landing]:
        """Pointer variables that take the result, the most telling first."""
        found = [*self._in_registers(path), *self._in_slots(return_address, path, chain), *self._in_statics(path)]
        return sorted(found)

    def is_stored_away(self, path: ResultPath, return_address: int, chain: Chain) -> bool:
        """Whether the result is seen to go into memory that is not the function's own frame."""
        base = chain[-1].attributes.get(At.FRAME_BASE)
        places = (self._frame_offset(return_address, base, *store) for store in path.stores)
        return bool(path.globals) or any(place is None for place in places)

    def _in_registers(self, path: ResultPath) -> Iterator[Landing]:
        for distance, (at, holders) in enumerate(path.registers.items()):
            for register, is_parameter, type_index, name in self._by_start.get(at, ()):
                if register in holders:
                    yield Landing(is_parameter, distance, type_index, name)

    def _in_statics(self, path: ResultPath) -> Iterator[Landing]:
        for address in path.globals:
            if address in self._statics:
                yield Landing(False, _STORED, *self._statics[address])

    # Unoptimised code stores the result to the variable's stack slot.
    def _in_slots(self, start: int, path: ResultPath, chain: Chain) -> Iterator[Landing]:
        base = chain[-1].attributes.get(At.FRAME_BASE)
        for register, displacement in path.stores:
            offset = self._frame_offset(start, base, register, displacement)
            slots = (slot for die in chain for slot in self._slots.get(die.offset, ()))
            for place, type_index, name in slots:
                if place == offset:
                    yield Landing(False, _STORED, type_index, name)

    # A place on the stack as DW_OP_fbreg counts: from the CFA (GCC) or from rbp (clang without optimisation).
    def _frame_offset(self, pc: int, base: object, register: int, displacement: int) -> int | None:
        if base == bytes([Op.REG0 + DWARF_REGISTERS[register]]):
            return displacement
        if base != bytes([Op.CALL_FRAME_CFA]) or register not in (RSP, RBP):
            return None
        index = bisect_right(self._row_starts, pc) - 1
        row = self._rows[index] if index >= 0 else None
        if row is None or row.cfa != {RSP: CFA_RSP, RBP: CFA_RBP}[register]:
            return None
        return displacement - row.offset * WORD

    # ---- variables

    def _take_variables(self, lists: Lists) -> None:
        for tag in (Tag.VARIABLE, Tag.FORMAL_PARAMETER):
            for die in self._debug.tagged(tag):
                location = die.attributes.get(At.LOCATION)
                if location is None:
                    continue
                type_index = self._types.index(self._debug.type_of(die))
                if not self._is_pointer(type_index):
                    continue
                if isinstance(location, bytes) and location:
                    self._take_place(die, location, type_index)
                elif isinstance(location, int):
                    self._take_list(die, lists, type_index)

    def _take_list(self, die: Die, lists: Lists, type_index: int) -> None:
        name = self._debug.name(die)
        for start, end, expression in lists.locations(die):
            if len(expression) == 1 and Op.REG0 <= expression[0] < Op.REG0 + 16 and start < end:
                register = DWARF_REGISTERS[expression[0] - Op.REG0]
                row = (register, die.tag == Tag.FORMAL_PARAMETER, type_index, name)
                self._by_start.setdefault(start, []).append(row)

    def _take_place(self, die: Die, location: bytes, type_index: int) -> None:
        if location[0] == Op.ADDR and len(location) == 1 + WORD:
            self._statics[int.from_bytes(location[1:], "little")] = (type_index, self._debug.name(die))
        if location[0] != Op.FBREG:
            return
        offset, end = sleb(location, 1)
        scope = next((one for one in die.ancestors() if one.tag in (Tag.SUBPROGRAM, Tag.INLINED_SUBROUTINE)), None)
        if end == len(location) and scope is not None:
            self._slots.setdefault(scope.offset, []).append((offset, type_index, self._debug.name(die)))

    def _is_pointer(self, index: int) -> bool:
        one = self._types.stripped(index)
        return one is not None and one.kind is TypeKind.POINTER
