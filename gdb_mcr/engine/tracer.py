"""The engine of mutable tracing (`native/engine/engine.h`) as a Python object. Python builds tables; loops are in C."""

from __future__ import annotations

import ctypes
import errno
import mmap
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType

from gdb_mcr.engine.handler_records import HandlerRow, StepRow
from gdb_mcr.engine.hints import Hints
from gdb_mcr.engine.library import Prototype, declare
from gdb_mcr.engine.records import (
    NONE,
    STATISTICS,
    Case,
    EnumEntry,
    Event,
    Extent,
    Hit,
    ImageKind,
    Object,
    Op,
    Pair,
    Patch,
    PointerFactRow,
    Program,
    Shape,
    ShapeMember,
    Statistics,
    Symbol,
    Tables,
    Touched,
    Wanted,
)
from gdb_mcr.errors import McrError
from gdb_mcr.units import Range

_CHUNK_SIZE_BYTES = 16
"""sizeof(struct mcr_chunk_size)."""
_HANDLE = ctypes.c_void_p
_COUNT = ctypes.POINTER(ctypes.c_uint64)
_PROTOTYPES: dict[str, Prototype] = {
    "mcr_engine_create": (_HANDLE, ()),
    "mcr_engine_destroy": (None, (_HANDLE,)),
    "mcr_engine_set_image": (None, (_HANDLE, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)),
    "mcr_engine_set_tables": (ctypes.c_int, (_HANDLE, ctypes.c_void_p)),
    "mcr_engine_add_objects": (ctypes.c_int, (_HANDLE, ctypes.c_void_p, ctypes.c_uint64)),
    "mcr_engine_reserve": (ctypes.c_int, (_HANDLE, ctypes.c_uint64)),
    "mcr_engine_add_chunks": (
        ctypes.c_int,
        (_HANDLE, ctypes.c_uint64, *(ctypes.c_void_p,) * 5, ctypes.c_uint32),
    ),
    "mcr_engine_index": (ctypes.c_int, (_HANDLE,)),
    "mcr_engine_set_pairs": (ctypes.c_int, (_HANDLE, ctypes.c_void_p, ctypes.c_uint32)),
    "mcr_engine_trace": (ctypes.c_int, (_HANDLE,)),
    "mcr_engine_outgrown": (ctypes.c_uint64, (_HANDLE, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64)),
    "mcr_engine_resized": (ctypes.c_uint64, (_HANDLE, ctypes.c_void_p, ctypes.c_uint64)),
    "mcr_engine_new_size": (ctypes.c_uint64, (_HANDLE, ctypes.c_uint32)),
    "mcr_engine_set_functions": (ctypes.c_int, (_HANDLE, ctypes.c_void_p, ctypes.c_uint32)),
    "mcr_engine_prepare": (ctypes.c_int, (_HANDLE,)),
    "mcr_engine_wanted": (ctypes.c_void_p, (_HANDLE, _COUNT)),
    "mcr_engine_freed": (ctypes.c_void_p, (_HANDLE, _COUNT)),
    "mcr_engine_message": (ctypes.c_char_p, (_HANDLE, ctypes.c_uint32)),
    "mcr_engine_transfer": (ctypes.c_int, (_HANDLE,)),
    "mcr_engine_find": (ctypes.c_uint32, (_HANDLE, ctypes.c_uint64)),
    "mcr_engine_translate": (ctypes.c_uint64, (_HANDLE, ctypes.c_uint64)),
    "mcr_engine_objects": (ctypes.c_void_p, (_HANDLE, _COUNT)),
    "mcr_engine_events": (ctypes.c_void_p, (_HANDLE, _COUNT)),
    "mcr_engine_patches": (ctypes.c_void_p, (_HANDLE, _COUNT)),
    "mcr_engine_patch_bytes": (ctypes.c_void_p, (_HANDLE, _COUNT)),
    "mcr_engine_statistics": (ctypes.c_void_p, (_HANDLE,)),
    "mcr_engine_touched": (ctypes.c_void_p, (_HANDLE, _COUNT)),
    "mcr_engine_audit": (ctypes.c_uint64, (_HANDLE, ctypes.c_void_p, ctypes.c_uint64)),
}


class EngineError(McrError):
    """The engine refused its tables, or memory ran out."""


