"""Which words of a buffer may be addresses of the process that its bytes come from: native/engine/words.c."""

from __future__ import annotations

import ctypes
import mmap
from array import array
from collections.abc import Sequence

from gdb_mcr.engine.library import Prototype, declare
from gdb_mcr.units import Range

_PROTOTYPES: dict[str, Prototype] = {
    "mcr_hints_create": (ctypes.c_void_p, (ctypes.c_uint64,) * 3),
    "mcr_hints_destroy": (None, (ctypes.c_void_p,)),
    "mcr_hints_learn": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p)),
}


class Hints:
    """The words of a buffer whose values lie in a range that holds all addresses of interest.

    :param size: bytes of the buffer.
    :param span: the range; a word outside of it is never a pointer to anything that is looked for.
    """

    def __init__(self, size: int, span: Range) -> None:
        self._library = declare(_PROTOTYPES)
        self.handle = self._library.mcr_hints_create(size, span.start, span.end)
        """For `struct mcr_extent`."""
        if not self.handle:
            raise MemoryError

    def __del__(self) -> None:
        self._library.mcr_hints_destroy(self.handle)

    def learn(self, places: Sequence[tuple[int, int]], buffer: mmap.mmap) -> None:
        """Looks at parts of the buffer: (offset, size), whole pages."""
        rows = array("Q", [word for offset, size in places for word in (0, size, offset)])
        bytes_ = (ctypes.c_char * 0).from_buffer(buffer)
        status = self._library.mcr_hints_learn(
            self.handle, rows.buffer_info()[0], len(places), ctypes.addressof(bytes_)
        )
        if status < 0:
            raise MemoryError
