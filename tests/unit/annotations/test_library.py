"""Calls into a handler library: which file may be one, and what its functions take and give."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gdb_mcr.annotations.load import load
from gdb_mcr.errors import InvalidAnnotations
from gdb_mcr.model.annotation import Annotations
from gdb_mcr.model.expression import LONG, UNSIGNED_LONG, AddressOf, Call, Cast, Load, Pointer
from gdb_mcr.model.handler import Evaluate, Store
from gdb_mcr.model.place import Side
from gdb_mcr.paths import native_library
from tests.support.small_programs import new_program, old_program

OLD, NEW = old_program(), new_program()
FUNCTION = "mcr_engine_add_chunks"
"""The engine's library serves as a handler library: it exports functions."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Has handlers.so."""
    shutil.copy(native_library("libmcr_engine.so"), tmp_path / "handlers.so")
    (tmp_path / "handlers.so").chmod(0o700)
    return tmp_path


def checked(directory: Path, text: str) -> Annotations:
    file = directory / "a.mcr"
    file.write_text(text)
    return load([file], OLD, NEW)


def labels(directory: Path, text: str) -> list[str]:
    with pytest.raises(InvalidAnnotations) as caught:
        checked(directory, text)
    return [one.label for one in caught.value.problems]


def calling(step: str) -> str:
    return f'use "handlers.so"; transfer job {{ {step} }}'


def test_the_library_is_beside_the_file(directory: Path) -> None:
    assert checked(directory, 'use "handlers.so";').library == directory / "handlers.so"
    assert checked(directory, "").library is None


def test_numbers_go_as_eight_bytes_and_addresses_as_they_are(directory: Path) -> None:
    (handler,) = checked(directory, calling(f"new.id = {FUNCTION}(old.id, 1UL, old.next, &old.slots);")).handlers
    (store,) = handler.body
    assert isinstance(store, Store)
    assert isinstance(store.value, Call)
    assert store.value.type == LONG
    number, unsigned, pointer, address = store.value.arguments
    assert isinstance(number, Cast)
    assert unsigned.type == UNSIGNED_LONG
    assert isinstance(pointer, Load)
    assert isinstance(address, AddressOf)
    assert handler.reads == {("id",), ("next",), ("slots",)}


def test_what_is_stored_into_a_pointer_is_an_address_of_the_new_program(directory: Path) -> None:
    (handler,) = checked(directory, calling(f"new.data = {FUNCTION}(old.data);")).handlers
    (store,) = handler.body
    assert isinstance(store, Store)
    assert isinstance(store.value, Call)
    assert store.value.type == Pointer(Side.NEW, -1)


def test_a_call_alone_is_a_step(directory: Path) -> None:
    (handler,) = checked(directory, calling(f"{FUNCTION}();")).handlers
    assert isinstance(handler.body[0], Evaluate)


@pytest.mark.parametrize(
    ("step", "label"),
    [
        ("mcr_engine_add_chunksx();", "unknown-name"),
        (f"{FUNCTION}(1, 2, 3, 4, 5, 6, 7);", "type-mismatch"),
        (f"{FUNCTION}(old.ratio);", "type-mismatch"),
        (f"{FUNCTION}(new.next);", "type-mismatch"),
        (f"{FUNCTION}(old);", "type-mismatch"),
        (f"new.total = {FUNCTION}();", "lost-precision"),
    ],
)
def test_wrong_calls_are_refused(directory: Path, step: str, label: str) -> None:
    assert labels(directory, calling(step)) == [label]


def test_nearest_function_is_named(directory: Path) -> None:
    with pytest.raises(InvalidAnnotations, match=f"did you mean `{FUNCTION}`"):
        checked(directory, calling("mcr_engine_add_chunksx();"))


def test_without_a_library_there_are_no_functions(directory: Path) -> None:
    assert labels(directory, "transfer job { f(); }") == ["unknown-name"]


def test_one_library_is_the_most(directory: Path) -> None:
    shutil.copy(directory / "handlers.so", directory / "more.so")
    assert labels(directory, 'use "handlers.so"; use "more.so";') == ["contradiction"]


def test_a_file_that_others_may_write_is_not_loaded(directory: Path) -> None:
    (directory / "handlers.so").chmod(0o722)
    assert labels(directory, 'use "handlers.so";') == ["bad-library"]


@pytest.mark.parametrize(
    "content", [b"", b"#!/bin/sh\n", b"\x7fELF\x02\x01" + b"\0" * 58, b"\x7fELF\x02\x01" + b"\xff" * 90]
)
def test_what_is_no_library_is_refused(directory: Path, content: bytes) -> None:
    (directory / "handlers.so").write_bytes(content)
    assert labels(directory, 'use "handlers.so";') == ["bad-library"]


def test_what_is_not_there_is_refused(directory: Path) -> None:
    assert labels(directory, 'use "nothing.so";') == ["bad-library"]
    assert labels(directory, 'use ".";') == ["bad-library"]
    assert labels(directory, 'use "a\0b.so";') == ["bad-library"]


@pytest.mark.parametrize("kept", range(64, 4096, 512))
def test_a_library_that_is_cut_off_is_refused_or_has_fewer_functions(directory: Path, kept: int) -> None:
    file = directory / "handlers.so"
    file.write_bytes(file.read_bytes()[:kept])
    assert labels(directory, 'use "handlers.so";') == ["bad-library"]
