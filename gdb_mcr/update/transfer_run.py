"""TRANSFER and AUDIT: O's state is traced, merged and converted here, then written into N, then looked over.

Until `write` N is as its start-up left it, but for chunks that were allocated for objects that grow.
Source: seed, "mutable tracing"; DESIGN sections 8 to 12.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gdb_mcr.debugger.base import Memory, Piece, SharedBuffer
from gdb_mcr.engine.process_memory import TransferError
from gdb_mcr.engine.records import EventKind
from gdb_mcr.engine.tracer import ImageExtent
from gdb_mcr.errors import UpdateFailed
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.placement import AllocationPair
from gdb_mcr.model.process import Descriptor
from gdb_mcr.proc.descriptors import descriptor_numbers
from gdb_mcr.reinit.equivalence import threads_to_wake
from gdb_mcr.reinit.plan import find_lost_places, make_pairs
from gdb_mcr.runtime_abi.adoption import adoption_memfd, read_module_bytes, read_site_bytes
from gdb_mcr.runtime_abi.layout import Module
from gdb_mcr.tracing.explain import Explainer
from gdb_mcr.tracing.findings import FindingWriter, audit_findings
from gdb_mcr.tracing.sides import ChunkPair
from gdb_mcr.tracing.transfer import Growth, StateTransfer, Write
from gdb_mcr.units import Range
from gdb_mcr.update.analysis import Analysis
from gdb_mcr.update.ghosts import CarriedGhost, Ghost, GhostWriter, find_ghosts, function_homes, needed_ghosts
from gdb_mcr.update.head_start import HeadStart, begin_transfer
from gdb_mcr.update.images import Image, base_image, read_image, rest_ranges, state_ranges
from gdb_mcr.update.inheritance import own_numbers
from gdb_mcr.update.kernel_state import close_abandoned, plan_epoll, startup_fds
from gdb_mcr.update.liveness import NewMemory, live_objects, patched, stacks_of
from gdb_mcr.update.merge_conflicts import ComparedStart
from gdb_mcr.update.merge_losses import Started, merge_losses
from gdb_mcr.update.new_process import NewProcess
from gdb_mcr.update.phases import Counts
from gdb_mcr.update.pool_layouts import other_layouts
from gdb_mcr.update.process_ids import translate_process_ids
from gdb_mcr.update.process_state import carry_process_state
from gdb_mcr.update.remote import discard
from gdb_mcr.update.shared_memory import SharedMemory
from gdb_mcr.update.side_view import SideView, heap_ranges, startup_mappings

AUDIT_LIMIT = 200
"""Words that are told one by one."""


class PlanOutdated(UpdateFailed):
    """O has put something else where N was told to put its own: N must be started again with a new plan."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The two processes of a transfer."""

    old: SideView
    old_memory: Memory
    new: SideView
    new_memory: Memory
    process: NewProcess
    descriptors: Mapping[int, Descriptor]
    """Of O."""
    head_start: HeadStart | None
    rehearsed: ComparedStart


