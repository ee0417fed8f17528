"""Which words of a buffer may be addresses of the process that its bytes come from: native/engine/words.c."""

from __future__ import annotations

import ctypes
import mmap
from array import array
from collections.abc import Sequence

from gdb_mcr.engine.library import Prototype, declare
from gdb_mcr.units import Range

GRAIN = 512
"""Bytes that share a word of hints: what is learned begins and ends at multiples of it."""

_PROTOTYPES: dict[str, Prototype] = {
    "mcr_hints_learn": (
        None,
        (ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_void_p),
    )
}


class Hints:
    """One bit for each word of a buffer, set if its value lies in a range that holds all addresses of interest.

    :param size: bytes of the buffer.
    :param span: the range; a word outside of it is never a pointer to anything that is looked for.
    """

    def __init__(self, size: int, span: Range) -> None:
        self.span = span
        self._library = declare(_PROTOTYPES)
        self._bits = mmap.mmap(-1, -(-size // (8 * GRAIN)) * GRAIN // 8 + mmap.PAGESIZE)
        self._start = ctypes.addressof(ctypes.c_char.from_buffer(self._bits))

    def learn(self, places: Sequence[tuple[int, int]], buffer: mmap.mmap) -> None:
        """Looks at parts of the buffer: (offset, size), multiples of `GRAIN` both."""
        rows = array("Q", [word for offset, size in places for word in (0, size, offset)])
        bytes_ = (ctypes.c_char * 0).from_buffer(buffer)
        self._library.mcr_hints_learn(
            *(rows.buffer_info()[0], len(places), ctypes.addressof(bytes_)),
            *(self.span.start, self.span.end, self._start),
        )

    def address(self, offset: int) -> int:
        """Where the hints from byte `offset` of the buffer on stand in this process."""
        assert offset % GRAIN == 0, "hints for an odd place"
        return self._start + offset // GRAIN * 8
