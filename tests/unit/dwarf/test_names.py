"""Name rows cover all code, from the best source there is, and hash alike in every version."""

from __future__ import annotations

import pytest

from gdb_mcr.dwarf.clones import source_name
from gdb_mcr.dwarf.names import FLAG_WRAPPER, NameRow, hash_names, name_rows
from gdb_mcr.model.program import Function
from gdb_mcr.units import Range


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("main", "main"),
        ("f.cold", "f"),
        ("f.constprop.0", "f"),
        ("f.part.0.isra.12", "f"),
        ("f.lto_priv.0.cold", "f"),
        ("calls.5", "calls.5"),
        ("cold", "cold"),
    ],
)
def test_clone_suffixes_are_stripped(symbol: str, name: str) -> None:
    assert source_name(symbol) == name


def test_hash_tells_chains_apart() -> None:
    assert hash_names(()) == 0
    assert len({hash_names(names) for names in [("a", "b"), ("b", "a"), ("ab",), ("a",)]}) == 4


def test_symbols_come_before_frames_and_gaps_have_no_name() -> None:
    functions = [Function("read", 0x20, 0x30, ""), Function("strdup", 0x30, 0x40, "")]
    frames = [Range(0x10, 0x28), Range(0x30, 0x38), Range(0x50, 0x60)]
    assert name_rows((), lambda _: ((), 0), functions, frames, "libx.so") == [
        NameRow(0x10, ("libx.so+0x10",)),
        NameRow(0x20, ("read",)),
        NameRow(0x30, ("strdup",)),
        NameRow(0x40, ()),
        NameRow(0x50, ("libx.so+0x50",)),
        NameRow(0x60, ()),
    ]


def test_nameless_halves_of_libc_pass_on_to_the_public_function() -> None:
    functions = [Function("asprintf", 0x10, 0x20, ""), Function("fopen", 0x20, 0x30, "")]
    frames = [Range(0x10, 0x20), Range(0x20, 0x30), Range(0x30, 0x40)]
    rows = name_rows((), lambda _: ((), 0), functions, frames, "libc.so.6")
    assert [row.flags for row in rows] == [FLAG_WRAPPER, 0, FLAG_WRAPPER, 0]
