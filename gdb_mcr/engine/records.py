"""The records of `native/engine/engine.h` as ctypes structures. A unit test compares them with the library's DWARF."""

from __future__ import annotations

import ctypes
from ctypes import c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from enum import IntEnum, IntFlag

from gdb_mcr.engine.handler_records import HandlerRow, StepRow

NONE = 0xFFFFFFFF
"""MCR_NONE: no type, no object, no program."""

KIND_SHIFT = 28


class ImageKind(IntEnum):
    """enum mcr_image_kind."""

    THEIRS = 0
    BASE = 1
    OURS = 2


class ShapeKind(IntEnum):
    """enum mcr_type_kind: what the engine distinguishes of a C type."""

    DATA = 0
    WORDS = 1
    OPAQUE = 2
    POINTER = 3
    CODE = 4
    STRUCT = 5
    ARRAY = 6
    CHOICE = 7


class ShapeFlag(IntFlag):
    """enum mcr_type_flag."""

    NEVER = 1
    RULED = 2
    TAIL = 4
    FREE = 8
    PLAIN = 16


class OpCode(IntEnum):
    """enum mcr_op_code."""

    DATA = 0
    INTEGER = 1
    ENUM = 2
    POINTER = 3
    CODE = 4
    OPAQUE = 5
    WORDS = 6
    LOOP = 7
    BITS = 8
    DROPPED = 9
    KEEP = 10
    NESTED = 11
    HANDLER = 12
    CHOICE = 13
    REAL = 14


class OpFlag(IntFlag):
    """enum mcr_op_flag."""

    NONE = 0
    SIGNED = 1
    KEEP_OLD = 2
    KEEP_NEW = 4
    COUNTER = 8
    RULED = 16
    HANDLED = 32
    NEW_SIGNED = 64
    BOOLEAN = 128


class ObjectKind(IntEnum):
    """enum mcr_object_kind."""

    GLOBAL = 0
    CHUNK = 1
    MAPPING = 2
    LIBRARY = 3


class ObjectFlag(IntFlag):
    """enum mcr_object_flag."""

    REACHED = 1 << 0
    PRECISE = 1 << 1
    SITE_TYPED = 1 << 2
    IMMUTABLE = 1 << 3
    NONUPDATABLE = 1 << 4
    CONFLICT = 1 << 5
    NEVER = 1 << 6
    STARTUP = 1 << 7
    TOO_SMALL = 1 << 8
    DROPPED = 1 << 9
    INTERIOR_TYPED = 1 << 10
    RULED_OWNER = 1 << 11
    HELD_INSIDE = 1 << 12
    SETTLED = 1 << 13
    OLD_WINS = 1 << 14
    SUPPOSED = 1 << 15
    LOOKED_INTO = 1 << 16
    BYTES = 1 << 17
    FOREIGN = 1 << 18
    TEXT = 1 << 19
    HOLDS_OTHERS = 1 << 20


class EventKind(IntEnum):
    """enum mcr_event_kind."""

    DROPPED_FIELD = 1
    LOST_POINTER = 2
    TYPE_CONFLICT = 3
    PINNED_MOVE = 4
    BOTH_CHANGED = 5
    OUT_OF_RANGE = 6
    CHANGED_IN_OPAQUE = 7
    UNKNOWN_ENUM = 8
    NO_HOME = 9
    MIXED = 10
    STRUCTURE = 11
    ELEMENT = 12
    HANDLER_FAILED = 13
    HANDLED_RANGE = 14
    AMBIGUOUS = 15


class Extent(ctypes.Structure):
    """struct mcr_extent: `size` bytes of a process at `address`, held here at `bytes`.

    They stand `offset` bytes into a buffer that `hints` tell of.
    """

    _fields_ = (
        *(("address", c_uint64), ("size", c_uint64), ("bytes", c_void_p)),
        *(("hints", c_void_p), ("offset", c_uint64)),
    )


class Touched(ctypes.Structure):
    """struct mcr_touched: half-open range of pages."""

    _fields_ = (("start", c_uint64), ("end", c_uint64))


class Shape(ctypes.Structure):
    """struct mcr_type."""

    _fields_ = (
        ("kind", c_uint8),
        ("flags", c_uint8),
        ("alignment", c_uint16),
        ("size", c_uint32),
        ("target", c_uint32),
        ("first", c_uint32),
        ("count", c_uint32),
    )


class ShapeMember(ctypes.Structure):
    """struct mcr_member."""

    _fields_ = (("offset", c_uint32), ("type", c_uint32))


class Case(ctypes.Structure):
    """struct mcr_case."""

    _fields_ = (("question", c_uint32), ("type", c_uint32), ("back", c_uint32), ("reserved", c_uint32))


class PointerFactRow(ctypes.Structure):
    """struct mcr_pointer_fact."""

    _fields_ = (("tags", c_uint64), ("length", c_uint32), ("back", c_uint32))


class Op(ctypes.Structure):
    """struct mcr_op."""

    _fields_ = (
        ("code", c_uint8),
        ("flags", c_uint8),
        ("old_bytes", c_uint8),
        ("new_bytes", c_uint8),
        ("old_offset", c_uint32),
        ("new_offset", c_uint32),
        ("length", c_uint32),
        ("aux", c_uint32),
        ("old_stride", c_uint32),
        ("new_stride", c_uint32),
    )


