"""What a merge would lose unnoticed, as findings: the looks at pointers, arrays and single elements, for one update."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gdb_mcr.engine.process_memory import TransferError
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.startup_log import Allocation
from gdb_mcr.tracing.explain import Explainer
from gdb_mcr.tracing.transfer import StateTransfer
from gdb_mcr.update.images import Image
from gdb_mcr.update.left_behind import elements_alone, left_behind
from gdb_mcr.update.merge_conflicts import ComparedStart, Counterparts, linked_twice
from gdb_mcr.update.moved_elements import StartedMemory, moved_elements
from gdb_mcr.update.rehearsal import Rehearsal
from gdb_mcr.update.side_view import SideView


@dataclass(frozen=True, slots=True)
class Started:
    """One side: its tables, and an image of its state at the end of its start-up."""

    view: SideView
    image: Image

    def read(self, address: int, size: int) -> bytes | memoryview | None:
        """Bytes at the end of start-up; constants are read from the process. None if they are not there."""
        data = self.image.read(address, size)
        return data if data is not None else self.read_now(address, size)

    def read_now(self, address: int, size: int) -> bytes | None:
        """Bytes of the process; None if they are not there."""
        try:
            return self.view.memory.read(address, size)
        except TransferError:
            return None


def compare_start(old: Sequence[Allocation], rehearsal: Rehearsal) -> ComparedStart:
    """What a rehearsal told, as the looks want it. :param old: O's allocation log."""
    new, alignment = rehearsal.new, rehearsal.alignment
    return ComparedStart(new.allocations, new.threads, alignment, elements_alone(old, alignment))


def merge_losses(
    transfer: StateTransfer, explainer: Explainer, old: Started, new: Started, rehearsed: ComparedStart
) -> Iterator[Finding]:
    """R13. To be asked between the transfer's planning and its writing."""
    yield from linked_twice(
        transfer, explainer, lambda: Counterparts(old.view.log, new.view.log, rehearsed), old.image.read
    )
    yield from moved_elements(transfer, explainer, StartedMemory(old.read, new.read))
    alone = [old.view.log.allocations[seq] for seq in rehearsed.alone]
    yield from left_behind(transfer, explainer, alone, old.image.read, old.read_now)