_NOWHERE = Range(0, 0)


@dataclass(frozen=True, slots=True)
class ImageExtent:
    """`range` of a process's memory, held in `buffer` from byte `offset` on."""

    range: Range
    buffer: mmap.mmap | bytearray
    offset: int
    hints: Hints | None = None
    """Of the whole buffer: which of its words may be addresses."""


def extent_rows(extents: Sequence[ImageExtent]) -> tuple[ctypes.Array[Extent], list[object]]:
    """The extents for the engine, sorted by address, and what must be kept while it may look at them."""
    rows = (Extent * max(1, len(extents)))()
    windows: list[object] = []
    for row, extent in zip(rows, sorted(extents, key=lambda one: one.range.start), strict=False):
        window = (ctypes.c_char * 0).from_buffer(extent.buffer, extent.offset)
        row.address, row.size, row.bytes = extent.range.start, extent.range.size, ctypes.addressof(window)
        windows.append(window)
        if extent.hints is not None:
            row.hints, row.offset = extent.hints.handle, extent.offset
            windows.append(extent.hints)
    return rows, windows


@dataclass(slots=True)
class EngineTables:
    """Everything that `struct mcr_tables` points to. Lists are turned into C arrays once, by `Tracer.set_tables`."""

    shapes: list[Shape]
    members: list[ShapeMember]
    shape_flags: bytearray
    shape_changed: bytearray
    shape_programs: list[int]
    programs: list[Program] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    enums: list[EnumEntry] = field(default_factory=list)
    symbols: list[Symbol] = field(default_factory=list)
    handlers: list[HandlerRow] = field(default_factory=list)
    steps: list[StepRow] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    pointer_facts: list[PointerFactRow] = field(default_factory=list)
    site_shapes: Sequence[int] = ()
    own_fds: Sequence[int] = ()
    """Descriptor numbers that only N has."""
    image: Range = _NOWHERE
    text: Range = _NOWHERE


def _array(kind: type[ctypes.Structure], values: Sequence[ctypes.Structure]) -> ctypes.Array[ctypes.Structure]:
    return (kind * max(1, len(values)))(*values)


