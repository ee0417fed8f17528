"""Words that lead into given address ranges (`mcr_scan_words` of native/engine/audit.c)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from gdb_mcr.engine.library import Prototype, declare
from gdb_mcr.engine.records import Hit
from gdb_mcr.engine.tracer import ImageExtent, extent_rows
from gdb_mcr.units import Range

_PROTOTYPES: dict[str, Prototype] = {
    "mcr_scan_words": (
        ctypes.c_uint64,
        (
            *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32),
            *(ctypes.c_void_p, ctypes.c_uint64),
        ),
    )
}


def words_into(memory: Sequence[ImageExtent], ranges: Sequence[Range], limit: int) -> tuple[int, list[tuple[int, int]]]:
    """Aligned words of `memory` whose value lies in one of the ranges: how many, and (address, value) of the first."""
    if not ranges:
        return 0, []
    rows, windows = extent_rows(memory)
    bounds = (ctypes.c_uint64 * (2 * len(ranges)))(*(end for one in sorted(ranges) for end in (one.start, one.end)))
    hits = (Hit * max(1, limit))()
    count: int = declare(_PROTOTYPES).mcr_scan_words(rows, len(memory), bounds, len(ranges), hits, limit)
    del windows
    return count, [(hit.address, hit.value) for hit in hits[: min(count, limit)]]
