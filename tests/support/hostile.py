"""Client data that looks like memory of the server: addresses of functions, variables, objects, in every alignment."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from gdb_mcr.dwarf.load import load_program
from gdb_mcr.runtime_abi.heap import read_heap
from gdb_mcr.tracing.heap import chunks_of
from gdb_mcr.units import WORD
from gdb_mcr.update.recorded import find_recorded
from tests.support.server_view import mapped_ranges

SAMPLE = 400
WORDS_EACH = 25


def hostile_words(pid: int, binary: Path, *, of_heap: bool = True, seed: int = 1) -> list[int]:
    """Words that an update must look at twice: exact starts of functions, variables and heap chunks of a server that
    runs under `mcr run`, and places inside of them; in random order.

    :param of_heap: heap chunks, too.
    """
    dice = random.Random(seed)
    program, bias = load_program(binary), min(one.start for one in mapped_ranges(pid, binary.name))
    functions = [bias + one.start for one in program.functions]
    variables = [bias + one.address for one in program.variables if one.size >= WORD and not one.thread_local]
    process = find_recorded(pid)
    chunks = chunks_of(read_heap(process.memory, process.control())).addresses if of_heap else ()
    exact = [one for kind in (functions, variables, chunks) for one in dice.sample(kind, min(SAMPLE, len(kind)))]
    words = [*exact, *(one + dice.choice((1, 4, WORD)) for one in exact)]
    dice.shuffle(words)
    return words


def hostile_values(words: Sequence[int]) -> Iterator[bytes]:
    """Values full of these words, each eight times, so that a word stands in memory at each alignment."""
    for first in range(0, len(words), WORDS_EACH):
        part = words[first : first + WORDS_EACH]
        for shift in range(WORD):
            yield b"x" * shift + struct.pack(f"<{len(part)}Q", *part)
