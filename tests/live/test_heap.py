"""libmcr's allocator under a program that checks every byte of its chunks, and what a reader finds in its tables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gdb_mcr.runtime_abi.heap import read_heap
from gdb_mcr.runtime_abi.layout import ErrorKind, SlotFlag, State
from gdb_mcr.runtime_abi.settings import record_settings
from gdb_mcr.tracing.heap import chunks_of
from tests.support.preloaded import TIMEOUT_S, Preloaded, build_target

pytestmark = pytest.mark.live
THREADS, ROUNDS = "4", "8000"


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_target("heap_stress", tmp_path_factory.mktemp("target"))


@pytest.mark.parametrize("recorded", [False, True])
def test_no_chunk_is_ever_disturbed(binary: Path, recorded: bool) -> None:
    settings = record_settings([]) if recorded else None
    try:
        with Preloaded([str(binary), THREADS, ROUNDS], settings) as program:
            assert program.read_line() == "ok"
            assert program.process.wait(TIMEOUT_S) == 0
    finally:
        if settings is not None:
            os.close(settings)


def test_a_reader_finds_each_chunk_with_its_exact_size(binary: Path) -> None:
    settings = record_settings([])
    try:
        with Preloaded([str(binary), THREADS, ROUNDS, "hold"], settings) as program:
            shown = {}
            while line := program.read_line():
                address, size = line.split()
                shown[int(address)] = int(size)
            control = program.wait_for(State.SERVING)
            chunks = chunks_of(read_heap(program.memory, control))
    finally:
        os.close(settings)
    assert control.error is ErrorKind.OK
    found = dict(zip(chunks.addresses, chunks.sizes, strict=True))
    assert len(shown) > 50
    assert shown.items() <= found.items()
    assert all(flags & SlotFlag.LIVE for flags in chunks.flags)
    assert len(found) < len(shown) + 200, "chunks that were freed are not found"
