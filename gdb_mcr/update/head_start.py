"""What is done before O stands still, so that the pause is short: N's own memory read, O's heap copied.

N is held all the while, so that what was read of it stays true.
"""

from __future__ import annotations

from dataclasses import dataclass

from gdb_mcr.debugger.base import Memory
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.runtime_abi.channel import Channel
from gdb_mcr.runtime_abi.heap import read_used
from gdb_mcr.units import Range
from gdb_mcr.update.heap_copy import HeapCopy
from gdb_mcr.update.images import Image, read_image, state_ranges
from gdb_mcr.update.recorded import RecordedProcess
from gdb_mcr.update.remote import PROT_READ, PROT_WRITE, protect
from gdb_mcr.update.side_view import SideView, join_ranges, startup_mappings
from gdb_mcr.update.write_tracking import track_writes

ROUNDS = 4
"""Times that O's heap is gone over while O runs."""

ENOUGH = 8 << 20
"""Bytes: once a round copies no more than this the rest can wait for the pause."""


@dataclass
class HeadStart:
    """For one start of N. Close it when no transfer uses it any more."""

    new: SideView
    ours: Image
    """N as its start-up has left it."""
    heap: HeapCopy | None
    """None: O's writes cannot be tracked, so that all of its heap is copied in the pause."""

    @classmethod
    def take(
        cls, process: RecordedProcess, pidfd: Pidfd, old: SideView, new: SideView, new_memory: Memory
    ) -> HeadStart:
        """Reads N, and asks O for what it takes to copy its heap."""
        ours = read_image(new_memory, state_ranges(new))
        tracker = track_writes(process, pidfd)
        heap = HeapCopy.begin(tracker, old.control, _addresses(old)) if tracker else None
        return cls(new, ours, heap)

    def close(self) -> None:
        """Gives everything back."""
        self.ours.buffer.close()
        if self.heap is not None:
            self.heap.close()

    def advance(self, process: RecordedProcess, old_memory: Memory, new_memory: Memory, channel: Channel) -> int:
        """Copies O's heap into the image and into N until little is left to copy. Answers the bytes."""
        if self.heap is None:
            return 0
        copied = 0
        for _ in range(ROUNDS):
            heap = self.heap.within(join_ranges(read_used(process.memory, process.control())))
            protect(channel, heap, PROT_READ | PROT_WRITE)
            size = self.heap.advance(heap, old_memory, new_memory)
            copied += size
            if size <= ENOUGH:
                break
        return copied


# Everything that a word of O can point to.
def _addresses(old: SideView) -> Range:
    places = [old.control.window, *(module.range for module in old.modules), *startup_mappings(old.log)]
    return Range(min(one.start for one in places), max(one.end for one in places) + 1)
