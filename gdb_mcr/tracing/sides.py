"""What tracing needs to know of the two processes: modules, programs, chunks, and how names of O map to names of N."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from gdb_mcr.model.program import Program
from gdb_mcr.units import Range


@dataclass(frozen=True, slots=True)
class LoadedModule:
    """An ELF file as one generation of the server loaded it."""

    program: Program
    bias: int
    """Address = bias + ELF virtual address."""
    generation: int

    @property
    def name(self) -> str:
        """File name without directories."""
        return PurePath(self.program.path).name

    @property
    def range(self) -> Range:
        """[start, end) of its image in memory."""
        return Range(self.bias + self.program.image.start, self.bias + self.program.image.end)


@dataclass(frozen=True, slots=True)
class Site:
    """An allocation site: return addresses, innermost first, in the modules of `generation`."""

    generation: int
    returns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chunks:
    """Live chunks as columns sorted by address: uint64, but sites uint32 and flags uint8 (enum mcr_slot_flag)."""

    addresses: array[int]
    sizes: array[int]
    capacities: array[int]
    sites: array[int]
    flags: array[int]

    def __len__(self) -> int:
        return len(self.addresses)


@dataclass(frozen=True, slots=True)
class Side:
    """One process at rest."""

    executable: LoadedModule
    libraries: tuple[LoadedModule, ...]
    chunks: Chunks
    sites: Sequence[Site] = ()
    modules: tuple[LoadedModule, ...] = ()
    """All modules of all generations that sites refer to, the process's own included."""
    mappings: tuple[Range, ...] = ()
    """Private writable memory that the program mapped itself."""


@dataclass(frozen=True, slots=True)
class ChunkPair:
    """A start-up allocation of O and the one of N that the placement plan made its counterpart."""

    address: int
    new_address: int
    new_size: int
    base_address: int
    base_size: int
