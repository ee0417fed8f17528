"""What is done before O stands still, so that the pause is short: N's own memory read, O's heap copied.

N is held all the while, so that what was read of it stays true.
"""

from __future__ import annotations

from dataclasses import dataclass

from gdb_mcr.debugger.base import Memory
from gdb_mcr.engine.tracer import Tracer
from gdb_mcr.errors import TargetError
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.proc.write_tracking import AllWritten, PageTracker
from gdb_mcr.runtime_abi.channel import Channel
from gdb_mcr.runtime_abi.heap import read_used
from gdb_mcr.tracing.policy import Policy
from gdb_mcr.tracing.transfer import StateTransfer
from gdb_mcr.units import Range
from gdb_mcr.update.analysis import Analysis
from gdb_mcr.update.ghosts import GhostWriter, function_homes
from gdb_mcr.update.heap_copy import HeapCopy
from gdb_mcr.update.images import Image, base_image, read_image, state_ranges
from gdb_mcr.update.liveness import stacks_of
from gdb_mcr.update.recorded import RecordedProcess
from gdb_mcr.update.remote import PROT_READ, PROT_WRITE, protect
from gdb_mcr.update.side_view import SideView, join_ranges, startup_mappings
from gdb_mcr.update.write_tracking import track_writes

ROUNDS = 4
"""Times that O's heap is gone over while O runs."""

ENOUGH = 8 << 20
"""Bytes: once a round copies no more than this the rest can wait for the pause."""


GROWTH, SPARE = 1.1, 100_000
"""Objects that the engine gets memory for: so many times those that O has now, and some more."""


@dataclass
class HeadStart:
    """For one start of N. Close it when no transfer uses it any more."""

    new: SideView
    ours: Image
    """N as its start-up has left it."""
    stacks: Image
    """The used parts of N's stacks."""
    base: Image
    """O as it was at the end of its start-up."""
    ghosts: GhostWriter
    """Has put O's own image into N."""
    heap: HeapCopy
    _transfer: StateTransfer | None

    @classmethod
    def take(
        cls,
        process: RecordedProcess,
        pidfd: Pidfd,
        old: SideView,
        new: SideView,
        ghosts: GhostWriter,
        new_memory: Memory,
        analysis: Analysis,
    ) -> HeadStart:
        """Reads N, compiles what to do with each type, and asks O for what it takes to copy its heap."""
        transfer = begin_transfer(old, new, analysis)
        transfer.compile()
        transfer.tracer.reserve(int(len(old.chunks.addresses) * GROWTH) + SPARE)
        ours = read_image(new_memory, state_ranges(new))
        ghosts.put_image(old.executable, function_homes(old.executable, new.executable, analysis.match))
        heap = _begin_copy(track_writes(process, pidfd), old)
        return cls(new, ours, stacks_of(new.control.pid, new_memory), base_image(old), ghosts, heap, transfer)

    def take_transfer(self) -> StateTransfer | None:
        """The compiled transfer, whose tracer is the caller's from now on; None if it has been taken."""
        transfer, self._transfer = self._transfer, None
        return transfer

    def close(self) -> None:
        """Gives everything back."""
        if (transfer := self.take_transfer()) is not None:
            transfer.tracer.close()
        for image in (self.ours, self.stacks, self.base):
            image.buffer.close()
        self.heap.close()

    def advance(self, process: RecordedProcess, old_memory: Memory, new_memory: Memory, channel: Channel) -> int:
        """Copies O's heap into the image and into N until little is left to copy. Answers the bytes."""
        copied = 0
        for _ in range(ROUNDS):
            heap = self.heap.within(join_ranges(read_used(process.memory, process.control())))
            protect(channel, heap, PROT_READ | PROT_WRITE)
            size = self.heap.advance(heap, old_memory, new_memory)
            copied += size
            if size <= ENOUGH or not self.heap.tracker.tells:
                break
        return copied


def begin_transfer(old: SideView, new: SideView, analysis: Analysis) -> StateTransfer:
    """A transfer that has not been compiled yet. Its tracer is the caller's to close."""
    return StateTransfer(old.side(), new.side(), analysis.match, Policy.of(analysis.annotations), Tracer())


# What is not tracked is copied once more in the pause, but into memory that is there already.
def _begin_copy(tracker: PageTracker, old: SideView) -> HeapCopy:
    try:
        return HeapCopy.begin(tracker, old.control, _addresses(old))
    except TargetError:
        tracker.close()
        return HeapCopy.begin(AllWritten(), old.control, _addresses(old))


# Everything that a word of O can point to.
def _addresses(old: SideView) -> Range:
    places = [old.control.window, *(module.range for module in old.modules), *startup_mappings(old.log)]
    return Range(min(one.start for one in places), max(one.end for one in places) + 1)
