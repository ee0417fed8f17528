"""The settings that a server under libmcr finds at descriptor 250 when it starts (struct mcr_settings)."""

from __future__ import annotations

import ctypes
import errno
import os
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from gdb_mcr.errors import RuntimeAbiError
from gdb_mcr.model.placement import PlanEntry
from gdb_mcr.model.startup_log import OperationKind
from gdb_mcr.runtime_abi import layout, messages
from gdb_mcr.runtime_abi.control import Control, Reader
from gdb_mcr.runtime_abi.sealed import Layouter, sealed_memfd
from gdb_mcr.runtime_abi.tables import read_blobs, read_table

STARTUP_TIMEOUT_MS = 5000
"""After the first external wait of the initial thread, start-up lasts no longer than this."""


@dataclass(frozen=True, slots=True)
class ModuleTableFile:
    """Where the module table (struct mcr_module_table) of the ELF file with this build-id stands."""

    build_id: str
    """Hexadecimal."""
    path: Path


class Delivery(Enum):
    """When N gets a descriptor."""

    FIRST = 0
    """The channel delivers it before N's start-up begins."""
    HANDED_DOWN = messages.HANDED_DOWN
    """A forked child has it from its parent."""
    LATE = messages.LATE
    """It comes when the child is held: its start-up may have another one at the number, from its parent."""


@dataclass(frozen=True, slots=True)
class Inherited:
    """A descriptor that N gets from O."""

    number: int
    cloexec: bool
    delivery: Delivery = Delivery.FIRST


@dataclass(frozen=True, slots=True)
class OldLog:
    """The raw tables of O that N replays: operations, threads and the blobs that operations refer to."""

    operations: bytes
    threads: bytes
    blobs: bytes


@dataclass(frozen=True, slots=True)
class NewSettings:
    """All that N is told (role REPLAY or REHEARSE). See struct mcr_settings for the single fields."""

    role: layout.Role
    generation: int
    window: int
    """Address of O's heap window."""
    first_page: int
    """Of N's bank: behind what a much older generation still has there; `HeapImage.bank_ends` of O."""
    old_pid: int
    placeholder_end: int
    """Numbers below it that nothing inherited takes are filled before main."""
    private_fd: int
    log: OldLog
    modules: Sequence[ModuleTableFile]
    plan: Sequence[PlanEntry] = ()
    spans: bytes = b""
    """`spans_for_plan`."""
    inherited: Sequence[Inherited] = ()
    watchdog_ms: int = 0
    startup_timeout_ms: int = STARTUP_TIMEOUT_MS


def record_settings(modules: Sequence[ModuleTableFile], startup_timeout_ms: int = STARTUP_TIMEOUT_MS) -> int:
    """A sealed memfd with the settings of a server that is to be recorded: O of generation 0."""
    head = messages.Settings(role=layout.Role.RECORD, startup_timeout_ms=startup_timeout_ms)
    return _finish(head, {"module_tables": _modules(modules)})


def new_settings(settings: NewSettings) -> int:
    """A sealed memfd with N's settings.

    :raises RuntimeAbiError: the path of a module table is too long.
    """
    head = messages.Settings(
        role=settings.role,
        generation=settings.generation,
        window=settings.window,
        startup_timeout_ms=settings.startup_timeout_ms,
        first_page=settings.first_page,
        old_pid=settings.old_pid,
        placeholder_end=settings.placeholder_end,
        private_fd=settings.private_fd,
        watchdog_ms=settings.watchdog_ms,
    )
    parts = {
        "module_tables": _modules(settings.modules),
        "operations": settings.log.operations,
        "threads": settings.log.threads,
        "blobs": settings.log.blobs,
        "plan": b"".join(bytes(messages.PlanEntry(*entry)) for entry in sorted(settings.plan)),
        "spans": settings.spans,
        "inherited": b"".join(map(_inherited, settings.inherited)),
    }
    return _finish(head, parts)