class Program(ctypes.Structure):
    """struct mcr_program."""

    _fields_ = (
        ("first", c_uint32),
        ("count", c_uint32),
        ("old_type", c_uint32),
        ("new_type", c_uint32),
        ("old_size", c_uint32),
        ("new_size", c_uint32),
        ("tail_program", c_uint32),
        ("identical", c_uint32),
        ("old_tail", c_uint32),
        ("new_tail", c_uint32),
    )


class EnumEntry(ctypes.Structure):
    """struct mcr_enum_entry."""

    _fields_ = (("old_value", ctypes.c_int64), ("new_value", ctypes.c_int64))


_CHUNK = ObjectKind.CHUNK.value


class Object(ctypes.Structure):
    """struct mcr_object."""

    _fields_ = (
        ("address", c_uint64),
        ("size", c_uint64),
        ("type", c_uint32),
        ("site", c_uint32),
        ("parent", c_uint32),
        ("flags", c_uint32),
        ("pair", c_uint32),
        ("capacity", c_uint32),
        ("holder", c_uint32),
        ("in_use", c_uint32),
    )

    @property
    def kind(self) -> ObjectKind:
        """Which kind of state object this is."""
        return ObjectKind(self.flags >> KIND_SHIFT)

    @property
    def is_chunk(self) -> bool:
        """Whether this is a chunk of the heap. Asked for many objects, so without an enum."""
        found: bool = self.flags >> KIND_SHIFT == _CHUNK
        return found


class Pair(ctypes.Structure):
    """struct mcr_pair."""

    _fields_ = (
        ("object", c_uint32),
        ("program", c_uint32),
        ("address", c_uint64),
        ("new_address", c_uint64),
        ("new_size", c_uint64),
        ("base_address", c_uint64),
        ("base_size", c_uint64),
        ("merges", c_uint64),
        ("own_size", c_uint64),
    )


class SymbolKind(IntEnum):
    """enum mcr_symbol_kind."""

    CONSTANT = 0
    CODE = 1
    RESIZED = 2


class Symbol(ctypes.Structure):
    """struct mcr_symbol."""

    _fields_ = (("old_address", c_uint64), ("size", c_uint64), ("new_address", c_uint64), ("kind", c_uint64))


class Event(ctypes.Structure):
    """struct mcr_event."""

    _fields_ = (
        ("kind", c_uint32),
        ("object", c_uint32),
        ("offset", c_uint64),
        ("detail", c_uint64),
        ("value", c_uint64),
    )


class Patch(ctypes.Structure):
    """struct mcr_patch."""

    _fields_ = (("address", c_uint64), ("size", c_uint64), ("offset", c_uint64))


class Wanted(ctypes.Structure):
    """struct mcr_wanted."""

    _fields_ = (("address", c_uint64), ("size", c_uint64))


class Hit(ctypes.Structure):
    """struct mcr_hit."""

    _fields_ = (("address", c_uint64), ("value", c_uint64))


PLACES = ("static", "dynamic", "library")
"""enum mcr_place, in its order."""

STATISTICS = (
    *("objects", "reached", "typed_precise", "typed_site", "opaque"),
    *("pointers", "likely_pointers", "code_pointers", "pinned", "nonupdatable"),
    *("merged_fields", "both_changed", "kept_new", "taken_old"),
    *("translated", "bytes_moved", "objects_moved", "objects_converted", "patches", "patch_bytes"),
    *("site_agreements", "site_disagreements", "disqualified_sites", "old_structures"),
    *("bytes", "transferred", "bytes_transferred"),
    *(f"{kind}_{source}_to_{target}" for kind in ("precise", "likely") for source in PLACES for target in PLACES),
)


class Statistics(ctypes.Structure):
    """struct mcr_statistics."""

    _fields_ = tuple((name, c_uint64) for name in STATISTICS)


class Tables(ctypes.Structure):
    """struct mcr_tables: pointers into arrays that the caller keeps alive."""

    _fields_ = (
        ("types", ctypes.POINTER(Shape)),
        ("members", ctypes.POINTER(ShapeMember)),
        ("programs", ctypes.POINTER(Program)),
        ("ops", ctypes.POINTER(Op)),
        ("enums", ctypes.POINTER(EnumEntry)),
        ("symbols", ctypes.POINTER(Symbol)),
        ("site_types", ctypes.POINTER(c_uint32)),
        ("type_programs", ctypes.POINTER(c_uint32)),
        ("type_flags", ctypes.POINTER(c_uint8)),
        ("type_changed", ctypes.POINTER(c_uint8)),
        ("handlers", ctypes.POINTER(HandlerRow)),
        ("steps", ctypes.POINTER(StepRow)),
        ("cases", ctypes.POINTER(Case)),
        ("pointer_facts", ctypes.POINTER(PointerFactRow)),
        ("type_count", c_uint32),
        ("program_count", c_uint32),
        ("op_count", c_uint32),
        ("symbol_count", c_uint32),
        ("site_count", c_uint32),
        ("handler_count", c_uint32),
        ("step_count", c_uint32),
        ("case_count", c_uint32),
        ("pointer_fact_count", c_uint32),
        ("reserved", c_uint32),
        ("own_fds", ctypes.POINTER(c_uint32)),
        ("own_fd_count", c_uint64),
        ("image_start", c_uint64),
        ("image_end", c_uint64),
        ("text_start", c_uint64),
        ("text_end", c_uint64),
    )
