"""A call's result is followed through registers, stores and branches, and no further than it is certain."""

from __future__ import annotations

import pytest

from gdb_mcr.dwarf.machine import RBP, RSP, follow_result

BASE = 0x1000
RBX, RDI, R12 = 3, 7, 12
PADDING = bytes([0xCC]) * 32


def follow(code: str) -> dict[int, frozenset[int]]:
    return follow_result(bytes.fromhex(code) + PADDING, BASE, BASE).registers


def test_copies_hold_the_result_too() -> None:
    path = follow("48 89 c3  49 89 c4  48 8b f8")  # mov %rax,%rbx; mov %rax,%r12; mov %rax,%rdi
    assert path[BASE + 9] == {0, RBX, R12, RDI}


@pytest.mark.parametrize(
    "code",
    [
        "31 c0",  # xor %eax,%eax
        "b8 01 00 00 00",  # mov $1,%eax
        "48 8b 45 f8",  # mov -8(%rbp),%rax
        "48 8d 05 00 00 00 00",  # lea 0(%rip),%rax
        "58",  # pop %rax
        "48 83 c0 10",  # add $16,%rax
        "0f b6 c3",  # movzbl %bl,%eax
        "48 0f 44 c3",  # cmove %rbx,%rax
    ],
)
def test_overwritten_register_holds_it_no_more(code: str) -> None:
    path = follow("48 89 c3" + code + "90")
    assert path[BASE + 3 + len(bytes.fromhex(code))] == {RBX}


def test_both_sides_of_a_branch_are_followed() -> None:
    path = follow("48 85 c0  74 03  48 89 c3  90")  # test; je over the copy
    assert path[BASE + 5] == {0}
    assert path[BASE + 8] == {0}, "the nearest way is the one without the copy"


def test_unknown_instruction_ends_the_walk() -> None:
    assert list(follow("0f a2 48 89 c3")) == [BASE]  # cpuid


def test_stores_are_seen() -> None:
    code = "48 89 45 f8  48 89 44 24 10  48 89 05 f9 0f 00 00  48 89 04 cb"
    path = follow_result(bytes.fromhex(code) + PADDING, BASE, BASE)
    assert path.stores == [(RBP, -8), (RSP, 16)], "an indexed store has no known place"
    assert path.globals == [BASE + 16 + 0xFF9]


@pytest.mark.parametrize(("code", "is_returned"), [("48 83 c4 08 5b c3", True), ("31 c0 c3", False), ("c9 c3", True)])
def test_return_of_the_result_is_seen(code: str, is_returned: bool) -> None:
    assert follow_result(bytes.fromhex(code) + PADDING, BASE, BASE).is_returned is is_returned