def read_old_log(memory: Reader, control: Control, absent: Sequence[str] = ()) -> OldLog:
    """O's operations, threads and blobs as they are now; GONE flags are as of this moment.

    :param absent: paths of files; for N, O's start-up did not find them.
    """
    operations, blobs = read_table(memory, control.operations, layout.Operation), read_blobs(memory, control)
    return OldLog(
        operations=_without_files(operations, blobs, [os.fsencode(one) for one in absent]) if absent else operations,
        threads=read_table(memory, control.threads, layout.Thread),
        blobs=blobs,
    )


# Paths in the log are as the program gave them, often relative to a directory that it has left since.
def _without_files(operations: bytes, blobs: bytes, absent: Sequence[bytes]) -> bytes:
    entries = (layout.Operation * (len(operations) // ctypes.sizeof(layout.Operation))).from_buffer_copy(operations)
    for one in entries:
        if one.kind in (OperationKind.OPEN, OperationKind.FOPEN):
            path = blobs[one.blob : one.blob + one.blob_size]
            if any(file == path or file.endswith(b"/" + path.removeprefix(b"./")) for file in absent):
                one.error, one.result = errno.ENOENT, -1
    return bytes(entries)


def spans_for_plan(spans: bytes, plan: Iterable[PlanEntry]) -> bytes:
    """Those of O's spans (`HeapImage.spans`) that a placed entry of the plan lies in, without their slots.

    :raises RuntimeAbiError: an address of the plan lies in no span.
    """
    addresses = sorted(entry.address for entry in plan if entry.address)
    kept, placed = [], 0
    for span in _chunk_spans(spans):
        end = span.start + (span.pages << layout.PAGE_SHIFT)
        inside = bisect_left(addresses, end) - bisect_left(addresses, span.start)
        if inside:
            span.slots = 0
            kept.append(bytes(span))
            placed += inside
    if placed != len(addresses):
        raise RuntimeAbiError("the placement plan names addresses outside of the old heap's spans")
    return b"".join(kept)


_ENTRY_OF = {
    "module_tables": ("module_table_count", messages.SettingsModule),
    "operations": ("operation_count", layout.Operation),
    "threads": ("thread_count", layout.Thread),
    "blobs": ("blob_size", None),
    "plan": ("plan_count", messages.PlanEntry),
    "spans": ("span_count", layout.Span),
    "inherited": ("inherited_count", messages.InheritedFd),
}


def _inherited(one: Inherited) -> bytes:
    return bytes(messages.InheritedFd(one.number, one.cloexec | one.delivery.value))


def _finish(head: messages.Settings, parts: dict[str, bytes]) -> int:
    layouter = Layouter(ctypes.sizeof(head))
    for name, data in parts.items():
        count_name, entry = _ENTRY_OF[name]
        setattr(head, name, layouter.add(data))
        setattr(head, count_name, len(data) // (ctypes.sizeof(entry) if entry else 1))
    head.magic, head.version, head.size = messages.SETTINGS_MAGIC, layout.VERSION, layouter.size
    return sealed_memfd("mcr-settings", layouter.parts(bytes(head)))


def _modules(modules: Sequence[ModuleTableFile]) -> bytes:
    return b"".join(bytes(_module(one)) for one in modules)


def _module(module: ModuleTableFile) -> messages.SettingsModule:
    build_id, path = bytes.fromhex(module.build_id), os.fsencode(module.path)
    if len(path) >= messages.SettingsModule.path.size:
        raise RuntimeAbiError(f"the path {module.path} is too long", hint="set XDG_CACHE_HOME to a shorter directory")
    entry = messages.SettingsModule(build_id_size=len(build_id), path=path)
    ctypes.memmove(entry.build_id, build_id, min(len(build_id), len(entry.build_id)))
    return entry


def _chunk_spans(spans: bytes) -> Iterable[layout.Span]:
    size = ctypes.sizeof(layout.Span)
    for offset in range(0, len(spans), size):
        span = layout.Span.from_buffer_copy(spans, offset)
        if span.kind in (layout.SpanKind.SMALL, layout.SpanKind.LARGE):
            yield span
