"""The memory of a made-up server under libmcr: a control block with tables, from values. Nothing runs."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from gdb_mcr.runtime_abi import layout

CONTROL = 0x10000
TABLES = 0x100000
TABLE_ROOM = 0x100000
HEAP = 0x100000000


class FakeServer:
    """Readable and writable memory, made of pieces. Set fields of `block`, then `seal`."""

    def __init__(self) -> None:
        self.block = layout.ControlBlock(
            magic=layout.MAGIC,
            version=layout.VERSION,
            size=ctypes.sizeof(layout.ControlBlock),
            role=layout.Role.RECORD,
            state=layout.State.SERVING,
            pid=4711,
        )
        self.pieces: dict[int, bytearray] = {}
        self.blobs = bytearray()

    def blob(self, data: bytes) -> int:
        """Adds to the blob table as libmcr does; its offset."""
        offset = len(self.blobs)
        self.blobs += data.ljust(-(-len(data) // 8) * 8, b"\0")
        return offset

    def table(self, name: str, entries: Sequence[ctypes.Structure]) -> None:
        """Puts a table's entries into memory."""
        kind = layout.TABLES[name]
        assert kind is not None
        self._place(name, b"".join(bytes(one) for one in entries), len(entries), ctypes.sizeof(kind))

    def bank(self, index: int, spans: Sequence[layout.Span]) -> None:
        """The span table of a bank; slots are put into memory by `put`."""
        address = HEAP + index * 0x1000000
        self.put(address, b"".join(bytes(one) for one in spans))
        bank = self.block.banks[index]
        bank.start, bank.used_pages = 0x7000_0000_0000 + (index << layout.BANK_SHIFT), 1000
        bank.spans, bank.span_count = address, len(spans)

    def put(self, address: int, data: bytes) -> None:
        """Maps `data` at `address`."""
        self.pieces[address] = bytearray(data)

    def seal(self) -> FakeServer:
        """Puts blobs and the control block into memory."""
        self._place("blobs", bytes(self.blobs), len(self.blobs), 1)
        self.put(CONTROL, bytes(self.block))
        return self

    def read(self, address: int, size: int) -> bytes:
        """As `runtime_abi.control.Reader`."""
        start, piece = self._find(address, size)
        return bytes(piece[address - start : address - start + size])

    def write(self, address: int, data: bytes) -> None:
        """As `runtime_abi.control.Writer`."""
        start, piece = self._find(address, len(data))
        piece[address - start : address - start + len(data)] = data

    def _place(self, name: str, data: bytes, count: int, entry_size: int) -> None:
        address = TABLES + list(layout.TABLES).index(name) * TABLE_ROOM
        self.put(address, data)
        table = getattr(self.block, name)
        table.address, table.count, table.entry_size = address, count, entry_size

    def _find(self, address: int, size: int) -> tuple[int, bytearray]:
        for start, piece in self.pieces.items():
            if start <= address and address + size <= start + len(piece):
                return start, piece
        raise AssertionError(f"nothing is mapped at {address:#x}+{size:#x}")


def small_span(start: int, slot_bytes: int, count: int, slots: int) -> layout.Span:
    """A span of `count` slots whose slot array stands at `slots`."""
    pages = -(-slot_bytes * count // 4096)
    return layout.Span(
        start=start, pages=pages, kind=layout.SpanKind.SMALL, slot_bytes=slot_bytes, slot_count=count, slots=slots
    )


def large_span(start: int, size: int, slots: int) -> layout.Span:
    """A span of one chunk of `size` bytes."""
    pages = -(-size // 4096)
    return layout.Span(start=start, pages=pages, kind=layout.SpanKind.LARGE, slot_count=1, slots=slots, large_size=size)


def slot_array(*slots: tuple[int, layout.SlotFlag, int]) -> bytes:
    """struct mcr_slot[] of (size, flags, site)."""
    return b"".join(bytes(layout.Slot(size=size, flags=flags, site=site)) for size, flags, site in slots)
