"""Ghosts of earlier images: what is written for one generation is read back and led on for the next."""

from __future__ import annotations

import struct

from gdb_mcr.tracing.ghost import (
    ISLAND_BYTES,
    JUMP_BYTES,
    Entry,
    carried_entries,
    ghost_text,
    islands_range,
    iter_stubs,
)
from gdb_mcr.units import Range

TEXT = Range(0x10000, 0x12000)
ISLANDS = 0x20000
FIRST, SECOND, THIRD, TINY = 0x10100, 0x10200, 0x11000, 0x11100


def island_target(islands: bytes, index: int) -> int:
    (target,) = struct.unpack_from("<Q", islands, index * ISLAND_BYTES + 6)
    return int(target)


def test_a_carried_ghost_leads_to_the_functions_of_the_newest_image() -> None:
    entries = [Entry(THIRD, 40, None), Entry(FIRST, 64, 0xE901), Entry(SECOND, 5, 0xE9E9E9E9), Entry(TINY, 4, 0x5000)]
    ghost = ghost_text(entries, TEXT, ISLANDS)
    assert (ghost.jumps, ghost.traps) == (2, 2)

    stubs = list(iter_stubs(TEXT, ghost.contents))
    assert [(one.address, one.island) for one in stubs] == [
        (FIRST, ISLANDS),
        (SECOND, ISLANDS + ISLAND_BYTES),
        (THIRD, None),
        (TINY, None),
    ]
    places = islands_range(stubs)
    assert places == Range(ISLANDS, ISLANDS + 2 * ISLAND_BYTES)
    carried = list(carried_entries(stubs, places, ghost.islands, {0xE901: 0x7000}))
    assert [one.home for one in carried] == [0x7000, None, None, None]

    again = ghost_text(carried, TEXT, ISLANDS + 0x1000)
    assert (again.jumps, again.traps) == (1, 3)
    (jump,) = [one for one in iter_stubs(TEXT, again.contents) if one.island is not None]
    assert (jump.address, jump.island) == (FIRST, ISLANDS + 0x1000)
    assert island_target(again.islands, 0) == 0x7000


def test_an_alias_keeps_the_entry_that_leads_on_and_no_stub_is_cut() -> None:
    entries = [Entry(FIRST, 64, None), Entry(FIRST, 64, 0x7000), Entry(FIRST + JUMP_BYTES - 1, 60, 0x8000)]
    ghost = ghost_text(entries, TEXT, ISLANDS)
    assert [one.island for one in iter_stubs(TEXT, ghost.contents)] == [ISLANDS]
    assert island_target(ghost.islands, 0) == 0x7000


def test_without_jumps_there_are_no_islands() -> None:
    assert islands_range(iter_stubs(TEXT, ghost_text([], TEXT, ISLANDS).contents)).size == 0
