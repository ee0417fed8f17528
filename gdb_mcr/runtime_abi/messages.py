"""The structures of `native/mcr_abi.h` that the controller sends: settings, adoption, channel messages.

They are compared with DWARF by the same test as `layout.py`.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_int32, c_int64, c_uint8, c_uint32, c_uint64
from enum import IntEnum

from gdb_mcr.runtime_abi.layout import BANKS

SETTINGS_MAGIC = 0x73676E6974746573
"""MCR_SETTINGS_MAGIC."""

SETTINGS_FD = 250
"""MCR_SETTINGS_FD: where the settings stand at exec."""

CHANNEL_FD = 251
"""MCR_CHANNEL_FD: where N's end of the channel stands at exec."""


class Command(IntEnum):
    """enum mcr_command_kind."""

    HELLO = 1
    HELD = 2
    FDS = 3
    SYSCALLS = 4
    SNAPSHOT = 5
    ADOPT = 6
    COMMIT = 7
    FORGET = 8
    ALLOCATE = 9
    NUDGE = 10
    BORN = 11
    SETTINGS = 12


HANDED_DOWN = 2
"""MCR_FD_HANDED_DOWN: in the settings of a forked child, a descriptor that it has from its parent."""


LATE = 4
"""MCR_FD_LATE: in those settings, a descriptor that comes when the child is held."""


class Settings(ctypes.Structure):
    """struct mcr_settings."""

    _fields_ = (
        ("magic", c_uint64),
        ("version", c_uint32),
        ("size", c_uint32),
        ("role", c_uint32),
        ("generation", c_uint32),
        ("window", c_uint64),
        ("first_page", c_uint32),
        ("startup_timeout_ms", c_uint32),
        ("old_pid", c_int32),
        ("placeholder_end", c_int32),
        ("private_fd", c_int32),
        ("watchdog_ms", c_uint32),
        ("module_tables", c_uint64),
        ("module_table_count", c_uint64),
        ("operations", c_uint64),
        ("operation_count", c_uint64),
        ("threads", c_uint64),
        ("thread_count", c_uint64),
        ("blobs", c_uint64),
        ("blob_size", c_uint64),
        ("plan", c_uint64),
        ("plan_count", c_uint64),
        ("spans", c_uint64),
        ("span_count", c_uint64),
        ("inherited", c_uint64),
        ("inherited_count", c_uint64),
    )


class SettingsModule(ctypes.Structure):
    """struct mcr_settings_module."""

    _fields_ = (
        ("build_id", c_uint8 * 32),
        ("build_id_size", c_uint32),
        ("reserved", c_uint32),
        ("path", c_char * 512),
    )


class PlanEntry(ctypes.Structure):
    """struct mcr_plan_entry."""

    _fields_ = (
        ("thread_key", c_uint64),
        ("stack_id", c_uint64),
        ("nth", c_uint32),
        ("old_seq", c_int32),
        ("size", c_uint64),
        ("address", c_uint64),
        ("capacity", c_uint64),
    )


class InheritedFd(ctypes.Structure):
    """struct mcr_inherited_fd."""

    _fields_ = (("number", c_int32), ("cloexec", c_uint32))


class Message(ctypes.Structure):
    """struct mcr_message."""

    _fields_ = (("kind", c_uint32), ("count", c_uint32), ("status", c_int64))


class RemoteSyscall(ctypes.Structure):
    """struct mcr_remote_syscall."""

    _fields_ = (
        ("number", c_int64),
        ("args", c_uint64 * 6),
        ("pointers", c_uint32),
        ("stop_on_error", c_uint32),
        ("result", c_int64),
    )


class ChunkSize(ctypes.Structure):
    """struct mcr_chunk_size."""

    _fields_ = (("address", c_uint64), ("size", c_uint64))


class Adoption(ctypes.Structure):
    """struct mcr_adoption."""

    _fields_ = (
        ("spans", c_uint64),
        ("span_count", c_uint64),
        ("sites", c_uint64),
        ("site_count", c_uint64),
        ("modules", c_uint64),
        ("module_count", c_uint64),
        ("sizes", c_uint64),
        ("size_count", c_uint64),
        ("bank_used", c_uint64 * BANKS),
    )