class TransferRun:
    """One transfer. A context manager: the images and the engine live in it."""

    def __init__(self, ends: Ends, analysis: Analysis) -> None:
        self._ends = ends
        self._analysis = analysis
        self._stack = ExitStack()
        self._growths: list[int] = []
        self._writes: list[Write] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives images and engine back."""
        self._stack.close()

    # ---- planning

    def plan(self) -> None:
        """Computes what N gets; N is not written.

        :raises PlanOutdated: O has moved on since the placement plan was made.
        """
        ends = self._ends
        pairs = self._pairs = self._pair_chunks()
        self._fds = startup_fds(ends.old.log, ends.new.log)
        self._read_images()
        self._transfer = self._take_transfer()
        self._tracer = self._stack.enter_context(self._transfer.tracer)
        self._transfer.come_to_rest(ends.old.side())
        self._transfer.trace(
            self._theirs.extents(),
            self._base.extents(),
            self._ours.extents(),
            [ChunkPair(*one) for one in pairs],
            self._own_fds(),
        )
        self._place_growths(self._transfer.growths())
        self._give_wanted(self._transfer.wanted())
        self._writes = self._transfer.transfer()
        if self._early is not None:
            self._early.spoil(self._tracer.touched())
        self._epoll = plan_epoll(ends.descriptors, ends.process.pid, self._fds, self._tracer.translate)
        self._explainer = Explainer(self._transfer, self._read_old)
        self._shared = SharedMemory.find(ends.old.control.pid, ends.process.pid, ends.old.log)

    def _read_images(self) -> None:
        ends, start = self._ends, self._ends.head_start
        self._early = start.heap if start is not None else None
        theirs = None
        if self._early is not None:
            theirs = self._early.finish(ends.old_memory, heap_ranges(ends.old.heap), rest_ranges(ends.old))
        if theirs is None:
            self._early = None
            theirs = self._image(read_image(ends.old_memory, state_ranges(ends.old)))
        self._theirs = theirs
        self._ours = start.ours if start else self._image(read_image(ends.new_memory, state_ranges(ends.new)))
        self._base = start.base if start else self._image(base_image(ends.old))

    def _take_transfer(self) -> StateTransfer:
        start = self._ends.head_start
        early = start.take_transfer() if start is not None else None
        return early or begin_transfer(self._ends.old, self._ends.new, self._analysis)

    def findings(self) -> list[Finding]:
        """What speaks against the update."""
        writer = FindingWriter(self._transfer, self._explainer, self._liveness())
        old, new = Started(self._ends.old, self._base), Started(self._ends.new, self._ours)
        losses = merge_losses(self._transfer, self._explainer, old, new, self._ends.rehearsed)
        return [
            *writer.findings(),
            *losses,
            *self._epoll.findings(),
            *self._shared.findings(),
            *self._other_layouts(),
        ]

    # Asked only where a pointer was lost, since the answer takes a walk over the heap.
    def _liveness(self) -> Callable[[int], bool]:
        lost = {event.object for event in self._tracer.events() if event.kind == EventKind.LOST_POINTER}
        if not lost:
            return lambda _: True
        ends, objects = self._ends, self._tracer.objects()
        start = ends.head_start
        stacks = start.stacks if start else self._image(stacks_of(ends.process.pid, ends.new_memory))
        memory = NewMemory(self._theirs, self._ours, stacks)
        with patched(self._ours, self._writes):
            return live_objects(memory, ends.old, ends.new, [objects[index].address for index in lost])

    # Pools that the two start-ups filled in another way.
    def _other_layouts(self) -> list[Finding]:
        old, new = (self._ends.old, self._base), (self._ends.new, self._ours)
        return list(other_layouts(self._transfer, self._explainer, self._pairs, old, new))

    def warnings(self) -> list[str]:
        """What the user should know."""
        return FindingWriter(self._transfer, self._explainer).warnings()

    def counts(self) -> Counts:
        """For the phase's report."""
        statistics = self._tracer.statistics()
        named = ("objects", "pointers", "likely_pointers", "merged_fields", "taken_old", "objects_converted")
        return {
            **{name: statistics[name] for name in named},
            "objects_moved": statistics["objects_moved"],
            "bytes_state": self._theirs.size,
            "objects_immutable": statistics["pinned"],
            "objects_nonupdatable": statistics["nonupdatable"],
            "objects_typed": statistics["objects"] - statistics["opaque"],
            "objects_transferred": statistics["transferred"],
            "bytes_objects": statistics["bytes"],
            "bytes_transferred": statistics["bytes_transferred"],
            **{name: count for name, count in statistics.items() if "_to_" in name},
        }

    def forget(self) -> None:
        """Gives back what was allocated in N for this plan."""
        self._ends.process.channel.forget(self._growths)
        self._growths = []

    def _image(self, image: Image) -> Image:
        self._stack.callback(image.buffer.close)
        return image

    def _pair_chunks(self) -> tuple[AllocationPair, ...]:
        ends = self._ends
        old, new = ends.old.log_side(None), ends.new.log_side(None)
        lost = find_lost_places(old, new, ends.old.live())
        if lost:
            raise PlanOutdated(f"the old server reused {len(lost)} places of its start-up while the new one started")
        return make_pairs(old, new).pairs

    def _own_fds(self) -> list[int]:
        ends = self._ends
        return own_numbers(descriptor_numbers(ends.process.pid), ends.descriptors, ends.new.control.channel_fd)

    def _place_growths(self, growths: Sequence[Growth]) -> None:
        addresses = self._ends.process.channel.allocate([one.new_size for one in growths]) if growths else []
        for growth, address in zip(growths, addresses, strict=True):
            self._transfer.place(growth, address)
        self._growths = addresses

    # What transfer handlers make in N.
    def _give_wanted(self, sizes: Sequence[int]) -> None:
        addresses = self._ends.process.channel.allocate(sizes) if sizes else []
        self._transfer.give(addresses)
        self._growths = [*self._growths, *addresses]

    def _read_old(self, address: int, size: int) -> bytes | None:
        try:
            return self._ends.old.memory.read(address, size)
        except TransferError:
            return None

    # ---- writing

    def write(self) -> Counts:
        """Puts the plan into N."""
        ends, channel = self._ends, self._ends.process.channel
        self._audited = self._stack.enter_context(ThreadPoolExecutor(1)).submit(self._tracer.audit, AUDIT_LIMIT)
        ghost = self._put_ghosts()
        self._adopt(ghost.carried)
        copied = self._copy_whole() + self._shared.copy(ends.old_memory, ends.new_memory)
        patched = self._write_all([*self._own_chunks(), *self._writes])
        channel.forget(self._transfer.dead_originals())
        self._epoll.carry_out(channel)
        close_abandoned(channel, self._fds)
        carry_process_state(ends.old.control.pid, ends.process.pid, channel)
        channel.nudge(threads_to_wake(ends.old.log.threads, ends.new.log.threads))
        return {
            "bytes_copied": copied,
            "bytes_patched": patched,
            "epoll_registrations": len(self._epoll.changes),
            "ghosts_of_earlier_builds": len(ghost.carried),
            "ghost_jumps": ghost.jumps,
        }

    def translate_process_ids(self, ids: Mapping[int, int]) -> int:
        """After `write`: N names its own processes. :param ids: O's process ids to N's. Answers how many there were."""
        return translate_process_ids(self._ends.new_memory, self._ends.new.executable, ids)

    def _put_ghosts(self) -> Ghost:
        ends, start = self._ends, self._ends.head_start
        homes = function_homes(ends.old.executable, ends.new.executable, self._analysis.match)
        if start is not None:
            writer = start.ghosts
        else:
            writer = GhostWriter(ends.old_memory, ends.process.pid, ends.new_memory, ends.process.channel)
            writer.put_image(ends.old.executable, homes)
        carried = find_ghosts(ends.old.control.pid, ends.old.log.modules, ends.old.control.generation)
        needed = self._needed(carried) if carried else []
        for one in carried:
            if one in needed:
                writer.carry(one, homes)
            else:
                writer.drop(one)
        return writer.ghost

    def _needed(self, ghosts: Sequence[CarriedGhost]) -> list[CarriedGhost]:
        old = self._ends.old
        kept = [*heap_ranges(old.heap), *startup_mappings(old.log)]
        state = [one for one in self._theirs.extents() if any(one.range.overlaps(other) for other in kept)]
        patches = [
            ImageExtent(Range(one.address, one.address + len(one.data)), bytearray(one.data), 0) for one in self._writes
        ]
        return needed_ghosts(ghosts, [*state, *patches], old.chunks, old.control.window)

    # Of earlier generations N is told what its memory may refer to: modules that allocated its chunks, and ghosts.
    def _adopt(self, ghosts: Sequence[CarriedGhost]) -> None:
        old = self._ends.old
        sites = [old.sites[number] for number in set(old.chunks.sites) if number < len(old.sites)]
        places = {(site.generation, address) for site in sites for address in site.returns}

        def is_wanted(one: Module) -> bool:
            place = Range(one.start, one.end)
            kept = one.generation == old.control.generation or any(ghost.range == place for ghost in ghosts)
            return kept or any(generation == one.generation and address in place for generation, address in places)

        modules = read_module_bytes(old.memory, old.control, is_wanted)
        table = read_site_bytes(old.memory, old.control)
        memfd = adoption_memfd(old.heap, table, modules, self._transfer.resized())
        try:
            self._ends.process.channel.adopt(memfd)
        finally:
            os.close(memfd)

    # Heap and mappings at O's addresses; the engine has brought them into N's form where they stand.
    def _copy_whole(self) -> int:
        old, early = self._ends.old, self._early
        heap = heap_ranges(old.heap)
        if self._ends.head_start is not None:
            discard(self._ends.process.channel, self._ends.head_start.heap.stale(heap))
        ranges = [*(heap if early is None else early.late), *startup_mappings(old.log)]
        found = [self._theirs.piece(one.start, one.size) for one in ranges]
        pieces = [one for one in found if one is not None]
        assert len(pieces) == len(ranges), "the image was made of these ranges"
        self._ends.new_memory.write_from(pieces, self._theirs.buffer)
        return sum(one.size for one in pieces)

    # What N put where O has nothing any more must survive the copy.
    def _own_chunks(self) -> Iterable[Write]:
        live = self._ends.old.live()
        for one in self._ends.new.log.allocations:
            if one.is_placed and not one.is_freed and not live.capacity(one.address):
                data = self._ours.read(one.address, one.size)
                if data is not None:
                    yield Write(one.address, data)

    def _write_all(self, writes: Iterable[Write]) -> int:
        kept = list(writes)
        size = sum(len(one.data) for one in kept)
        with SharedBuffer(size) as buffer:
            pieces, offset = [], 0
            for one in kept:
                buffer.view[offset : offset + len(one.data)] = one.data
                pieces.append(Piece(one.address, len(one.data), offset))
                offset += len(one.data)
            self._ends.new_memory.write_from(pieces, buffer)
        return size

    # ---- auditing

    def audit(self) -> tuple[list[Finding], Counts]:
        """Words of N that would lead it astray."""
        count, hits = self._audited.result()  # it was begun with the writing, which it does not look at
        return audit_findings(self._transfer, self._explainer, hits), {"stale_pointers": count}
