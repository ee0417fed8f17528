"""Instructions of x86-64 code, as far as its control flow needs them. Source: Intel SDM, volume 2; capstone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import capstone
from capstone import x86_const


class Flow(Enum):
    """Where control goes behind an instruction."""

    NEXT = "next"
    """To the next instruction."""
    CALL = "call"
    """Into another function and, if that returns, to the next instruction."""
    JUMP = "jump"
    """Elsewhere."""
    BRANCH = "branch"
    """Elsewhere or to the next instruction."""
    RETURN = "return"
    """To the caller."""
    END = "end"
    """Nowhere: hlt, ud2."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction."""

    address: int
    size: int
    """Bytes."""
    flow: Flow
    target: int | None = None
    """JUMP, BRANCH, CALL: where to; None = computed at run time."""
    slot: int | None = None
    """JUMP, CALL through a word at a fixed address, such as a slot of the GOT: that address."""
    address_taken: int | None = None
    """lea REGISTER, [rip + …]: that address. A jump table's stands before its jump."""
    bound: int | None = None
    """cmp …, IMMEDIATE: that number. A jump table's highest index stands before its jump."""

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + self.size


def decode(code: bytes, address: int) -> list[Instruction]:
    """The instructions that stand one behind the other in ``code``; what is no instruction ends them.

    :param address: of the first byte.
    """
    machine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    machine.detail = True
    return [_instruction(one) for one in machine.disasm(code, address)]


_END = frozenset({x86_const.X86_INS_HLT, x86_const.X86_INS_UD2, x86_const.X86_INS_INT3})


def _instruction(one: capstone.CsInsn) -> Instruction:
    flow = _flow(one)
    leads_away = flow in (Flow.JUMP, Flow.BRANCH, Flow.CALL)
    return Instruction(
        one.address,
        one.size,
        flow,
        _direct_target(one) if leads_away else None,
        _memory_address(one, 0) if leads_away else None,
        _memory_address(one, 1) if one.id == x86_const.X86_INS_LEA else None,
        _bound(one) if one.id == x86_const.X86_INS_CMP else None,
    )


def _flow(one: capstone.CsInsn) -> Flow:
    if one.group(capstone.CS_GRP_JUMP):
        return Flow.JUMP if one.id == x86_const.X86_INS_JMP else Flow.BRANCH
    if one.group(capstone.CS_GRP_CALL):
        return Flow.CALL
    if one.group(capstone.CS_GRP_RET):
        return Flow.RETURN
    return Flow.END if one.id in _END else Flow.NEXT


def _direct_target(one: capstone.CsInsn) -> int | None:
    operand = one.operands[0]
    return int(operand.imm) if operand.type == capstone.CS_OP_IMM else None


# Of an operand relative to rip without an index.
def _memory_address(one: capstone.CsInsn, place: int) -> int | None:
    operand = one.operands[place]
    if operand.type != capstone.CS_OP_MEM or operand.mem.base != x86_const.X86_REG_RIP:
        return None
    return one.address + one.size + int(operand.mem.disp)


def _bound(one: capstone.CsInsn) -> int | None:
    operand = one.operands[1]
    return int(operand.imm) if operand.type == capstone.CS_OP_IMM else None
