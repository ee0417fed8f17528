"""O's executable image as N sees it: constants readable, every function entry a jump to the new function of its name.

A pointer that tracing did not recognise still works if it points to a function or a constant; anything else faults at
once instead of reading stale data. Source: DESIGN section 7.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gdb_mcr.model.program import Function, Program
from gdb_mcr.units import PAGE, Range, align_down, align_up

JUMP_BYTES = 5
"""jmp rel32."""
ISLAND_BYTES = 16
"""jmp *[rip+0]; the 8-byte address; 2 bytes of padding."""
REACH = 1 << 31
"""How far jmp rel32 reaches, in bytes."""

_TRAP = b"\xcc"
_UNDEFINED = b"\x0f\x0b"


@dataclass(frozen=True, slots=True)
class GhostText:
    """Contents of the ghost's executable pages and of its islands."""

    pages: Range
    """Addresses in N, the same as O's."""
    contents: bytes
    islands: bytes
    jumps: int
    traps: int


def islands_size(functions: Sequence[Function]) -> int:
    """Bytes to map for the islands of these functions, page-aligned."""
    return align_up(max(1, len(functions)) * ISLAND_BYTES, PAGE)


def ghost_text(
    functions: Sequence[Function], text: Range, bias: int, islands: int, homes: Mapping[int, int]
) -> GhostText:
    """Builds the ghost of O's code.

    :param functions: O's functions, ELF addresses.
    :param text: O's executable section, ELF addresses, half-open.
    :param bias: O's load bias.
    :param islands: address in N of the islands, within 2 GiB of the text.
    :param homes: ELF address of an old function to the absolute address of its new one.
    """
    pages = Range(align_down(bias + text.start, PAGE), align_up(bias + text.end, PAGE))
    contents = bytearray(_TRAP * pages.size)
    table = bytearray()
    jumps = traps = 0
    for function in functions:
        if not text.start <= function.start < text.end:
            continue
        at = bias + function.start - pages.start
        home = homes.get(function.start)
        size = function.end - function.start
        if home is None or size < JUMP_BYTES:
            stub = _UNDEFINED if size >= len(_UNDEFINED) else _TRAP
            traps += 1
        else:
            stub = _jump(bias + function.start, islands + len(table))
            table += _island(home)
            jumps += 1
        contents[at : at + len(stub)] = stub
    return GhostText(pages, bytes(contents), bytes(table), jumps, traps)


def _jump(source: int, target: int) -> bytes:
    return b"\xe9" + struct.pack("<i", target - (source + JUMP_BYTES))


def _island(target: int) -> bytes:
    return b"\xff\x25\x00\x00\x00\x00" + struct.pack("<Q", target) + b"\x90\x90"


def island_places(image: Range, size: int, taken: Iterable[Range]) -> Iterable[int]:
    """Addresses to try for the islands, nearest to O's image first: behind it, then in front of it."""
    blocked = [*taken, image]
    for step in range(0, REACH // 2, 1 << 20):
        for start in (align_up(image.end, PAGE) + step, align_down(image.start, PAGE) - size - step):
            place = Range(start, start + size)
            if start > PAGE and not any(place.overlaps(one) for one in blocked):
                yield start


def read_only_ranges(program: Program, bias: int) -> list[Range]:
    """Pages of O's image that hold constants and no writable data: what the ghost shows as it was."""
    constant = [section.range for section in program.sections if not section.writable and not section.executable]
    pages = [Range(align_down(bias + one.start, PAGE), align_up(bias + one.end, PAGE)) for one in constant]
    return merge_ranges(pages)


def merge_ranges(ranges: Iterable[Range]) -> list[Range]:
    """Sorted, disjoint ranges that cover the same bytes; ranges that touch are joined."""
    merged: list[Range] = []
    for one in sorted(ranges):
        if merged and one.start <= merged[-1].end:
            merged[-1] = Range(merged[-1].start, max(merged[-1].end, one.end))
        else:
            merged.append(one)
    return merged
