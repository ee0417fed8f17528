"""Reading a process's memory, here our own, by sizes that make sense and by others."""

from __future__ import annotations

import ctypes
import mmap
import os

import pytest

from gdb_mcr.engine.direct_memory import DirectMemory
from gdb_mcr.engine.process_memory import TransferError


def test_a_read_in_several_pieces_is_whole() -> None:
    text = os.urandom(1 << 12) * (9 << 10)  # 36 MiB
    address = ctypes.cast(ctypes.c_char_p(text), ctypes.c_void_p).value or 0
    assert DirectMemory(os.getpid()).read(address, len(text)) == text


@pytest.mark.parametrize("size", [1 << 40, (1 << 64) - 1, 1 << 70])
def test_a_size_that_is_nonsense_is_an_error_and_costs_no_memory(size: int) -> None:
    with mmap.mmap(-1, mmap.PAGESIZE) as memory:
        window = ctypes.c_char.from_buffer(memory)
        with pytest.raises(TransferError):
            DirectMemory(os.getpid()).read(ctypes.addressof(window), size)
        del window
