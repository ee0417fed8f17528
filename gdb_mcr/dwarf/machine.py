"""The little of x86-64 machine code that allocation sites need: direct calls, and where a call's result goes next.

Source: Intel SDM volume 2, chapters 2 and 3. Nothing here guesses: an instruction that is not known ends the walk.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from gdb_mcr.dwarf.elf import R_64, R_GLOB_DAT, R_JUMP_SLOT, ElfImage

RAX, RSP, RBP = 0, 4, 5
"""Register numbers as machine code has them."""

DWARF_REGISTERS = (0, 2, 1, 3, 7, 6, 4, 5, *range(8, 16))
"""DWARF's number of each register that machine code numbers (psABI, figure 3.36). The table is its own inverse."""

_MAX_INSTRUCTIONS = 64
_LONGEST = 16  # bytes of an instruction, rounded up
_RET = 0xC3
_PLT_SECTIONS = (".plt", ".plt.sec", ".plt.got")
_FUNCTION_RELOCATIONS = frozenset({R_64, R_GLOB_DAT, R_JUMP_SLOT})
_REL32 = struct.Struct("<i")

Callee = int | str
"""A function of this file by its address, or of another by its name."""


class CallFinder:
    """Direct calls in a file's code."""

    def __init__(self, image: ElfImage) -> None:
        self._image = image
        self._slots = {one.address: one.symbol for one in image.relocations if one.kind in _FUNCTION_RELOCATIONS}
        self.stubs = dict(self._iter_stubs())
        """Address of a PLT stub to the name of the function that it calls."""

    def iter_calls(self, starts: frozenset[int]) -> Iterator[tuple[int, Callee]]:
        """(return address, callee) of each direct call to a function start or to another file's function.

        Code is searched, not disassembled: a 32-bit distance that hits exactly a function start or a stub is a call.
        """
        for section in self._image.sections:
            if section.executable and section.name not in _PLT_SECTIONS:
                yield from self._iter_near(self._image.section(section.name), section.range.start, starts)
                yield from self._iter_through_got(self._image.section(section.name), section.range.start)

    def _iter_near(self, code: bytes, base: int, starts: frozenset[int]) -> Iterator[tuple[int, Callee]]:
        at = code.find(0xE8)
        while 0 <= at <= len(code) - 5:
            back = base + at + 5
            target = back + _REL32.unpack_from(code, at + 1)[0]
            if target in starts:
                yield back, target
            elif target in self.stubs:
                yield back, self.stubs[target]
            at = code.find(0xE8, at + 1)

    # call *slot(%rip): made by -fno-plt, or a table of functions that starts out with libc's (hiredis: hi_malloc).
    def _iter_through_got(self, code: bytes, base: int) -> Iterator[tuple[int, Callee]]:
        at = code.find(b"\xff\x15")
        while 0 <= at <= len(code) - 6:
            back = base + at + 6
            name = self._slots.get(back + _REL32.unpack_from(code, at + 2)[0])
            if name:
                yield back, name
            at = code.find(b"\xff\x15", at + 1)

    def _iter_stubs(self) -> Iterator[tuple[int, str]]:
        for section in self._image.sections:
            if section.name not in _PLT_SECTIONS:
                continue
            code, base = self._image.section(section.name), section.range.start
            at = code.find(b"\xff\x25")
            while 0 <= at <= len(code) - 6:
                name = self._slots.get(base + at + 6 + _REL32.unpack_from(code, at + 2)[0])
                if name:
                    yield base + (at & ~0xF if section.name != ".plt.got" else at & ~0x7), name
                at = code.find(b"\xff\x25", at + 6)


@dataclass(slots=True)
class ResultPath:
    """Where a call's result is, instruction by instruction, on both sides of branches, as far as the code is plain."""

    registers: dict[int, frozenset[int]] = field(default_factory=dict)
    """Address of an instruction to the registers (machine numbers) that hold the result before it, nearest first."""
    stores: list[tuple[int, int]] = field(default_factory=list)
    """(base register, displacement) of each 8-byte store of the result."""
    globals: list[int] = field(default_factory=list)
    """Address of each 8-byte store of the result to a static object."""
    is_returned: bool = False
    """Whether the function returns while rax holds the result."""


@dataclass(slots=True)
class _Operands:
    """A decoded ModRM byte with what follows it."""

    reg: int
    rm: int
    is_register: bool
    end: int
    displacement: int = 0
    is_rip_relative: bool = False
    has_index: bool = False


def follow_result(code: bytes, base: int, return_address: int) -> ResultPath:
    """Follows rax from behind a call. `base` is the address of `code`'s first byte."""
    path = ResultPath()
    pending = deque([(return_address - base, frozenset({RAX}))])
    while pending and len(path.registers) < _MAX_INSTRUCTIONS:
        at, holders = pending.popleft()
        if base + at in path.registers or not holders or not 0 <= at <= len(code) - _LONGEST:
            continue
        path.registers[base + at] = holders
        if code[at] == _RET:
            path.is_returned |= RAX in holders
            continue
        jump = _jump(code, at)
        if jump is not None:
            pending.extend((target, holders) for target in jump)
            continue
        step = _step(code, at, base, holders, path)
        if step is not None:
            pending.append(step)
    return path


