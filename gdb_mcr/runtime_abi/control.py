"""The control block of a server that runs under libmcr, and the words of it that the controller writes in O."""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass
from typing import Protocol

from gdb_mcr.errors import UnknownRuntime
from gdb_mcr.runtime_abi.layout import (
    MAGIC,
    TABLES,
    VERSION,
    ControlBlock,
    ErrorKind,
    Hold,
    Role,
    State,
    Table,
    TrackerRequest,
    UnblockRequest,
)
from gdb_mcr.units import Range

SYMBOL = "mcr_control"
"""The name under which libmcr.so exports its control block."""

_SIZE = ctypes.sizeof(ControlBlock)


class Reader(Protocol):
    """Somebody's memory."""

    def read(self, address: int, size: int) -> bytes:
        """The `size` bytes at `address`, all of them or an error."""
        ...


class Writer(Protocol):
    """Somebody's memory, writable."""

    def write(self, address: int, data: bytes) -> None:
        """Puts `data` at `address`, all of it or an error."""
        ...


@dataclass(frozen=True, slots=True)
class TablePlace:
    """Where a table stands (struct mcr_table): `count` entries of `entry_size` bytes in use."""

    address: int
    count: int
    entry_size: int
    capacity: int


@dataclass(frozen=True, slots=True)
class EarlyPlace:
    """A snapshot of the middle of start-up (struct mcr_early)."""

    number: int
    """0 = there is none."""
    allocations: int
    """How many had been logged before it; the log as it was then is in it."""
    address: int
    size: int
    regions: TablePlace


@dataclass(frozen=True, slots=True)
class BankPlace:
    """One bank of the heap window (struct mcr_bank)."""

    start: int
    used_pages: int
    spans: int
    """Address of struct mcr_span[span_count]."""
    span_count: int


@dataclass(frozen=True, slots=True)
class Control:
    """The control block (struct mcr_control) as it was at one moment. Launch facts: `tables.read_facts`."""

    address: int
    role: Role
    state: State
    error: ErrorKind
    error_text: str
    """Why libmcr disabled itself, with its source line; "" if it did not."""
    instance: bytes
    """Random identity of this start."""
    generation: int
    pid: int
    startup_end_ns: int
    """CLOCK_MONOTONIC; 0 while start-up lasts."""
    hold: bool
    held: int
    """Threads held now."""
    hold_deadline_ns: int
    window: Range
    """The heap window; empty without one."""
    banks: tuple[BankPlace, ...]
    operations: TablePlace
    allocations: TablePlace
    threads: TablePlace
    sites: TablePlace
    modules: TablePlace
    inputs: TablePlace
    snapshot: TablePlace
    blobs: TablePlace
    snapshot_address: int
    """0 before the end of start-up."""
    snapshot_size: int
    private_ranges: tuple[Range, ...]
    """libmcr's own memory: never traced or moved."""
    highest_fd: int
    channel_fd: int
    """N: where the channel stands now, -1 none."""
    withheld: int
    """Operations withheld so far."""
    early: tuple[EarlyPlace, ...]
    """`StartupInput.early` refers to their numbers."""


def read_control(memory: Reader, address: int) -> Control:
    """The control block at `address`, the run-time address of symbol `mcr_control`.

    :raises UnknownRuntime: it is not there yet, or of another version.
    """
    block = ControlBlock.from_buffer_copy(memory.read(address, struct.calcsize("<QII")).ljust(_SIZE, b"\0"))
    _check_head(block, address)
    block = ControlBlock.from_buffer_copy(memory.read(address, _SIZE))
    ranges = block.private_ranges[: min(block.private_range_count, len(block.private_ranges))]
    return Control(
        address=address,
        role=Role(block.role),
        state=State(block.state),
        error=ErrorKind(block.error),
        error_text=_error_text(block),
        instance=bytes(block.instance),
        generation=block.generation,
        pid=block.pid,
        startup_end_ns=block.startup_end_ns,
        hold=bool(block.hold),
        held=block.held,
        hold_deadline_ns=block.hold_deadline_ns,
        window=Range(block.window, block.window + block.window_size),
        banks=tuple(BankPlace(one.start, one.used_pages, one.spans, one.span_count) for one in block.banks),
        **{name: _table(block, name) for name in TABLES},
        snapshot_address=block.snapshot_address,
        snapshot_size=block.snapshot_size,
        private_ranges=tuple(Range(start, end) for start, end in ranges),
        highest_fd=block.highest_fd,
        channel_fd=block.channel_fd,
        withheld=block.withheld,
        early=tuple(
            EarlyPlace(one.number, one.allocations, one.address, one.size, _place(one.regions)) for one in block.early
        ),
    )