class Tracer:
    """One run of the engine over the images of an old and a new process. Use as a context manager."""

    def __init__(self) -> None:
        self._library = declare(_PROTOTYPES)
        self._handle = self._library.mcr_engine_create()
        if not self._handle:
            raise MemoryError
        self._alive: list[object] = []  # what the C side points into
        self._tables_alive: list[object] = []
        self._pairs: ctypes.Array[Pair] | None = None

    def __enter__(self) -> Tracer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives everything back. Nothing if it has been done."""
        self._library.mcr_engine_destroy(self._handle)
        self._handle = None
        self._alive.clear()

    def _check(self, status: int, doing: str) -> None:
        if status < 0:
            raise EngineError(f"the engine failed while {doing}: {errno.errorcode.get(-status, status)}")

    def set_image(self, kind: ImageKind, extents: Sequence[ImageExtent]) -> None:
        """Names the memory of one side. Extents must not overlap; writable buffers only."""
        rows, windows = extent_rows(extents)
        self._alive += (rows, *windows)
        self._library.mcr_engine_set_image(self._handle, int(kind), rows, len(extents))

    def set_tables(self, tables: EngineTables) -> None:
        """Hands over types, conversion programs and symbols; may be called again with programs added.

        :raises EngineError: the steps of a handler are not sound.
        """
        rows = Tables()
        arrays: dict[str, ctypes.Array[ctypes.Structure]] = {
            "types": _array(Shape, tables.shapes),
            "members": _array(ShapeMember, tables.members),
            "programs": _array(Program, tables.programs),
            "ops": _array(Op, tables.ops),
            "enums": _array(EnumEntry, tables.enums),
            "symbols": _array(Symbol, tables.symbols),
            "handlers": _array(HandlerRow, tables.handlers),
            "steps": _array(StepRow, tables.steps),
            "cases": _array(Case, tables.cases),
            "pointer_facts": _array(PointerFactRow, tables.pointer_facts),
        }
        for name, values in arrays.items():
            pointer = ctypes.cast(values, ctypes.POINTER(values._type_))
            setattr(rows, name, pointer)
        words = {
            "site_types": tables.site_shapes,
            "type_programs": tables.shape_programs,
            "own_fds": sorted(tables.own_fds),
        }
        self._tables_alive = [arrays]
        for name, numbers in words.items():
            packed = (ctypes.c_uint32 * max(1, len(numbers)))(*numbers)
            self._tables_alive.append(packed)
            setattr(rows, name, ctypes.cast(packed, ctypes.POINTER(ctypes.c_uint32)))
        for name, flags in (("type_flags", tables.shape_flags), ("type_changed", tables.shape_changed)):
            view = (ctypes.c_uint8 * max(1, len(flags))).from_buffer(flags if flags else bytearray(1))
            self._tables_alive.append(view)
            setattr(rows, name, ctypes.cast(view, ctypes.POINTER(ctypes.c_uint8)))
        rows.type_count, rows.program_count, rows.op_count = len(tables.shapes), len(tables.programs), len(tables.ops)
        rows.symbol_count, rows.site_count = len(tables.symbols), len(tables.site_shapes)
        rows.handler_count, rows.step_count = len(tables.handlers), len(tables.steps)
        rows.case_count, rows.pointer_fact_count = len(tables.cases), len(tables.pointer_facts)
        rows.own_fd_count = len(tables.own_fds)
        rows.image_start, rows.image_end = tables.image.start, tables.image.end
        rows.text_start, rows.text_end = tables.text.start, tables.text.end
        self._check(self._library.mcr_engine_set_tables(self._handle, ctypes.byref(rows)), "reading its tables")

    def reserve(self, objects: int) -> None:
        """Gets the memory for so many objects ahead of time; without it, or for more, it is got when it is needed."""
        self._library.mcr_engine_reserve(self._handle, objects)

    def add_objects(self, objects: Sequence[Object]) -> None:
        """Adds state objects one by one (globals, library data, mappings)."""
        rows = (Object * max(1, len(objects)))(*objects)
        self._check(self._library.mcr_engine_add_objects(self._handle, rows, len(objects)), "adding objects")

    def add_chunks(
        self,
        addresses: array[int],
        sizes: array[int],
        capacities: array[int],
        sites: array[int],
        site_flags: array[int],
    ) -> None:
        """Adds live chunks from columns of uint64 (addresses, sizes, capacities) and uint32 (sites, site flags)."""
        columns = [
            (ctypes.c_uint64 * max(1, len(column))).from_buffer(column or array("Q", [0]))
            for column in (addresses, sizes, capacities)
        ]
        numbers = [
            (ctypes.c_uint32 * max(1, len(column))).from_buffer(column or array("I", [0]))
            for column in (sites, site_flags)
        ]
        status = self._library.mcr_engine_add_chunks(self._handle, len(addresses), *columns, *numbers, len(site_flags))
        self._check(status, "adding chunks")

    def set_functions(self, addresses: Sequence[int]) -> None:
        """Functions of a handler library, by the number that steps call them by. Before the tables."""
        rows = (ctypes.c_void_p * max(1, len(addresses)))(*addresses)
        self._alive.append(rows)
        self._check(self._library.mcr_engine_set_functions(self._handle, rows, len(addresses)), "taking functions")

    def prepare(self) -> list[int]:
        """Sizes of what library functions want in N, in bytes. After tracing; `give` it before the transfer."""
        self._check(self._library.mcr_engine_prepare(self._handle), "asking what memory handlers want")
        return [one.size for one in self._view("mcr_engine_wanted", Wanted)]

    def give(self, addresses: Sequence[int]) -> None:
        """Where in N the memory is that `prepare` told of."""
        for row, address in zip(self._view("mcr_engine_wanted", Wanted), addresses, strict=True):
            row.address = address

    def freed(self) -> list[int]:
        """Chunks of O that library functions need no copy of. After the transfer."""
        count = ctypes.c_uint64()
        address = self._library.mcr_engine_freed(self._handle, ctypes.byref(count))
        return list((ctypes.c_uint64 * count.value).from_address(address)) if count.value else []

    def message(self, number: int) -> str:
        """What a library function said when it failed."""
        text: bytes = self._library.mcr_engine_message(self._handle, number)
        return text.decode(errors="replace")

    def index(self) -> None:
        """Sorts the objects and builds the address index. :raises EngineError: two objects overlap."""
        self._check(self._library.mcr_engine_index(self._handle), "indexing the objects")

    def set_pairs(self, pairs: Sequence[Pair]) -> None:
        """Says where objects go that do not simply keep their address. :raises EngineError: no such object."""
        self._pairs = (Pair * max(1, len(pairs)))(*pairs)
        self._check(self._library.mcr_engine_set_pairs(self._handle, self._pairs, len(pairs)), "pairing objects")

    def trace(self) -> None:
        """Types every object and finds the likely pointers. Source: seed, "mutable tracing"."""
        self._check(self._library.mcr_engine_trace(self._handle), "tracing")

    def outgrown(self) -> list[tuple[int, int]]:
        """(object, size in N) of every unpaired object whose new layout does not fit its place."""
        count = self._library.mcr_engine_outgrown(self._handle, None, None, 0)
        objects, sizes = (ctypes.c_uint32 * max(1, count))(), (ctypes.c_uint64 * max(1, count))()
        self._library.mcr_engine_outgrown(self._handle, objects, sizes, count)
        return list(zip(objects[:count], sizes[:count], strict=True))

    def resized(self) -> bytes:
        """struct mcr_chunk_size[] of the chunks that stay at their address and have another size in N."""
        count = self._library.mcr_engine_resized(self._handle, None, 0)
        rows = ctypes.create_string_buffer(max(1, count) * _CHUNK_SIZE_BYTES)
        self._library.mcr_engine_resized(self._handle, rows, count)
        return rows.raw[: count * _CHUNK_SIZE_BYTES]

    def transfer(self) -> None:
        """Merges, converts and translates: results are in the THEIRS image and in the patches."""
        self._check(self._library.mcr_engine_transfer(self._handle), "transferring")

    def find(self, address: int) -> int | None:
        """Index of the object that holds `address`."""
        index: int = self._library.mcr_engine_find(self._handle, address)
        return None if index == NONE else index

    def translate(self, value: int) -> int:
        """Where a pointer of O points in N. What points into no object stays as it is; 0 = the target is lost."""
        moved: int = self._library.mcr_engine_translate(self._handle, value)
        return moved

    def new_size(self, index: int) -> int:
        """Bytes that the object takes in N."""
        size: int = self._library.mcr_engine_new_size(self._handle, index)
        return size

    def _view(self, function: str, kind: type[ctypes.Structure]) -> ctypes.Array[ctypes.Structure]:
        count = ctypes.c_uint64()
        address = getattr(self._library, function)(self._handle, ctypes.byref(count))
        return (kind * count.value).from_address(address) if count.value else (kind * 0)()

    def objects(self) -> ctypes.Array[Object]:
        """All objects by index, sorted by address. Valid until the tracer is closed; writable."""
        return self._view("mcr_engine_objects", Object)  # type: ignore[return-value]

    def events(self) -> ctypes.Array[Event]:
        """What tracing and transfer found worth telling."""
        return self._view("mcr_engine_events", Event)  # type: ignore[return-value]

    def patches(self) -> ctypes.Array[Patch]:
        """Small writes into N, in the order in which they must happen."""
        return self._view("mcr_engine_patches", Patch)  # type: ignore[return-value]

    def patch_bytes(self) -> bytes:
        """The bytes that the patches' offsets refer to."""
        size = ctypes.c_uint64()
        address = self._library.mcr_engine_patch_bytes(self._handle, ctypes.byref(size))
        return ctypes.string_at(address, size.value) if size.value else b""

    def touched(self) -> list[Range]:
        """Pages of the THEIRS image that the transfer has changed; they may overlap."""
        return [Range(one.start, one.end) for one in self._view("mcr_engine_touched", Touched)]

    def statistics(self) -> dict[str, int]:
        """Counts by name, as `struct mcr_statistics`."""
        rows = Statistics.from_address(self._library.mcr_engine_statistics(self._handle))
        return {name: getattr(rows, name) for name in STATISTICS}

    def audit(self, limit: int) -> tuple[int, list[tuple[int, int]]]:
        """Words of N that would lead it to where O's objects were: how many, and (address, value) of the first ones."""
        hits = (Hit * max(1, limit))()
        count: int = self._library.mcr_engine_audit(self._handle, hits, limit)
        return count, [(hit.address, hit.value) for hit in hits[: min(count, limit)]]
