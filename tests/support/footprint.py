"""What a recorded server occupies, so that updates in a row can be compared: nothing may grow with each of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from gdb_mcr.proc.mappings import mappings
from gdb_mcr.runtime_abi.heap import read_heap
from gdb_mcr.tracing.heap import chunks_of
from gdb_mcr.update.recorded import find_recorded


@dataclass(frozen=True, slots=True)
class Footprint:
    """Counts of one process at one moment."""

    fds: int
    threads: int
    children: int
    mappings: int
    accessible_mb: int
    """Mappings that can be read, written or executed, without libmcr's own tables; reserved addresses cost nothing."""
    resident_kb: int
    chunks: int
    sites: int
    modules: int
    private_ranges: int
    operations: int
    allocations: int
    blobs: int

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items())


def footprint(pid: int) -> Footprint:
    """Of a recorded process that does not change just now."""
    process, directory = find_recorded(pid), Path(f"/proc/{pid}")
    control, maps = process.control(), mappings(pid)
    own = control.private_ranges
    open_maps = [one for one in maps if not one.is_reserved and not any(one.range.start in place for place in own)]
    rollup = dict(line.split(":", 1) for line in (directory / "smaps_rollup").read_text().splitlines()[1:])
    tasks = list((directory / "task").iterdir())
    return Footprint(
        fds=len(list((directory / "fd").iterdir())),
        threads=len(tasks),
        children=sum(len((task / "children").read_text().split()) for task in tasks),
        mappings=len(maps),
        accessible_mb=sum(one.range.size for one in open_maps) >> 20,
        resident_kb=int(rollup["Rss"].split()[0]),
        chunks=len(chunks_of(read_heap(process.memory, control))),
        sites=control.sites.count,
        modules=control.modules.count,
        private_ranges=len(own),
        operations=control.operations.count,
        allocations=control.allocations.count,
        blobs=control.blobs.count,
    )


def growth(before: Footprint, after: Footprint) -> dict[str, int]:
    """What became more, by name."""
    old, new = asdict(before), asdict(after)
    return {name: new[name] - old[name] for name in old if new[name] > old[name]}
