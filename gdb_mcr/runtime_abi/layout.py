"""The structures of `native/mcr_abi.h` that stand in a server's memory. A live test compares all of them with DWARF.

What the controller writes (settings, adoption, messages) is in `messages.py`.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64
from enum import IntEnum, IntFlag

VERSION = 4
"""MCR_ABI_VERSION."""

MAGIC = 0x006C6F72746E6F63
"""MCR_MAGIC."""

PAGE_SHIFT = 12
BANK_SHIFT = 36
BANKS = 16
EARLY = 4
SITE_DEPTH = 6


class Role(IntEnum):
    """enum mcr_role."""

    OFF = 0
    RECORD = 1
    REPLAY = 2
    REHEARSE = 3


class Hold(IntEnum):
    """enum mcr_hold."""

    NONE = 0
    ALL = 1
    IDLE = 2


class TrackerRequest(IntEnum):
    """enum mcr_tracker_request."""

    NONE = 0
    OPEN = 1
    CLOSE = 2
    BUSY = 3
    OPENED = 4


class UnblockRequest(IntEnum):
    """enum mcr_unblock_request."""

    NONE = 0
    SIGNAL = 1
    EVENT = 2
    BUSY = 3


class State(IntEnum):
    """enum mcr_state."""

    STARTING = 0
    STARTUP = 1
    SERVING = 2
    HELD = 3
    DISABLED = 4


class ErrorKind(IntEnum):
    """enum mcr_error: why libmcr disabled itself."""

    OK = 0
    SETTINGS = 1
    WINDOW = 2
    MEMORY = 3
    CHANNEL = 4
    INHERIT = 5
    HEAP = 6
    TABLE_FULL = 7
    SNAPSHOT = 8


class SpanKind(IntEnum):
    """enum mcr_span_kind."""

    UNUSED = 0
    FREE = 1
    SMALL = 2
    LARGE = 3


class SlotFlag(IntFlag):
    """enum mcr_slot_flag."""

    LIVE = 1
    STARTUP = 2
    INHERITED = 4
    PLACED = 8
    CACHED = 16


class Span(ctypes.Structure):
    """struct mcr_span."""

    _fields_ = (
        ("start", c_uint64),
        ("pages", c_uint32),
        ("kind", c_uint8),
        ("size_class", c_uint8),
        ("reserved", c_uint16),
        ("slot_bytes", c_uint32),
        ("slot_count", c_uint32),
        ("slots", c_uint64),
        ("large_size", c_uint64),
        ("private_", c_uint32 * 6),
    )


class Slot(ctypes.Structure):
    """struct mcr_slot."""

    _fields_ = (("size", c_uint16), ("generation", c_uint8), ("flags", c_uint8), ("site", c_uint32))


class Site(ctypes.Structure):
    """struct mcr_site."""

    _fields_ = (("generation", c_uint32), ("depth", c_uint32), ("returns", c_uint64 * SITE_DEPTH))


class Operation(ctypes.Structure):
    """struct mcr_operation."""

    _fields_ = (
        ("seq", c_uint32),
        ("kind", c_uint16),
        ("flags", c_uint16),
        ("thread", c_uint32),
        ("error", c_int32),
        ("stack_id", c_uint64),
        ("result", c_int64),
        ("args", c_int64 * 6),
        ("blob", c_uint64),
        ("blob_size", c_uint32),
        ("match", c_int32),
        ("depth", c_uint32),
        ("reserved", c_uint32),
        ("returns", c_uint64),
    )


class Allocation(ctypes.Structure):
    """struct mcr_allocation."""

    _fields_ = (
        ("seq", c_uint32),
        ("thread", c_uint32),
        ("stack_id", c_uint64),
        ("nth", c_uint32),
        ("site", c_uint32),
        ("addr", c_uint64),
        ("size", c_uint64),
        ("first_size", c_uint64),
        ("base_addr", c_uint64),
        ("base_size", c_uint64),
        ("flags", c_uint32),
        ("plan", c_int32),
    )


class Thread(ctypes.Structure):
    """struct mcr_thread."""

    _fields_ = (
        ("index", c_uint32),
        ("tid", c_int32),
        ("creation_id", c_uint64),
        ("ordinal", c_uint32),
        ("parent", c_uint32),
        ("start_routine", c_uint64),
        ("handle", c_uint64),
        ("wait", c_uint32),
        ("waited_once", c_uint32),
        ("exited", c_uint32),
        ("reserved", c_uint32),
        ("wait_pc", c_uint64),
    )


class Module(ctypes.Structure):
    """struct mcr_module."""

    _fields_ = (
        ("generation", c_uint32),
        ("build_id_size", c_uint32),
        ("build_id", c_uint8 * 32),
        ("base", c_uint64),
        ("start", c_uint64),
        ("end", c_uint64),
        ("path", c_char * 256),
    )


class Region(ctypes.Structure):
    """struct mcr_region."""

    _fields_ = (("address", c_uint64), ("size", c_uint64), ("offset", c_uint64))


class Input(ctypes.Structure):
    """struct mcr_input."""

    _fields_ = (
        ("device", c_uint64),
        ("inode", c_uint64),
        ("size", c_uint64),
        ("mtime_ns", c_int64),
        ("hash", c_uint64),
        ("path", c_uint64),
        ("early", c_uint64),
    )


class LaunchFacts(ctypes.Structure):
    """struct mcr_launch_facts."""

    _fields_ = (
        ("argc", c_uint32),
        ("envc", c_uint32),
        ("strings", c_uint64),
        ("strings_size", c_uint64),
        ("ruid", c_uint32),
        ("euid", c_uint32),
        ("suid", c_uint32),
        ("rgid", c_uint32),
        ("egid", c_uint32),
        ("sgid", c_uint32),
        ("umask", c_uint32),
        ("ngroups", c_uint32),
        ("groups", c_uint32 * 64),
        ("capabilities", c_uint64 * 5),
        ("rlimits", (c_uint64 * 2) * 16),
        ("signal_mask", c_uint64),
        ("signals_ignored", c_uint64),
        ("affinity", c_uint8 * 128),
        ("at_random", c_uint8 * 16),
        ("namespaces", c_uint64 * 8),
        ("cwd", c_char * 4096),
        ("root", c_char * 4096),
        ("exe", c_char * 4096),
    )


class Table(ctypes.Structure):
    """struct mcr_table."""

    _fields_ = (
        ("address", c_uint64),
        ("count", c_uint64),
        ("capacity", c_uint64),
        ("entry_size", c_uint32),
        ("reserved", c_uint32),
    )


class Bank(ctypes.Structure):
    """struct mcr_bank."""

    _fields_ = (("start", c_uint64), ("used_pages", c_uint64), ("spans", c_uint64), ("span_count", c_uint64))


class Early(ctypes.Structure):
    """struct mcr_early."""

    _fields_ = (
        ("number", c_uint64),
        ("allocations", c_uint64),
        ("address", c_uint64),
        ("size", c_uint64),
        ("regions", Table),
    )


TABLES: dict[str, type[ctypes.Structure] | None] = {
    "operations": Operation,
    "allocations": Allocation,
    "threads": Thread,
    "sites": Site,
    "modules": Module,
    "inputs": Input,
    "snapshot": Region,
    "blobs": None,
}
"""The tables of the control block in their order, and what an entry is; None = bytes."""


class ControlBlock(ctypes.Structure):
    """struct mcr_control."""

    _fields_ = (
        ("magic", c_uint64),
        ("version", c_uint32),
        ("size", c_uint32),
        ("role", c_uint32),
        ("state", c_uint32),
        ("error", c_uint32),
        ("error_line", c_uint32),
        ("error_text", c_char * 96),
        ("instance", c_uint8 * 16),
        ("generation", c_uint32),
        ("pid", c_int32),
        ("startup_end_ns", c_uint64),
        ("hold", c_uint32),
        ("held", c_uint32),
        ("hold_deadline_ns", c_uint64),
        ("tracker", c_uint32),
        ("tracker_fd", c_int32),
        ("unblock", c_uint32),
        ("unblock_target", c_int32),
        ("unblock_argument", c_uint32),
        ("unblock_result", c_int32),
        ("window", c_uint64),
        ("window_size", c_uint64),
        ("banks", Bank * BANKS),
        *((name, Table) for name in TABLES),
        ("snapshot_address", c_uint64),
        ("snapshot_size", c_uint64),
        ("facts", LaunchFacts),
        ("private_ranges", (c_uint64 * 2) * 64),
        ("private_range_count", c_uint32),
        ("highest_fd", c_int32),
        ("channel_fd", c_int32),
        ("withheld", c_uint32),
        ("early", Early * EARLY),
    )
