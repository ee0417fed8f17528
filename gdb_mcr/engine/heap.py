"""The live chunks of libmcr's allocator as columns (`native/engine/heap_columns.c`)."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from ctypes import c_int64, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass

from gdb_mcr.engine.library import Prototype, declare
from gdb_mcr.engine.records import Extent
from gdb_mcr.engine.tracer import EngineError

SPAN_BYTES = 64
"""sizeof(struct mcr_span)."""

_PROTOTYPES: dict[str, Prototype] = {
    "mcr_heap_live_chunks": (c_int64, (c_void_p, c_uint64, c_void_p, c_uint32, c_void_p)),
}


class HeapColumns(ctypes.Structure):
    """struct mcr_heap_columns."""

    _fields_ = (
        ("addresses", c_void_p),
        ("sizes", c_void_p),
        ("capacities", c_void_p),
        ("sites", c_void_p),
        ("flags", c_void_p),
        ("capacity", c_uint64),
    )


@dataclass(frozen=True, slots=True)
class ChunkColumns:
    """Live chunks sorted by address: uint64, but sites uint32 and flags uint8 (enum mcr_slot_flag)."""

    addresses: array[int]
    sizes: array[int]
    capacities: array[int]
    sites: array[int]
    flags: array[int]


def live_chunks(spans: bytes, slots: Sequence[tuple[int, bytes]]) -> ChunkColumns:
    """The live chunks of the struct mcr_span array `spans`.

    :param slots: (address, bytes) of the memory that holds the slot arrays, sorted by address.
    :raises EngineError: the tables are damaged.
    """
    extents = (Extent * max(1, len(slots)))()
    for row, (address, data) in zip(extents, slots, strict=False):
        row.address, row.size, row.bytes = address, len(data), _address_of(data)
    arguments = (_address_of(spans), len(spans) // SPAN_BYTES, extents, len(slots))
    library = declare(_PROTOTYPES)
    count = _check(library.mcr_heap_live_chunks(*arguments, None))
    columns = ChunkColumns(*(array(code, [0]) * count for code in "QQQIB"))
    places = (column.buffer_info()[0] for column in vars_of(columns))
    room = HeapColumns(*places, count)
    _check(library.mcr_heap_live_chunks(*arguments, ctypes.byref(room)))
    return columns


def vars_of(columns: ChunkColumns) -> tuple[array[int], ...]:
    """The five columns in the order of struct mcr_heap_columns."""
    return columns.addresses, columns.sizes, columns.capacities, columns.sites, columns.flags


def _check(result: int) -> int:
    if result < 0:
        raise EngineError("the heap tables of the server are damaged")
    return result


# The bytes object must outlive the use of its address; C does not write there.
def _address_of(data: bytes) -> int:
    return ctypes.cast(ctypes.c_char_p(data), c_void_p).value or 0