# Where a direct jump goes: (behind it,) target. None if the instruction is no jump.
def _jump(code: bytes, at: int) -> tuple[int, ...] | None:
    opcode = code[at]
    if opcode == 0xEB or 0x70 <= opcode <= 0x7F:
        behind = at + 2
        target = behind + int.from_bytes(code[at + 1 : behind], "little", signed=True)
        return (target,) if opcode == 0xEB else (behind, target)
    if opcode == 0xE9:
        return (at + 5 + _REL32.unpack_from(code, at + 1)[0],)
    if opcode == 0x0F and 0x80 <= code[at + 1] <= 0x8F:
        return at + 6, at + 6 + _REL32.unpack_from(code, at + 2)[0]
    return None


# No operand is an immediate; the second set's destination is ModRM.rm, the first one's ModRM.reg.
_LOADS = frozenset({0x8B, 0x8D, 0x63, 0x03, 0x0B, 0x23, 0x2B, 0x33})
_STORES = frozenset({0x89, 0x01, 0x09, 0x21, 0x29, 0x31})
_COMPARES = frozenset({0x84, 0x85, 0x38, 0x39, 0x3A, 0x3B})
_BYTE_STORES = frozenset({0x88})


def _step(
    code: bytes, at: int, base: int, holders: frozenset[int], path: ResultPath
) -> tuple[int, frozenset[int]] | None:
    start = at
    while code[at] in (0x66, 0xF2, 0xF3):
        at += 1
    is_plain = at == start
    rex = code[at] if 0x40 <= code[at] <= 0x4F else 0
    at += rex != 0
    opcode = code[at]
    at += 1
    if opcode == 0x0F:
        return _two_bytes(code, at, rex, holders)
    if 0x50 <= opcode <= 0x57:  # push
        return at, holders
    if 0x58 <= opcode <= 0x5F:  # pop
        return at, holders - {opcode - 0x58 + (rex & 1) * 8}
    if opcode == 0xC9:  # leave
        return at, holders - {RBP, RSP}
    if 0xB8 <= opcode <= 0xBF:  # mov immediate
        register = opcode - 0xB8 + (rex & 1) * 8
        return at + (8 if rex & 8 else 4), holders - {register}
    if opcode in (0xC7, 0x81, 0x83, 0xC1, 0xC6, 0x80, 0xF6):
        return _immediate(code, at, rex, opcode, holders) if is_plain else None
    if opcode not in _LOADS | _STORES | _COMPARES | _BYTE_STORES:
        return None
    operands = _operands(code, at, rex)
    if opcode == 0x89 and rex & 8 and operands.reg in holders:
        return operands.end, _copied(operands, base, holders, path)
    if opcode == 0x8B and rex & 8 and operands.is_register and operands.rm in holders:
        return operands.end, holders | {operands.reg}
    if opcode in _LOADS:
        return operands.end, holders - {operands.reg}
    if opcode in _STORES and operands.is_register:
        return operands.end, holders - {operands.rm}
    return (operands.end, holders) if opcode not in _BYTE_STORES or not operands.is_register else None


# mov of a register that holds the result.
def _copied(operands: _Operands, base: int, holders: frozenset[int], path: ResultPath) -> frozenset[int]:
    if operands.is_register:
        return holders | {operands.rm}
    if operands.is_rip_relative:
        path.globals.append(base + operands.end + operands.displacement)
    elif not operands.has_index:
        path.stores.append((operands.rm, operands.displacement))
    return holders


def _immediate(
    code: bytes, at: int, rex: int, opcode: int, holders: frozenset[int]
) -> tuple[int, frozenset[int]] | None:
    operands = _operands(code, at, rex)
    size = 4 if opcode in (0xC7, 0x81) else 1
    is_compare = opcode in (0x80, 0x81, 0x83) and operands.reg & 7 == 7
    if opcode == 0xF6 and operands.reg & 7 > 1:
        return None
    if operands.is_register and not is_compare and opcode != 0xF6:
        if opcode in (0xC6, 0x80):
            return None
        holders = holders - {operands.rm}
    return operands.end + size, holders


def _two_bytes(code: bytes, at: int, rex: int, holders: frozenset[int]) -> tuple[int, frozenset[int]] | None:
    opcode = code[at]
    at += 1
    if opcode in (0x1F, 0x10, 0x11, 0x28, 0x29, 0x6F, 0x7F, 0x57, 0xEF, 0x16, 0x17, 0x12, 0x13, 0xD6, 0x7E, 0x6E, 0x6C):
        operands = _operands(code, at, rex)
        # movd and movq can write general registers.
        is_killed = opcode == 0x7E and operands.is_register
        return operands.end, holders - {operands.rm} if is_killed else holders
    if opcode in (0xB6, 0xB7, 0xBE, 0xBF, 0xAF) or 0x40 <= opcode <= 0x4F:  # movzx, movsx, imul, cmovcc
        operands = _operands(code, at, rex)
        return operands.end, holders - {operands.reg}
    return None


def _operands(code: bytes, at: int, rex: int) -> _Operands:
    modrm = code[at]
    at += 1
    mode, reg, rm = modrm >> 6, (modrm >> 3 & 7) | (rex & 4) << 1, modrm & 7
    if mode == 3:
        return _Operands(reg, rm | (rex & 1) << 3, True, at)
    has_index, base = False, rm
    if rm == 4:
        sib = code[at]
        at += 1
        base = sib & 7
        has_index = sib >> 3 & 7 != 4 or bool(rex & 2) or (base == 5 and mode == 0)
    is_rip_relative = mode == 0 and rm == 5
    size = 4 if mode == 2 or is_rip_relative or (mode == 0 and base == 5) else (1 if mode == 1 else 0)
    displacement = int.from_bytes(code[at : at + size], "little", signed=True) if size else 0
    return _Operands(reg, base | (rex & 1) << 3, False, at + size, displacement, is_rip_relative, has_index)
