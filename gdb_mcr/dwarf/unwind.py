"""The unwind rows of module tables, from .eh_frame.

A row says where the caller's frame is and where rbp was saved; whatever needs more than that is MCR_CFA_NONE.
Source: Linux Standard Base 5, "Exception Frames"; DWARF 5, section 6.4; mcr_abi.h, "module tables".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gdb_mcr.dwarf.elf import ElfImage
from gdb_mcr.dwarf.leb import sleb, text, uleb
from gdb_mcr.errors import AnalysisError
from gdb_mcr.units import WORD, Range

CFA_NONE, CFA_RSP, CFA_RBP = 0, 1, 2
"""MCR_CFA_*."""

_RBP, _RSP, _RETURN = 6, 7, 16  # DWARF register numbers (psABI, figure 3.36)
_WORDS_LIMIT = 1 << 15
_PCREL, _FORMAT, _OMITTED = 0x10, 0x0F, 0xFF  # DW_EH_PE_*
_FORMATS = {0x00: "<Q", 0x02: "<H", 0x03: "<I", 0x04: "<Q", 0x0A: "<h", 0x0B: "<i", 0x0C: "<q"}

UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class UnwindRow:
    """Valid from `pc` (ELF virtual address) to the next row's."""

    pc: int
    cfa: int
    """CFA_*."""
    offset: int = 0
    """Words of 8 bytes."""
    rbp_saved: int = 0
    """rbp stands at CFA - 8 * rbp_saved; 0 = unchanged by this frame."""


@dataclass(frozen=True, slots=True)
class _Rules:
    """What the instructions have said so far."""

    register: int = UNKNOWN
    offset: int = 0
    rbp: int = 0
    """Offset from the CFA in bytes; 0 = unchanged; 1 = by a rule that rows cannot say."""
    is_outermost: bool = False

    def row(self, pc: int) -> UnwindRow:
        words, rest = divmod(self.offset, WORD)
        saved, rest_saved = divmod(-self.rbp, WORD)
        cfa = {_RSP: CFA_RSP, _RBP: CFA_RBP}.get(self.register, CFA_NONE)
        is_sayable = not rest and not rest_saved and 0 < words < _WORDS_LIMIT and 0 <= saved < _WORDS_LIMIT
        if self.is_outermost or not is_sayable or cfa == CFA_NONE:
            return UnwindRow(pc, CFA_NONE)
        return UnwindRow(pc, cfa, words, saved)


@dataclass(frozen=True, slots=True)
class _Cie:
    """What several FDEs have in common."""

    code_factor: int
    data_factor: int
    encoding: int
    has_data: bool
    is_signal: bool
    instructions: tuple[int, int]


class FrameTable:
    """All of a file's .eh_frame: `frames` are the functions' ranges, `rows` how to leave them; both sorted."""

    def __init__(self, image: ElfImage) -> None:
        self._data = image.section(".eh_frame")
        self._address = image.address(".eh_frame")
        self._cies: dict[int, _Cie] = {}
        self.frames: list[Range] = []
        rows: dict[int, UnwindRow] = {}
        try:
            parts = sorted(self._iter_fdes(), key=lambda one: one[0])
        except (struct.error, IndexError, KeyError) as error:
            raise AnalysisError(f"{image.path} has damaged unwind information") from error
        for where, found in parts:
            self.frames.append(where)
            rows.update((row.pc, row) for row in found if row.pc in where)
            rows[where.end] = UnwindRow(where.end, CFA_NONE)
        self.rows = sorted(rows.values(), key=lambda row: row.pc)

    def _iter_fdes(self) -> Iterator[tuple[Range, list[UnwindRow]]]:
        at, data = 0, self._data
        while at + 4 <= len(data):
            (length,) = struct.unpack_from("<I", data, at)
            if not length:
                # A terminator; crtend.o's stands last, but a linker script may leave one in the middle.
                at += 4
                continue
            body, end = at + 4, at + 4 + length
            (pointer,) = struct.unpack_from("<I", data, body)
            if pointer:
                fde = self._fde(self._cie(body - pointer), body + 4, end)
                if fde[0].size > 0:
                    yield fde
            at = end

    def _cie(self, at: int) -> _Cie:
        if at not in self._cies:
            self._cies[at] = self._read_cie(at)
        return self._cies[at]

    def _read_cie(self, at: int) -> _Cie:
        data = self._data
        end = at + 4 + int(struct.unpack_from("<I", data, at)[0])
        version = data[at + 8]
        augmentation = text(data, at + 9)
        at += 10 + len(augmentation)
        code_factor, at = uleb(data, at)
        data_factor, at = sleb(data, at)
        at = at + 1 if version == 1 else uleb(data, at)[1]
        encoding = 0
        if augmentation.startswith("z"):
            size, at = uleb(data, at)
            encoding = self._pointer_encoding(augmentation, at)
            at += size
        return _Cie(code_factor, data_factor, encoding, augmentation[:1] == "z", "S" in augmentation, (at, end))

    def _pointer_encoding(self, augmentation: str, at: int) -> int:
        for letter in augmentation[1:]:
            if letter == "R":
                return self._data[at]
            if letter == "L":
                at += 1
            elif letter == "P":
                at += 1 + struct.calcsize(_FORMATS[self._data[at] & _FORMAT])
        return 0

    def _fde(self, cie: _Cie, at: int, end: int) -> tuple[Range, list[UnwindRow]]:
        layout = struct.Struct(_FORMATS[cie.encoding & _FORMAT])
        start, size = layout.unpack_from(self._data, at)[0], layout.unpack_from(self._data, at + layout.size)[0]
        if cie.encoding & 0x70 == _PCREL:
            start += self._address + at
        at += 2 * layout.size
        if cie.has_data:
            extra, at = uleb(self._data, at)
            at += extra
        where = Range(start, start + (size & ((1 << 8 * layout.size) - 1)))
        if cie.is_signal:
            return where, [UnwindRow(start, CFA_NONE)]
        return where, _Interpreter(self._data, cie).run(start, at, end)


