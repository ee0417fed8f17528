"""The append-only tables of the control block as values.

Entries below `count` are complete, so that a server that runs on can be read; what changes later (flags, addresses
that follow realloc, waits) is as of the moment of the read.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterator, Sequence
from ctypes import c_int32, c_uint32, c_uint64
from dataclasses import dataclass, replace
from typing import TypeVar

from gdb_mcr.errors import RuntimeAbiError
from gdb_mcr.model.startup_log import (
    Allocation,
    LaunchFacts,
    LoggedOperation,
    ModuleEntry,
    OperationFlag,
    OperationKind,
    SiteEntry,
    StartupInput,
    StartupLog,
    ThreadEntry,
    WaitKind,
)
from gdb_mcr.runtime_abi import layout
from gdb_mcr.runtime_abi.control import Control, EarlyPlace, Reader, TablePlace
from gdb_mcr.units import WORD, Range

_INT = 4  # bytes of array("I")'s items

_Entry = TypeVar("_Entry", bound=ctypes.Structure)


@dataclass(frozen=True, slots=True)
class BaseSnapshot:
    """The base of the merge: program pages as they were at the end of start-up, or before an input was read."""

    address: int
    """Where the copy stands in the server's memory, 0 if there is none."""
    size: int
    regions: tuple[tuple[Range, int], ...]
    """(range of the program's memory, offset of its bytes from `address`), sorted by range."""


def read_startup_log(memory: Reader, control: Control, early: EarlyPlace | None = None) -> StartupLog:
    """All of the start-up log. :param early: of allocations those before it, with the bases that they had then."""
    allocations = control.allocations
    if early is not None:
        allocations = replace(allocations, count=min(early.allocations, allocations.count))
    logged = read_allocations(memory, allocations)
    return StartupLog(
        operations=read_operations(memory, control),
        allocations=logged if early is None else _with_early_bases(memory, control, early, logged),
        threads=read_threads(memory, control),
        modules=read_modules(memory, control),
        inputs=read_inputs(memory, control),
        facts=read_facts(memory, control),
    )


def read_operations(memory: Reader, control: Control) -> tuple[LoggedOperation, ...]:
    """The logged operations in their order."""
    entries = list(_entries(memory, control.operations, layout.Operation))
    blobs = _Blobs(read_blobs(memory, control))
    return tuple(_operation(entry, blobs) for entry in entries)


def read_allocations(memory: Reader, place: TablePlace) -> tuple[Allocation, ...]:
    """The allocation log in its order; index = seq."""
    data = read_table(memory, place, layout.Allocation)
    views = {c_uint64: array("Q", data), c_uint32: array("I", data), c_int32: array("i", data)}
    columns = [_column(views[kind], name) for name, kind in layout.Allocation._fields_]
    return tuple(map(Allocation._make, zip(*columns, strict=True)))


def read_threads(memory: Reader, control: Control) -> tuple[ThreadEntry, ...]:
    """All threads that libmcr knows of, ended ones included; index = ThreadEntry.index."""
    return tuple(map(_thread, _entries(memory, control.threads, layout.Thread)))


