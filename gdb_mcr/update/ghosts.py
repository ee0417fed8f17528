"""O's executable image as N sees it, put into N: DESIGN section 7. What stands in it is `tracing.ghost`'s business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gdb_mcr.debugger.base import Memory
from gdb_mcr.errors import UpdateFailed
from gdb_mcr.model.match import Match
from gdb_mcr.model.program import Program
from gdb_mcr.proc.mappings import mappings
from gdb_mcr.runtime_abi.channel import Channel
from gdb_mcr.tracing.ghost import GhostText, ghost_text, island_places, islands_size, read_only_ranges
from gdb_mcr.tracing.sides import LoadedModule
from gdb_mcr.units import Range
from gdb_mcr.update.remote import PROT_EXEC, PROT_READ, map_free, map_over, protect


@dataclass(frozen=True, slots=True)
class Ghost:
    """What was put into N."""

    constants: int
    """Bytes of O's constants that stay readable."""
    jumps: int
    """Function entries that lead to the new function."""
    traps: int
    """Function entries that N has no function for."""


def put_ghost(
    old: LoadedModule,
    new: LoadedModule,
    match: Match,
    old_memory: Memory,
    new_pid: int,
    new_memory: Memory,
    channel: Channel,
) -> Ghost:
    """Maps O's constants and the jumps at O's function entries into N; O's data stays out of reach.

    :raises UpdateFailed: N has no room for it.
    """
    program = old.program
    constants = read_only_ranges(program, old.bias)
    text = _text(program)
    islands = _map_islands(old.range, islands_size(program.functions), new_pid, channel)
    ghost = ghost_text(program.functions, text, old.bias, islands.start, _homes(old, new, match))
    map_over(channel, [*constants, ghost.pages])
    for one in constants:
        new_memory.write(one.start, old_memory.read(one.start, one.size))
    _write_code(ghost, islands, new_memory)
    protect(channel, constants, PROT_READ)
    protect(channel, [ghost.pages, islands], PROT_READ | PROT_EXEC)
    return Ghost(sum(one.size for one in constants), ghost.jumps, ghost.traps)


def _write_code(ghost: GhostText, islands: Range, memory: Memory) -> None:
    memory.write(ghost.pages.start, ghost.contents)
    memory.write(islands.start, ghost.islands)


def _text(program: Program) -> Range:
    code = [section.range for section in program.sections if section.executable]
    return Range(min(one.start for one in code), max(one.end for one in code))


def _homes(old: LoadedModule, new: LoadedModule, match: Match) -> Mapping[int, int]:
    theirs, ours = old.program.functions, new.program.functions
    return {theirs[index].start: new.bias + ours[target].start for index, target in match.functions.items()}


def _map_islands(image: Range, size: int, new_pid: int, channel: Channel) -> Range:
    taken = [one.range for one in mappings(new_pid)]
    for tries, start in enumerate(island_places(image, size, taken)):
        place = Range(start, start + size)
        if map_free(channel, place):
            return place
        if tries == 8:
            break
    raise UpdateFailed("the new process has no room for jumps near the old server's code", hint="try again")
