"""Code that stands elsewhere has the same shape; code that does something else has another one."""

from __future__ import annotations

from gdb_mcr.machine_code.shape import shape


def names(address: int) -> str:
    return {0x2000: "counter", 0x9000: "counter", 0x1100: "helper", 0x8100: "helper"}.get(address, "?")


def call(at: int, target: int) -> bytes:
    return b"\xe8" + (target - at - 5).to_bytes(4, "little", signed=True)


def load(at: int, target: int) -> bytes:  # mov eax, [rip + …]
    return b"\x8b\x05" + (target - at - 6).to_bytes(4, "little", signed=True)


def test_moved_code_has_the_same_shape() -> None:
    here = load(0x1000, 0x2000) + call(0x1006, 0x1100) + b"\xc3"
    there = load(0x8000, 0x9000) + call(0x8006, 0x8100) + b"\xc3"
    assert shape(here, 0x1000, names) == shape(there, 0x8000, names)
    assert shape(here, 0x1000, names) == ("mov eax, dword ptr [counter]", "call helper", "ret ")


def test_another_constant_is_another_shape() -> None:
    assert shape(b"\xb8\x01\0\0\0\xc3", 0x1000, names) != shape(b"\xb8\x02\0\0\0\xc3", 0x1000, names)