def read_live_threads(memory: Reader, control: Control) -> tuple[ThreadEntry, ...]:
    """Those that have not ended. A server with a thread for each connection has thousands of others in the table."""
    data = read_table(memory, control.threads, layout.Thread)
    size = ctypes.sizeof(layout.Thread)
    exited = array("I", data)[layout.Thread.exited.offset // _INT :: size // _INT]
    live = (index for index, one in enumerate(exited) if not one)
    return tuple(_thread(layout.Thread.from_buffer_copy(data, size * index)) for index in live)


def _thread(entry: layout.Thread) -> ThreadEntry:
    return ThreadEntry(
        index=entry.index,
        tid=entry.tid,
        creation_id=entry.creation_id,
        ordinal=entry.ordinal,
        parent=entry.parent,
        start_routine=entry.start_routine,
        handle=entry.handle,
        wait=WaitKind(entry.wait),
        waited_once=bool(entry.waited_once),
        exited=bool(entry.exited),
        wait_pc=entry.wait_pc,
    )


def read_sites(memory: Reader, control: Control) -> tuple[SiteEntry, ...]:
    """The allocation sites; index = site number. O's are not in N before the adoption."""
    data = read_table(memory, control.sites, layout.Site)
    words, halves = array("Q", data), array("I", data)
    stride, first = ctypes.sizeof(layout.Site) // WORD, layout.Site.returns.offset // WORD
    returns = zip(*(words[first + i :: stride] for i in range(layout.SITE_DEPTH)), strict=True)
    generations, depths = halves[0 :: 2 * stride], halves[1 :: 2 * stride]
    return tuple(
        SiteEntry(generation, chain[:depth])
        for generation, depth, chain in zip(generations, depths, returns, strict=True)
    )


def read_modules(memory: Reader, control: Control) -> tuple[ModuleEntry, ...]:
    """The ELF files of all generations."""
    return tuple(
        ModuleEntry(
            generation=entry.generation,
            build_id=bytes(entry.build_id[: entry.build_id_size]).hex(),
            base=entry.base,
            start=entry.start,
            end=entry.end,
            path=_text(entry.path),
        )
        for entry in _entries(memory, control.modules, layout.Module)
    )


def read_inputs(memory: Reader, control: Control) -> tuple[StartupInput, ...]:
    """The files that start-up read."""
    entries = list(_entries(memory, control.inputs, layout.Input))
    blobs = _Blobs(read_blobs(memory, control)) if entries else _Blobs(b"")
    return tuple(
        StartupInput(
            blobs.text(entry.path), entry.device, entry.inode, entry.size, entry.mtime_ns, entry.hash, entry.early
        )
        for entry in entries
    )


def read_facts(memory: Reader, control: Control) -> LaunchFacts:
    """How the server was started."""
    place = control.address + layout.ControlBlock.facts.offset
    facts = layout.LaunchFacts.from_buffer_copy(memory.read(place, ctypes.sizeof(layout.LaunchFacts)))
    strings = _strings(memory, control, facts)
    return LaunchFacts(
        argv=strings[: facts.argc],
        environ=strings[facts.argc : facts.argc + facts.envc],
        uids=(facts.ruid, facts.euid, facts.suid),
        gids=(facts.rgid, facts.egid, facts.sgid),
        umask=facts.umask,
        groups=tuple(facts.groups[: facts.ngroups]),
        capabilities=tuple(facts.capabilities),
        rlimits=tuple((soft, hard) for soft, hard in facts.rlimits),
        signal_mask=facts.signal_mask,
        signals_ignored=facts.signals_ignored,
        affinity=frozenset(8 * i + bit for i, byte in enumerate(facts.affinity) for bit in range(8) if byte >> bit & 1),
        at_random=bytes(facts.at_random),
        namespaces=tuple(facts.namespaces),
        cwd=_text(facts.cwd),
        root=_text(facts.root),
        exe=_text(facts.exe),
    )


def read_snapshot(memory: Reader, control: Control) -> BaseSnapshot:
    """Where the base of the merge stands; the bytes themselves are read by whom they concern."""
    return BaseSnapshot(control.snapshot_address, control.snapshot_size, _regions(memory, control.snapshot))


def read_early_snapshot(memory: Reader, early: EarlyPlace) -> BaseSnapshot:
    """The same for a snapshot of the middle of start-up."""
    return BaseSnapshot(early.address, early.size, _regions(memory, early.regions))


def read_blobs(memory: Reader, control: Control) -> bytes:
    """The blob table, to which offsets in other tables refer."""
    place = control.blobs
    return memory.read(place.address, place.count) if place.count else b""


def read_table(memory: Reader, place: TablePlace, kind: type[ctypes.Structure]) -> bytes:
    """The bytes of a table's entries.

    :raises RuntimeAbiError: its entries have another size than `kind`.
    """
    if not place.count:
        return b""
    size = ctypes.sizeof(kind)
    if place.entry_size != size:
        raise RuntimeAbiError(
            f"entries of libmcr's table at {place.address:#x} have {place.entry_size} bytes, not {size}",
            hint="the server's memory is damaged, or libmcr.so was replaced while it ran",
        )
    return memory.read(place.address, place.count * size)


def _regions(memory: Reader, place: TablePlace) -> tuple[tuple[Range, int], ...]:
    entries = _entries(memory, place, layout.Region)
    return tuple(sorted((Range(entry.address, entry.address + entry.size), entry.offset) for entry in entries))


# The log was copied with the rest, so that it says where each chunk stood then.
def _with_early_bases(
    memory: Reader, control: Control, early: EarlyPlace, logged: Sequence[Allocation]
) -> tuple[Allocation, ...]:
    start = control.allocations.address
    inside = [offset + start - place.start for place, offset in _regions(memory, early.regions) if start in place]
    if not inside:
        return tuple(one._replace(base_address=0, base_size=0) for one in logged)
    then = read_allocations(memory, replace(control.allocations, address=early.address + inside[0], count=len(logged)))
    return tuple(
        one._replace(base_address=0 if old.is_freed else old.address, base_size=0 if old.is_freed else old.size)
        for one, old in zip(logged, then, strict=True)
    )


class _Blobs:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def get(self, offset: int, size: int) -> bytes:
        if size and offset + size > len(self._data):
            raise RuntimeAbiError(
                f"the start-up log refers to bytes {offset:#x}+{size:#x} of {len(self._data):#x}",
                hint="the server's memory is damaged",
            )
        return self._data[offset : offset + size]

    def words(self, offset: int, count: int) -> tuple[int, ...]:
        return tuple(array("Q", self.get(offset, WORD * count)))

    def text(self, offset: int) -> str:
        end = self._data.find(b"\0", offset) if offset < len(self._data) else -1
        return _text(self._data[offset:end]) if end >= 0 else ""


def _entries(memory: Reader, place: TablePlace, kind: type[_Entry]) -> Iterator[_Entry]:
    data = read_table(memory, place, kind)
    for offset in range(0, len(data), ctypes.sizeof(kind)):
        yield kind.from_buffer_copy(data, offset)


def _operation(entry: layout.Operation, blobs: _Blobs) -> LoggedOperation:
    return LoggedOperation(
        seq=entry.seq,
        kind=OperationKind(entry.kind),
        flags=OperationFlag(entry.flags),
        thread=entry.thread,
        error=entry.error,
        stack_id=entry.stack_id,
        result=entry.result,
        args=tuple(entry.args),
        blob=blobs.get(entry.blob, entry.blob_size),
        match=entry.match if entry.match >= 0 else None,
        returns=blobs.words(entry.returns, entry.depth),
    )


# One field of an array of allocations, by a strided slice instead of a loop.
def _column(view: array[int], name: str) -> array[int]:
    offset: int = getattr(layout.Allocation, name).offset
    return view[offset // view.itemsize :: ctypes.sizeof(layout.Allocation) // view.itemsize]


def _strings(memory: Reader, control: Control, facts: layout.LaunchFacts) -> tuple[bytes, ...]:
    if facts.strings + facts.strings_size > control.blobs.count:
        raise RuntimeAbiError("libmcr has not noted the command line", hint="the server's start-up log is full")
    data = memory.read(control.blobs.address + facts.strings, facts.strings_size) if facts.strings_size else b""
    return tuple(data.split(b"\0")[:-1])


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")
