"""The chunks and sites of one side, read from its libmcr."""

from __future__ import annotations

from gdb_mcr.engine.heap import live_chunks
from gdb_mcr.runtime_abi.control import Control, Reader
from gdb_mcr.runtime_abi.heap import HeapImage
from gdb_mcr.runtime_abi.tables import read_sites
from gdb_mcr.tracing.sides import Chunks, Site


def chunks_of(heap: HeapImage) -> Chunks:
    """The live chunks of all banks. :raises EngineError: the tables are damaged."""
    columns = live_chunks(heap.spans, [(piece.address, piece.data) for piece in heap.slots])
    return Chunks(columns.addresses, columns.sizes, columns.capacities, columns.sites, columns.flags)


def sites_of(memory: Reader, control: Control) -> tuple[Site, ...]:
    """The allocation sites by number."""
    return tuple(Site(one.generation, one.returns) for one in read_sites(memory, control))
