"""Which module an address belongs to, and the load bias read off a real mapping of this process."""

from __future__ import annotations

import os
from pathlib import Path

from gdb_mcr.debugger.modules import Module, loaded_modules, module_at
from gdb_mcr.units import Range

ROWS = (Module("/a", "/a", 0x1000, Range(0x2000, 0x3000)), Module("/b", "/b", 0x8000, Range(0x9000, 0xA000)))


def test_module_at_is_half_open() -> None:
    found = {address: module_at(ROWS, address) for address in (0x1FFF, 0x2000, 0x2FFF, 0x3000, 0x9ABC, 0xA000)}
    assert [one.path if one else None for one in found.values()] == [None, "/a", "/a", None, "/b", None]


def test_own_modules_are_found_with_the_base_of_their_mappings() -> None:
    """A shared library's first segment has virtual address 0, so its bias is where its first page is mapped."""
    (libc,) = [one for one in loaded_modules(os.getpid()) if Path(one.path).name == "libc.so.6"]
    lines = Path("/proc/self/maps").read_text().splitlines()
    assert libc.bias == min(int(line.split("-")[0], 16) for line in lines if line.endswith(libc.path))
    assert libc.file == libc.path
