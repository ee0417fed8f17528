"""Package files are found in either place; private directories are private or refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gdb_mcr import paths
from gdb_mcr.errors import InstallationError, PrivateDirectoryError


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty source tree that paths.py takes for its own."""
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "gdb_mcr")
    monkeypatch.setattr(paths, "_SOURCE_TREE", tmp_path)
    return tmp_path


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_native_library_in_source_tree_is_found(tree: Path) -> None:
    built = put(tree / "native/build/libx.so")
    assert paths.native_library("libx.so") == built


def test_native_library_in_package_comes_first(tree: Path) -> None:
    put(tree / "native/build/libx.so")
    installed = put(tree / "gdb_mcr/_native/libx.so")
    assert paths.native_library("libx.so") == installed


def test_grammar_file_is_found_in_either_place(tree: Path) -> None:
    in_tree = put(tree / "grammar/rules/a.mcr")
    assert paths.grammar_file("rules/a.mcr") == in_tree
    installed = put(tree / "gdb_mcr/_grammar/rules/a.mcr")
    assert paths.grammar_file("rules/a.mcr") == installed


def test_missing_library_names_it_and_both_places(tree: Path) -> None:
    with pytest.raises(InstallationError, match=r"libx\.so is missing") as caught:
        paths.native_library("libx.so")
    assert caught.value.candidates == (tree / "gdb_mcr/_native/libx.so", tree / "native/build/libx.so")
    assert "make -C native" in caught.value.hint


@pytest.mark.parametrize(("variable", "directory"), [("XDG_CACHE_HOME", "cache"), ("XDG_STATE_HOME", "state")])
def test_private_directory_is_created_for_its_owner_only(
    variable: str, directory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "new" / directory))
    made = paths.cache_dir() if directory == "cache" else paths.state_dir()
    assert made == tmp_path / "new" / directory / "gdb_mcr"
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_loose_mode_is_tightened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "gdb_mcr").mkdir()
    (tmp_path / "gdb_mcr").chmod(0o755)
    assert stat.S_IMODE(paths.cache_dir().stat().st_mode) == 0o700


def test_symbolic_link_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "gdb_mcr").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PrivateDirectoryError, match="symbolic link") as caught:
        paths.cache_dir()
    assert caught.value.path == tmp_path / "gdb_mcr"


def test_file_in_its_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "gdb_mcr").touch()
    with pytest.raises(PrivateDirectoryError, match="it is no directory"):
        paths.state_dir()


def test_foreign_owner_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(PrivateDirectoryError, match=f"belongs to user {owner}"):
        paths.state_dir()


def test_file_in_the_way_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "gdb_mcr").touch()
    with pytest.raises(PrivateDirectoryError):
        paths.state_dir()


def test_relative_variable_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.cache_dir() == tmp_path / ".cache" / "gdb_mcr"
