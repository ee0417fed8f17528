"""The part of capstone that gdb_mcr uses; capstone itself has no annotations."""

from collections.abc import Iterator, Sequence

CS_ARCH_X86: int
CS_MODE_64: int
CS_GRP_JUMP: int
CS_GRP_CALL: int
CS_GRP_RET: int
CS_OP_IMM: int
CS_OP_MEM: int

class X86OpMem:
    base: int
    index: int
    disp: int

class X86Op:
    type: int
    imm: int
    mem: X86OpMem

class CsInsn:
    id: int
    address: int
    size: int
    mnemonic: str
    op_str: str
    operands: Sequence[X86Op]
    def group(self, group_id: int) -> bool: ...

class Cs:
    detail: bool
    def __init__(self, arch: int, mode: int) -> None: ...
    def disasm(self, code: bytes, offset: int, count: int = 0) -> Iterator[CsInsn]: ...
