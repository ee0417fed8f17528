"""Machine code without the addresses that every build has elsewhere. Source: capstone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import capstone

_RELATIVE = re.compile(r"\[rip ([+-]) (0x[0-9a-f]+|\d+)\]")
_TARGET = re.compile(r"^(0x[0-9a-f]+|\d+)$")


def shape(code: bytes, address: int, name_of: Callable[[int], str]) -> tuple[str, ...]:
    """One text for each instruction; the same for code that does the same in another place.

    :param address: of the first byte.
    :param name_of: what stands at an address that the code refers to.
    """
    machine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    return tuple(_texts(machine.disasm(code, address), name_of))


def _texts(instructions: Iterator[capstone.CsInsn], name_of: Callable[[int], str]) -> Iterator[str]:
    for one in instructions:
        following = one.address + one.size
        operands, relative = one.op_str, _RELATIVE.search(one.op_str)
        if one.mnemonic.startswith(("j", "call")) and _TARGET.match(operands):
            operands = name_of(int(operands, 0))
        elif relative is not None:
            distance = int(relative[2], 0) if relative[1] == "+" else -int(relative[2], 0)
            operands = operands.replace(relative[0], f"[{name_of(following + distance)}]")
        yield f"{one.mnemonic} {operands}"
