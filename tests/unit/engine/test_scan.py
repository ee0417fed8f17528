"""Likely pointers of a memory that is large enough for two threads."""

from __future__ import annotations

import mmap
from array import array

from gdb_mcr.engine.records import NONE, ImageKind, ObjectFlag
from gdb_mcr.engine.tracer import EngineTables, ImageExtent, Tracer
from gdb_mcr.units import WORD, Range

HEAP = 0x1000_0000_0000
CHUNK = 1 << 20
CHUNKS = 24


def test_each_half_tells_what_it_holds() -> None:
    with mmap.mmap(-1, CHUNKS * CHUNK) as memory:
        for holder in range(1, CHUNKS):  # the second chunk holds the first, and so on; the first one holds nothing
            target = HEAP + (holder - 1) * CHUNK + (8 if holder % 2 else 0)
            memory[holder * CHUNK + 512 : holder * CHUNK + 512 + WORD] = target.to_bytes(WORD, "little")
        with Tracer() as tracer:
            tracer.set_image(ImageKind.THEIRS, [ImageExtent(Range(HEAP, HEAP + CHUNKS * CHUNK), memory, 0)])
            tracer.set_tables(EngineTables([], [], bytearray(), bytearray(), []))
            starts = array("Q", [HEAP + index * CHUNK for index in range(CHUNKS)])
            sizes, sites = array("Q", [CHUNK] * CHUNKS), array("I", [NONE] * CHUNKS)
            tracer.add_chunks(starts, sizes, sizes, sites, array("I"))
            tracer.index()
            tracer.trace()
            objects = tracer.objects()
            assert tracer.statistics()["likely_pointers"] == CHUNKS - 1
            assert [one.holder for one in objects] == [*range(1, CHUNKS), NONE]
            assert [one.parent for one in objects] == [*range(1, CHUNKS), NONE]
            held = [bool(one.flags & ObjectFlag.IMMUTABLE) for one in objects]
            assert held == [True] * (CHUNKS - 1) + [False]
            assert not objects[CHUNKS - 1].flags & ObjectFlag.REACHED
            assert all(one.flags & ObjectFlag.NONUPDATABLE for one in objects[1:])
