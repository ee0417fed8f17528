"""Memory that O's processes share among themselves: N's own stands at the same place and gets its contents, once.

N's start-up must not write into O's, which serves on; so it has its own, and what O has in it moves at the transfer.
Source: DESIGN section 6, "Global inheritance"; mmap(2), "MAP_SHARED".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from gdb_mcr.debugger.base import Memory
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.startup_log import StartupLog
from gdb_mcr.proc.mappings import mappings
from gdb_mcr.units import Range
from gdb_mcr.update.images import read_image
from gdb_mcr.update.side_view import shared_mappings


@dataclass(frozen=True, slots=True)
class SharedMemory:
    """Of one process of O and its counterpart."""

    common: tuple[Range, ...]
    """Mapped in both."""
    lost: tuple[Range, ...]
    """Mapped in O only."""

    @classmethod
    def find(cls, old_pid: int, new_pid: int, log: StartupLog) -> Self:
        """:param log: O's."""
        old, new = (list(_shared(pid)) for pid in (old_pid, new_pid))
        wanted = [one for one in shared_mappings(log) if _is_within(one, old)]
        common = tuple(one for one in wanted if _is_within(one, new))
        return cls(common, tuple(one for one in wanted if one not in common))

    def findings(self) -> Iterator[Finding]:
        """R9: contents for which N has no place."""
        for one in self.lost:
            text = f"{one.size} bytes of shared memory at {one.start:#x} have no counterpart in the new build"
            yield Finding(f"R9:shared {one.size}", "R9", True, text, "", "give the new build the same configuration")

    def copy(self, old: Memory, new: Memory) -> int:
        """Puts O's contents into N's. Answers the bytes."""
        if not self.common:
            return 0
        image = read_image(old, self.common)
        try:
            new.write_from(image.pieces, image.buffer)
        finally:
            image.buffer.close()
        return image.size


def _shared(pid: int) -> Iterable[Range]:
    return (one.range for one in mappings(pid) if not one.private and one.writable)


def _is_within(one: Range, ranges: Iterable[Range]) -> bool:
    return any(other.start <= one.start and one.end <= other.end for other in ranges)
