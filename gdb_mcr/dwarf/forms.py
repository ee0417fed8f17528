"""How the attributes of one kind of entry (an abbreviation) are decoded: few `struct` calls instead of one a value.

Source: DWARF 5, sections 7.5.3 to 7.5.6.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gdb_mcr.dwarf.constants import KEPT_ATTRIBUTES, At, Form, Tag
from gdb_mcr.dwarf.leb import sleb, text, uleb
from gdb_mcr.errors import AnalysisError

Value = int | str | bytes

FIXED = {
    Form.ADDR: "Q",
    Form.DATA1: "B",
    Form.DATA2: "H",
    Form.DATA4: "I",
    Form.DATA8: "Q",
    Form.DATA16: "16s",
    Form.FLAG: "B",
    Form.REF1: "B",
    Form.REF2: "H",
    Form.REF4: "I",
    Form.REF8: "Q",
    Form.REF_ADDR: "I",
    Form.REF_SIG8: "Q",
    Form.SEC_OFFSET: "I",
    Form.STRP: "I",
    Form.LINE_STRP: "I",
    Form.STRX1: "B",
    Form.STRX2: "H",
    Form.STRX4: "I",
    Form.ADDRX1: "B",
    Form.ADDRX2: "H",
    Form.ADDRX4: "I",
    Form.GNU_REF_ALT: "I",
    Form.GNU_STRP_ALT: "I",
}
"""Forms of a fixed size in 32-bit DWARF, as `struct` codes."""


def _block(data: bytes, at: int) -> tuple[Value, int]:
    size, at = uleb(data, at)
    return data[at : at + size], at + size


def _sized_block(size_of_size: int) -> Callable[[bytes, int], tuple[Value, int]]:
    def read(data: bytes, at: int) -> tuple[Value, int]:
        start = at + size_of_size
        end = start + int.from_bytes(data[at:start], "little")
        return data[start:end], end

    return read


def _string(data: bytes, at: int) -> tuple[Value, int]:
    return text(data, at), data.index(0, at) + 1


VARIABLE: dict[int, Callable[[bytes, int], tuple[Value, int]]] = {
    Form.STRING: _string,
    Form.BLOCK: _block,
    Form.EXPRLOC: _block,
    Form.BLOCK1: _sized_block(1),
    Form.BLOCK2: _sized_block(2),
    Form.BLOCK4: _sized_block(4),
    Form.UDATA: uleb,
    Form.REF_UDATA: uleb,
    Form.STRX: uleb,
    Form.ADDRX: uleb,
    Form.LOCLISTX: uleb,
    Form.RNGLISTX: uleb,
    Form.SDATA: sleb,
}

PLAIN = frozenset(
    {
        *(Form.ADDR, Form.DATA1, Form.DATA2, Form.DATA4, Form.DATA8, Form.DATA16, Form.FLAG, Form.SEC_OFFSET),
        *(Form.REF_ADDR, Form.STRING, Form.BLOCK, Form.EXPRLOC, Form.BLOCK1, Form.BLOCK2, Form.BLOCK4),
        *(Form.UDATA, Form.SDATA),
    }
)
"""Forms whose decoded value needs no look into another section and no base."""

_ADDRESSES = frozenset({Form.ADDR, Form.ADDRX, Form.ADDRX1, Form.ADDRX2, Form.ADDRX4})

SKIPPED_TREES = frozenset({Tag.CALL_SITE, Tag.GNU_CALL_SITE, Tag.CALL_SITE_PARAMETER, Tag.GNU_CALL_SITE_PARAMETER})
"""Entries that nobody asks for; GCC writes very many of them."""

_REFERENCES = frozenset({Form.REF1, Form.REF2, Form.REF4, Form.REF8, Form.REF_UDATA, Form.REF_ADDR})
_BOUNDS = frozenset({At.UPPER_BOUND, At.COUNT})


@dataclass(slots=True)
class Abbreviation:
    """The decoding plan of one abbreviation."""

    tag: int
    has_children: bool
    constants: dict[int, Value] = field(default_factory=dict)
    """Attributes whose value stands in the abbreviation."""
    steps: list[tuple[Callable[[bytes, int], tuple[Value, ...]], tuple[int, ...], int]] = field(default_factory=list)
    """(unpack_from, attributes, bytes) of fixed stretches; (reader, (attribute,), -1) of variable ones."""
    fixes: list[tuple[int, int]] = field(default_factory=list)
    """(attribute, form) of values that refer elsewhere."""

    @property
    def is_skipped(self) -> bool:
        """Whether the entry is only stepped over."""
        return self.tag in SKIPPED_TREES


def plan(tag: int, has_children: bool, specs: Sequence[tuple[int, int, int]]) -> Abbreviation:
    """Makes the plan from (attribute, form, implicit constant) triples in order of appearance.

    :raises AnalysisError: a form of another DWARF version or vendor.
    """
    result = Abbreviation(tag, has_children)
    codes = "<"
    names: list[int] = []

    def flush() -> None:
        nonlocal codes, names
        if codes != "<":
            layout = struct.Struct(codes)
            result.steps.append((layout.unpack_from, tuple(names), layout.size))
        codes, names = "<", []

    for attribute, form, constant in specs:
        is_kept = attribute in KEPT_ATTRIBUTES
        if attribute == At.HIGH_PC and form in _ADDRESSES:
            result.constants[At.HIGH_IS_ADDRESS] = 1
        if attribute in _BOUNDS and form in _REFERENCES:
            result.constants[At.BOUND_IS_REFERENCE] = 1
        if form in (Form.IMPLICIT_CONST, Form.FLAG_PRESENT):
            result.constants[attribute] = constant if form == Form.IMPLICIT_CONST else 1
        elif form in FIXED:
            codes += FIXED[form] if is_kept else f"{struct.calcsize('<' + FIXED[form])}x"
            if is_kept:
                names.append(attribute)
        elif form in VARIABLE:
            flush()
            result.steps.append((VARIABLE[form], (attribute,), -1))
        else:
            raise AnalysisError(f"the debug information uses the unknown form {form:#x}", hint="build with -gdwarf-5")
        if is_kept and form not in PLAIN and form in (FIXED | VARIABLE):
            result.fixes.append((attribute, form))
    flush()
    return result
