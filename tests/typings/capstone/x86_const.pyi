"""Numbers of x86 registers and instructions."""

X86_REG_RIP: int
X86_INS_JMP: int
X86_INS_LEA: int
X86_INS_CMP: int
X86_INS_HLT: int
X86_INS_UD2: int
X86_INS_INT3: int
