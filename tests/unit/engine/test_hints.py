"""What is found among hinted words is what is found among all words."""

from __future__ import annotations

import mmap
import random
from collections.abc import Iterator

import pytest

from gdb_mcr.engine.hints import Hints
from gdb_mcr.engine.scan import words_into
from gdb_mcr.engine.tracer import ImageExtent
from gdb_mcr.units import PAGE, WORD, Range

ADDRESS = 0x7000_0000_0000
SPAN = Range(0x1000, 0x9000)
TARGETS = [Range(0x1800, 0x2000), Range(0x2000, 0x2008), Range(0x7000, 0x8FFF)]
PAGES = 16


@pytest.fixture
def buffer() -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, PAGES * PAGE) as memory:
        yield memory


def fill(memory: mmap.mmap, pages: Range, chance: random.Random, density: float) -> None:
    for at in range(pages.start * PAGE, pages.end * PAGE, WORD):
        value = chance.randrange(0x10000) if chance.random() < density else chance.randrange(1 << 64)
        memory[at : at + WORD] = value.to_bytes(WORD, "little")


def extent(memory: mmap.mmap, hints: Hints | None, place: Range) -> ImageExtent:
    return ImageExtent(Range(ADDRESS + place.start, ADDRESS + place.end), memory, place.start, hints)


@pytest.mark.parametrize("density", [0.0, 0.02, 1.0])
@pytest.mark.parametrize(
    "place",
    [
        Range(0, PAGES * PAGE),
        Range(0, 5 * PAGE - WORD),
        Range(PAGE, 3 * PAGE + 1000),
        Range(2 * PAGE, 2 * PAGE + 512),
    ],
)
def test_hints_change_nothing(buffer: mmap.mmap, density: float, place: Range) -> None:
    chance = random.Random(1)
    fill(buffer, Range(0, PAGES), chance, density)
    hints = Hints(len(buffer), SPAN)
    hints.learn([(0, PAGES * PAGE)], buffer)
    fill(buffer, Range(2, 4), chance, density)
    hints.learn([(2 * PAGE, 2 * PAGE)], buffer)
    plain = words_into([extent(buffer, None, place)], TARGETS, PAGES * PAGE)
    assert words_into([extent(buffer, hints, place)], TARGETS, PAGES * PAGE) == plain


def test_pages_that_were_not_learned_are_looked_at(buffer: mmap.mmap) -> None:
    fill(buffer, Range(0, PAGES), random.Random(2), 0.5)
    hints = Hints(len(buffer), SPAN)
    hints.learn([(PAGE, PAGE)], buffer)
    whole = Range(0, PAGES * PAGE)
    plain = words_into([extent(buffer, None, whole)], TARGETS, PAGES * PAGE)
    assert plain[0] > 0
    assert words_into([extent(buffer, hints, whole)], TARGETS, PAGES * PAGE) == plain