def set_hold(memory: Writer, control_address: int, until_ns: int, hold: Hold = Hold.ALL) -> None:
    """Asks libmcr to hold every thread that comes to a wait, until CLOCK_MONOTONIC says `until_ns`.

    With Hold.IDLE those go on for which something has come; they see it within milliseconds.
    Whoever sleeps on the word is not woken: threads in a wait stay there. The deadline is written first, so that a
    controller that dies in between harms nobody.
    """
    memory.write(control_address + ControlBlock.hold_deadline_ns.offset, struct.pack("<Q", until_ns))
    memory.write(control_address + ControlBlock.hold.offset, struct.pack("<I", hold))


def clear_hold(memory: Writer, control_address: int) -> None:
    """Takes the hold back. Held threads look again at least every few milliseconds, or at the deadline."""
    memory.write(control_address + ControlBlock.hold.offset, struct.pack("<I", 0))


def held_threads(memory: Reader, control_address: int) -> int:
    """How many threads libmcr holds at this moment."""
    held: int
    (held,) = struct.unpack("<I", memory.read(control_address + ControlBlock.held.offset, 4))
    return held


def request_tracker(memory: Writer, control_address: int, request: TrackerRequest) -> None:
    """Asks libmcr to open or close the descriptor that tells which pages the server writes.

    The next thread that comes to a wait does it; `tracker_state` tells when.
    """
    memory.write(control_address + ControlBlock.tracker.offset, struct.pack("<I", request))


def tracker_state(memory: Reader, control_address: int) -> tuple[TrackerRequest, int]:
    """The request as it stands now, and the server's descriptor (-1 none, else -errno)."""
    request, descriptor = struct.unpack("<Ii", memory.read(control_address + ControlBlock.tracker.offset, 8))
    return TrackerRequest(request), descriptor


def request_unblock(memory: Writer, control_address: int, request: UnblockRequest, target: int, argument: int) -> None:
    """Asks libmcr to get a thread out of a blocking call. A held thread does it; `unblock_state` tells when.

    :param target: SIGNAL: thread id; EVENT: descriptor.
    :param argument: SIGNAL: its number; EVENT: bytes to write.
    """
    memory.write(control_address + ControlBlock.unblock_target.offset, struct.pack("<iIi", target, argument, 0))
    memory.write(control_address + ControlBlock.unblock.offset, struct.pack("<I", request))


def unblock_state(memory: Reader, control_address: int) -> tuple[UnblockRequest, int]:
    """The request as it stands now, and 0 or -errno of the last one."""
    request, _, _, result = struct.unpack("<IiIi", memory.read(control_address + ControlBlock.unblock.offset, 16))
    return UnblockRequest(request), result


def describe_error(control: Control) -> str:
    """Why libmcr disabled itself in this server, one phrase; "" if it did not."""
    if control.error is ErrorKind.OK:
        return ""
    return control.error_text or control.error.name.lower()


def _table(block: ControlBlock, name: str) -> TablePlace:
    return _place(getattr(block, name))


def _place(table: Table) -> TablePlace:
    return TablePlace(table.address, table.count, table.entry_size, table.capacity)


def _error_text(block: ControlBlock) -> str:
    text = bytes(block.error_text).decode(errors="replace")
    return f"{text} (line {block.error_line})" if text else ""


def _check_head(block: ControlBlock, address: int) -> None:
    if block.magic == 0:
        raise UnknownRuntime(
            f"libmcr's control block at {address:#x} is not ready yet", hint="the server is still starting: try again"
        )
    if block.magic != MAGIC:
        raise UnknownRuntime(
            f"there is no control block of libmcr at {address:#x}", hint="start the server with `mcr run`"
        )
    if (block.version, block.size) != (VERSION, _SIZE):
        raise UnknownRuntime(
            "the server runs under another version of libmcr than this gdb_mcr has "
            f"({_described(block.version, block.size)}, not {_described(VERSION, _SIZE)})",
            hint="update it with the gdb_mcr that started it, or restart it with this one's `mcr run`",
        )


def _described(version: int, size: int) -> str:
    return f"version {version} with {size} bytes"
