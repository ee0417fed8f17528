"""What N is started from: program, arguments, environment, O's launch facts, and what must stand at which address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gdb_mcr.model.startup_log import LaunchFacts
from gdb_mcr.units import Range


@dataclass(frozen=True, slots=True)
class PlacedLibrary:
    """A library file that N's ld.so is to map where O has it. It must be the same build."""

    path: str
    base: int
    """Address of the first byte of its image, a multiple of the page size."""


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """One start of N."""

    executable: Path
    argv: tuple[bytes, ...]
    environ: tuple[bytes, ...]
    """NAME=VALUE entries as the server is to see them."""
    preload: Path | None = None
    """libmcr.so. N is then also bound at once (LD_BIND_NOW); libmcr takes the traces of both out of `environ`."""
    facts: LaunchFacts | None = None
    """O's, of which argv, environ and exe are not used; None = N inherits all from the launcher."""
    libraries: tuple[PlacedLibrary, ...] = ()
    reserved: tuple[Range, ...] = ()
    """Kept free (PROT_NONE) in N until somebody maps over them. Not the heap window: libmcr takes that itself."""


@dataclass(frozen=True, slots=True)
class Launched:
    """N runs and has passed ld.so; `tries` is how often it was started until nothing stood in the way."""

    pid: int
    tries: int
