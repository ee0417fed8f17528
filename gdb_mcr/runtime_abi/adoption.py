"""What N's allocator takes over from O's: the memfd of MCR_CMD_ADOPT (struct mcr_adoption)."""

from __future__ import annotations

import ctypes
from array import array
from bisect import bisect_right
from collections.abc import Callable

from gdb_mcr.errors import RuntimeAbiError
from gdb_mcr.runtime_abi import layout, messages
from gdb_mcr.runtime_abi.control import Control, Reader
from gdb_mcr.runtime_abi.heap import HeapImage, slot_addresses, span_kinds
from gdb_mcr.runtime_abi.sealed import Layouter, sealed_memfd
from gdb_mcr.runtime_abi.tables import read_table
from gdb_mcr.units import WORD


def adoption_memfd(heap: HeapImage, sites: bytes, modules: bytes, sizes: bytes = b"") -> int:
    """A sealed memfd with O's whole heap tables. Of its banks N opens what still holds chunks.

    :param sites: O's struct mcr_site[], as `read_site_bytes` has it.
    :param modules: struct mcr_module[] of O and the generations before it.
    :param sizes: struct mcr_chunk_size[] of the chunks that have another size in N's layout.
    :raises RuntimeAbiError: the heap tables are damaged.
    """
    head = messages.Adoption(
        span_count=heap.span_count,
        site_count=len(sites) // ctypes.sizeof(layout.Site),
        module_count=len(modules) // ctypes.sizeof(layout.Module),
        size_count=len(sizes) // ctypes.sizeof(messages.ChunkSize),
        bank_used=heap.bank_ends,
    )
    layouter = Layouter(ctypes.sizeof(head))
    slots = {piece.address: layouter.add(piece.data) for piece in heap.slots}
    head.spans = layouter.add(_with_offsets(heap, slots))
    head.sites, head.modules, head.sizes = layouter.add(sites), layouter.add(modules), layouter.add(sizes)
    return sealed_memfd("mcr-adoption", layouter.parts(bytes(head)))


def read_site_bytes(memory: Reader, control: Control) -> bytes:
    """The raw site table."""
    return read_table(memory, control.sites, layout.Site)


def read_module_bytes(
    memory: Reader, control: Control, is_wanted: Callable[[layout.Module], bool] = lambda _: True
) -> bytes:
    """The raw module table, as far as it is wanted."""
    data, size = read_table(memory, control.modules, layout.Module), ctypes.sizeof(layout.Module)
    rows = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(row for row in rows if is_wanted(layout.Module.from_buffer_copy(row)))


# The spans, with `slots` as offsets in the memfd; 0 for spans without chunks.
def _with_offsets(heap: HeapImage, offsets: dict[int, int]) -> bytes:
    words = array("Q", heap.spans)
    starts = [piece.address for piece in heap.slots]
    ends = [piece.address + len(piece.data) for piece in heap.slots]
    moved = array("Q")
    for kind, address in zip(span_kinds(heap.spans), slot_addresses(heap.spans), strict=True):
        index = bisect_right(starts, address) - 1
        if kind < layout.SpanKind.SMALL:
            moved.append(0)
        elif index < 0 or address >= ends[index]:
            raise RuntimeAbiError(f"the old heap's slots at {address:#x} were not read")
        else:
            moved.append(offsets[starts[index]] + address - starts[index])
    words[layout.Span.slots.offset // WORD :: ctypes.sizeof(layout.Span) // WORD] = moved
    return words.tobytes()
