"""What is cached comes back as it was, and nothing that somebody else or an accident wrote does."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdb_mcr.dwarf.cache import Cache
from gdb_mcr.dwarf.codec import program_from_row, program_to_row
from tests.support.small_programs import old_program


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Cache("aa01", True)


def test_program_survives(cache: Cache) -> None:
    program = old_program()
    cache.write_value("program", program_to_row(program))
    again = program_from_row(cache.read_value("program"), "/elsewhere")
    assert again.path == "/elsewhere"
    assert (again.variables, again.functions, again.sites) == (program.variables, program.functions, program.sites)
    assert tuple(again.types) == tuple(program.types)
    assert again.imports == program.imports


def test_files_are_private(cache: Cache) -> None:
    path = cache.write("table", b"rows")
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_stripped_copy_has_a_cache_of_its_own(cache: Cache) -> None:
    cache.write("table", b"rows")
    assert Cache("aa01", False).read("table") is None


@pytest.mark.parametrize("contents", [b"", b"rows", b"x" * 40])
def test_damaged_file_is_no_file(cache: Cache, contents: bytes) -> None:
    cache.write("table", b"rows").write_bytes(contents)
    assert cache.read("table") is None


def test_file_that_others_may_write_is_no_file(cache: Cache) -> None:
    path = cache.write("table", b"rows")
    assert cache.read("table") == b"rows"
    path.chmod(0o622)
    assert cache.read("table") is None


def test_link_is_no_file(cache: Cache, tmp_path: Path) -> None:
    path = cache.write("table", b"rows")
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    assert cache.read("table") is None
