"""Files that are no programs for us are told apart with one clear sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdb_mcr.dwarf.elf import iter_relr
from gdb_mcr.dwarf.files import build_root
from gdb_mcr.dwarf.identity import identify
from gdb_mcr.dwarf.leb import sleb, uleb
from gdb_mcr.errors import AnalysisError


@pytest.mark.parametrize(
    ("contents", "complaint"),
    [
        (b"#!/bin/sh\n", "is no ELF file"),
        (b"", "is no ELF file"),
        (b"\x7fELF\x01" + bytes(60), "is no 64-bit x86 program"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\xb7\x00" + bytes(44), "is no 64-bit x86 program"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\x3e\x00", "damaged ELF headers"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, contents: bytes, complaint: str) -> None:
    path = tmp_path / "server"
    path.write_bytes(contents)
    with pytest.raises(AnalysisError, match=complaint) as caught:
        identify(path)
    assert caught.value.hint


def test_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="No such file"):
        identify(tmp_path / "absent")


@pytest.mark.parametrize(
    ("data", "unsigned", "signed"),
    [("02", 2, 2), ("7e", 126, -2), ("ff00", 127, 127), ("8001", 128, 128), ("807f", 16256, -128)],
)
def test_variable_length_numbers(data: str, unsigned: int, signed: int) -> None:
    contents = bytes.fromhex(data)
    assert uleb(contents, 0) == (unsigned, len(contents))
    assert sleb(contents, 0) == (signed, len(contents))


def test_packed_relocations_are_unpacked() -> None:
    words = [0x1000, 0b1011, 0x3000]
    data = b"".join(word.to_bytes(8, "little") for word in words)
    assert list(iter_relr(data)) == [0x1000, 0x1008, 0x1018, 0x3000]


@pytest.mark.parametrize(
    ("directories", "root"),
    [([], ""), (["/src/a"], "/src/a"), (["/b/redis/src", "/b/redis/deps/lua/src"], "/b/redis"), (["/a", "/b"], "")],
)
def test_build_root(directories: list[str], root: str) -> None:
    assert build_root(directories) == root
