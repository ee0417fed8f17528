"""O's executable image as N sees it, and what O carries of earlier ones, put into N: DESIGN sections 7 and 14.

What stands in a ghost is `tracing.ghost`'s business. Which ghosts O carries is written nowhere but in its memory map:
the range of an earlier generation's module in which nothing is writable and nothing comes from a file.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gdb_mcr.debugger.base import Memory
from gdb_mcr.engine.scan import words_into
from gdb_mcr.engine.tracer import ImageExtent
from gdb_mcr.errors import UpdateFailed
from gdb_mcr.model.match import Match
from gdb_mcr.model.process import Mapping as MemoryMapping
from gdb_mcr.model.startup_log import ModuleEntry
from gdb_mcr.proc.mappings import mappings
from gdb_mcr.runtime_abi.channel import Channel
from gdb_mcr.tracing.ghost import (
    Entry,
    GhostText,
    carried_entries,
    ghost_text,
    island_places,
    islands_range,
    islands_size,
    iter_stubs,
    program_entries,
    read_only_ranges,
    text_pages,
)
from gdb_mcr.tracing.sides import Chunks, LoadedModule
from gdb_mcr.units import Range
from gdb_mcr.update.remote import PROT_EXEC, PROT_READ, map_free, map_over, protect, unmap

HITS = 4096
"""Words into ghosts that are looked at; more of them count as live."""


@dataclass(frozen=True, slots=True)
class CarriedGhost:
    """What O carries of an earlier generation's executable."""

    generation: int
    range: Range
    constants: tuple[Range, ...]
    text: Range


@dataclass(slots=True)
class Ghost:
    """What was put into N."""

    jumps: int = 0
    """Function entries that lead to the new function."""
    traps: int = 0
    """Function entries that N has no function for."""
    carried: list[CarriedGhost] = field(default_factory=list)
    """Earlier images that N carries on."""


def find_ghosts(pid: int, modules: Iterable[ModuleEntry], generation: int) -> list[CarriedGhost]:
    """The ghosts in process `pid`, which is of that generation."""
    maps = mappings(pid)
    found = [_ghost(one, maps) for one in modules if one.generation < generation]
    return [one for one in found if one is not None]


def _ghost(module: ModuleEntry, maps: Sequence[MemoryMapping]) -> CarriedGhost | None:
    place = Range(module.start, module.end)
    parts = [one for one in maps if one.range.overlaps(place)]
    if sum(_clip(one.range, place).size for one in parts) != place.size:
        return None
    if any(one.writable or one.is_file or one.path for one in parts):
        return None
    code = [_clip(one.range, place) for one in parts if one.executable]
    constants = tuple(_clip(one.range, place) for one in parts if one.readable and not one.executable)
    return CarriedGhost(module.generation, place, constants, code[0]) if len(code) == 1 else None


def _clip(one: Range, place: Range) -> Range:
    return Range(max(one.start, place.start), min(one.end, place.end))


def needed_ghosts(
    ghosts: Sequence[CarriedGhost], memory: Sequence[ImageExtent], chunks: Chunks, heap: Range
) -> list[CarriedGhost]:
    """Those that words of N's state lead into.

    :param memory: the state as N gets it.
    :param chunks: of O. What stands in the heap but in no chunk is nobody's.
    """
    ranges = [one.range for one in ghosts]
    count, hits = words_into(memory, ranges, HITS)
    if count > len(hits):
        return list(ghosts)
    live = [value for address, value in hits if address not in heap or _in_chunk(chunks, address)]
    return [one for one in ghosts if any(value in one.range for value in live)]


def _in_chunk(chunks: Chunks, address: int) -> bool:
    index = bisect_right(chunks.addresses, address) - 1
    return index >= 0 and address < chunks.addresses[index] + chunks.sizes[index]


class GhostWriter:
    """Puts ghosts into N, whose memory it reserves already at their addresses."""

    def __init__(self, old_memory: Memory, new_pid: int, new_memory: Memory, channel: Channel) -> None:
        self._old = old_memory
        self._new = new_memory
        self._pid = new_pid
        self._channel = channel
        self.ghost = Ghost()

    def put_image(self, old: LoadedModule, homes: Mapping[int, int]) -> None:
        """O's own image: its constants and the jumps at its function entries; its data stays out of reach.

        :param homes: absolute address of each function of O to that of its new one.
        :raises UpdateFailed: N has no room for it.
        """
        entries = program_entries(old.program, old.bias, homes)
        self._put(old.range, read_only_ranges(old.program, old.bias), text_pages(old.program, old.bias), entries)

    def carry(self, one: CarriedGhost, homes: Mapping[int, int]) -> None:
        """An earlier image, as O carries it, with jumps that led to O's functions leading to N's."""
        stubs = list(iter_stubs(one.text, self._old.read(one.text.start, one.text.size)))
        islands = islands_range(stubs)
        entries = carried_entries(stubs, islands, self._old.read(islands.start, islands.size), homes)
        self._put(one.range, one.constants, one.text, list(entries))
        self.ghost.carried.append(one)

    def drop(self, one: CarriedGhost) -> None:
        """Gives up the addresses of a ghost that nothing leads into."""
        unmap(self._channel, [one.range])

    def _put(self, image: Range, constants: Sequence[Range], pages: Range, entries: Sequence[Entry]) -> None:
        islands = _map_islands(image, islands_size(entries), self._pid, self._channel)
        text = ghost_text(entries, pages, islands.start)
        map_over(self._channel, [*constants, text.pages])
        for one in constants:
            self._new.write(one.start, self._old.read(one.start, one.size))
        self._write_code(text, islands)
        protect(self._channel, constants, PROT_READ)
        protect(self._channel, [text.pages, islands], PROT_READ | PROT_EXEC)
        self.ghost.jumps += text.jumps
        self.ghost.traps += text.traps

    def _write_code(self, text: GhostText, islands: Range) -> None:
        self._new.write(text.pages.start, text.contents)
        self._new.write(islands.start, text.islands)


def function_homes(old: LoadedModule, new: LoadedModule, match: Match) -> Mapping[int, int]:
    """The absolute address of each function of O that N has, too, to that of N's."""
    theirs, ours = old.program.functions, new.program.functions
    return {old.bias + theirs[index].start: new.bias + ours[target].start for index, target in match.functions.items()}


def _map_islands(image: Range, size: int, new_pid: int, channel: Channel) -> Range:
    taken = [one.range for one in mappings(new_pid)]
    for tries, start in enumerate(island_places(image, size, taken)):
        place = Range(start, start + size)
        if map_free(channel, place):
            return place
        if tries == 8:
            break
    raise UpdateFailed("the new process has no room for jumps near the old server's code", hint="try again")
