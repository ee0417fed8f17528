"""Conservative mark: which chunks can still be reached (`mcr_mark_chunks` of native/engine/audit.c)."""

from __future__ import annotations

import ctypes
import errno
from array import array
from collections.abc import Sequence

from gdb_mcr.engine.library import Prototype, declare
from gdb_mcr.engine.tracer import EngineError, ImageExtent, extent_rows

_PROTOTYPES: dict[str, Prototype] = {
    "mcr_mark_chunks": (
        ctypes.c_int,
        (
            *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32),
            *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p),
        ),
    )
}


def reached(
    roots: Sequence[ImageExtent], memory: Sequence[ImageExtent], starts: array[int], sizes: array[int]
) -> bytearray:
    """1 for every chunk that words lead to from the roots, interior and tagged pointers included.

    :param memory: where the chunks' contents stand; extents must not overlap.
    :param starts: uint64, ascending; `sizes` likewise.
    :raises EngineError: memory ran out.
    """
    found = bytearray(len(starts))
    if not starts:
        return found
    root_rows, root_windows = extent_rows(roots)
    rows, windows = extent_rows(memory)
    marks = (ctypes.c_uint8 * len(found)).from_buffer(found)
    status = declare(_PROTOTYPES).mcr_mark_chunks(
        *(root_rows, len(roots), rows, len(memory)),
        *(starts.buffer_info()[0], sizes.buffer_info()[0], len(starts), marks),
    )
    del root_windows, windows
    if status < 0:
        raise EngineError(f"the engine failed while marking chunks: {errno.errorcode.get(-status, status)}")
    return found