class _Interpreter:
    """Runs call frame instructions. Source: DWARF 5, section 6.4.2."""

    def __init__(self, data: bytes, cie: _Cie) -> None:
        self._data = data
        self._cie = cie
        self._rules = _Rules()
        self._initial = _Rules()
        self._saved: list[_Rules] = []

    def run(self, pc: int, at: int, end: int) -> list[UnwindRow]:
        self._pc = pc
        self._rows: list[UnwindRow] = []
        self._execute(*self._cie.instructions)
        self._initial = self._rules
        self._execute(at, end)
        self._rows.append(self._rules.row(self._pc))
        return self._rows

    def _execute(self, at: int, end: int) -> None:
        data = self._data
        while at < end:
            code = data[at]
            at += 1
            high, low = code & 0xC0, code & 0x3F
            if high == 0x40:
                self._advance(low)
            elif high == 0x80:
                offset, at = uleb(data, at)
                self._offset(low, offset * self._cie.data_factor)
            elif high == 0xC0:
                self._restore(low)
            else:
                at = self._extended(code, at)

    def _advance(self, delta: int) -> None:
        self._rows.append(self._rules.row(self._pc))
        self._pc += delta * self._cie.code_factor

    def _offset(self, register: int, offset: int) -> None:
        if register == _RBP:
            self._rules = replace(self._rules, rbp=offset if offset < 0 else 1)

    def _restore(self, register: int) -> None:
        if register == _RBP:
            self._rules = replace(self._rules, rbp=self._initial.rbp)
        elif register == _RETURN:
            self._rules = replace(self._rules, is_outermost=self._initial.is_outermost)

    # A rule that a row cannot say: lost for rbp, outermost (or as good as that) for the return address.
    def _lose(self, register: int) -> None:
        if register == _RBP:
            self._rules = replace(self._rules, rbp=1)
        elif register == _RETURN:
            self._rules = replace(self._rules, is_outermost=True)

    def _extended(self, code: int, at: int) -> int:
        data = self._data
        if code == 0x00:  # nop
            return at
        if code in (0x02, 0x03, 0x04):  # advance_loc1, 2, 4
            size = 1 << (code - 2)
            self._advance(int.from_bytes(data[at : at + size], "little"))
            return at + size
        if code == 0x0A:  # remember_state
            self._saved.append(self._rules)
            return at
        if code == 0x0B:  # restore_state
            self._rules = self._saved.pop()
            return at
        if code == 0x0F:  # def_cfa_expression
            self._rules = replace(self._rules, register=UNKNOWN)
            size, at = uleb(data, at)
            return at + size
        first, at = uleb(data, at)
        return self._with_operand(code, first, at)

    def _with_operand(self, code: int, first: int, at: int) -> int:
        data, factor = self._data, self._cie.data_factor
        if code in (0x0C, 0x12):  # def_cfa, def_cfa_sf
            second, at = uleb(data, at) if code == 0x0C else sleb(data, at)
            offset = second if code == 0x0C else second * factor
            self._rules = replace(self._rules, register=first, offset=offset)
        elif code == 0x0D:  # def_cfa_register
            self._rules = replace(self._rules, register=first)
        elif code == 0x0E:  # def_cfa_offset
            self._rules = replace(self._rules, offset=first)
        elif code in (0x05, 0x11, 0x2F):  # offset_extended, offset_extended_sf, GNU_negative_offset_extended
            second, at = sleb(data, at) if code == 0x11 else uleb(data, at)
            self._offset(first, (-second if code == 0x2F else second) * factor)
        elif code == 0x06:  # restore_extended
            self._restore(first)
        elif code == 0x08:  # same_value
            if first == _RBP:
                self._rules = replace(self._rules, rbp=0)
        elif code == 0x07:  # undefined
            self._lose(first)
        elif code in (0x09, 0x14, 0x15):  # register, val_offset, val_offset_sf
            self._lose(first)
            at = uleb(data, at)[1]
        elif code in (0x10, 0x16):  # expression, val_expression
            self._lose(first)
            size, at = uleb(data, at)
            at += size
        elif code != 0x2E:  # GNU_args_size says nothing about the frame
            raise KeyError(code)
        return at
