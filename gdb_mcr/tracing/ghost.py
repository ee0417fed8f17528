"""O's executable image as N sees it: constants readable, every function entry a jump to the new function of its name.

A pointer that tracing did not recognise still works if it points to a function or a constant; anything else faults at
once instead of reading stale data. What O itself carries of earlier images is handed on in the same form, its jumps
turned to N's functions. Source: DESIGN sections 7 and 14.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gdb_mcr.model.program import Program
from gdb_mcr.units import PAGE, Range, align_down, align_up

JUMP_BYTES = 5
"""jmp rel32."""
ISLAND_BYTES = 16
"""jmp *[rip+0]; the 8-byte address; 2 bytes of padding."""
REACH = 1 << 31
"""How far jmp rel32 reaches, in bytes."""

_TRAP = b"\xcc"
_UNDEFINED = b"\x0f\x0b"
_STUB = re.compile(rb"\xe9(?P<distance>.{4})|" + re.escape(_UNDEFINED), re.DOTALL)
_TARGET_AT = 6  # where an island holds the address


@dataclass(frozen=True, slots=True)
class Entry:
    """A function of an earlier image."""

    address: int
    size: int
    """Bytes that it took there."""
    home: int | None
    """Where it is in N; None = N has no such function."""


@dataclass(frozen=True, slots=True)
class GhostText:
    """Contents of the ghost's executable pages and of its islands."""

    pages: Range
    """Addresses in N, the same as O's."""
    contents: bytes
    islands: bytes
    jumps: int
    traps: int


def islands_size(entries: Sequence[Entry]) -> int:
    """Bytes to map for the islands of these functions, page-aligned."""
    return align_up(max(1, len(entries)) * ISLAND_BYTES, PAGE)


def text_pages(program: Program, bias: int) -> Range:
    """The pages of a program's code."""
    code = [section.range for section in program.sections if section.executable]
    start, end = min(one.start for one in code), max(one.end for one in code)
    return Range(align_down(bias + start, PAGE), align_up(bias + end, PAGE))


def program_entries(program: Program, bias: int, homes: Mapping[int, int]) -> list[Entry]:
    """The functions of O's own image.

    :param homes: absolute address of each function of O to that of its new one.
    """
    return [Entry(bias + one.start, one.end - one.start, homes.get(bias + one.start)) for one in program.functions]


def ghost_text(entries: Iterable[Entry], pages: Range, islands: int) -> GhostText:
    """Builds the ghost of an image's code.

    :param pages: of the code, in N as in O.
    :param islands: address in N of the islands, within 2 GiB of the code.
    """
    contents = bytearray(_TRAP * pages.size)
    table = bytearray()
    jumps = traps = 0
    free = pages.start
    for one in sorted(entries, key=lambda one: (one.address, one.home is None)):
        if not free <= one.address < pages.end:
            continue  # an alias, or a second entry inside the first one's jump
        if one.home is None or one.size < JUMP_BYTES:
            stub = _UNDEFINED if one.size >= len(_UNDEFINED) else _TRAP
            traps += 1
        else:
            stub = _jump(one.address, islands + len(table))
            table += _island(one.home)
            jumps += 1
        at = one.address - pages.start
        contents[at : at + len(stub)] = stub
        free = one.address + len(stub)
    return GhostText(pages, bytes(contents), bytes(table), jumps, traps)


@dataclass(frozen=True, slots=True)
class Stub:
    """What stands at a function's entry in a ghost."""

    address: int
    island: int | None
    """Where its jump leads; None = it traps."""


def iter_stubs(pages: Range, contents: bytes) -> Iterator[Stub]:
    """The stubs of a ghost's code; all that is between them is filled with one-byte traps."""
    for found in _STUB.finditer(contents):
        address = pages.start + found.start()
        distance = found.group("distance")
        island = None if distance is None else address + JUMP_BYTES + int.from_bytes(distance, "little", signed=True)
        yield Stub(address, island)


def islands_range(stubs: Iterable[Stub]) -> Range:
    """[first, last) byte of the islands that the stubs lead to; empty without any."""
    found = [one.island for one in stubs if one.island is not None]
    return Range(min(found), max(found) + ISLAND_BYTES) if found else Range(0, 0)


def carried_entries(
    stubs: Iterable[Stub], islands: Range, contents: bytes, homes: Mapping[int, int]
) -> Iterator[Entry]:
    """The functions of a ghost that O carries.

    :param islands: as `islands_range`, with their `contents`.
    :param homes: absolute address of a function of O to that of its new one.
    """
    for one in stubs:
        if one.island is None:
            yield Entry(one.address, len(_UNDEFINED), None)
        else:
            (target,) = struct.unpack_from("<Q", contents, one.island - islands.start + _TARGET_AT)
            yield Entry(one.address, JUMP_BYTES, homes.get(target))


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
    """Pages of O's image that hold constants and no writable data: what the ghost shows as it was.

    Constants with addresses in them stand in .data.rel.ro, read-only once the dynamic linker is done (PT_GNU_RELRO).
    """
    constant = [
        section.range
        for section in program.sections
        if not section.executable and (not section.writable or section.name.startswith(".data.rel.ro"))
    ]
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
