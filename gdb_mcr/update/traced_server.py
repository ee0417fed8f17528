"""The objects of a server that runs on: copied, traced as for an update, with N only as far as its file tells.

It is not stopped, so what it was doing meanwhile may be half seen; what does not fit together is read again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from gdb_mcr.debugger.base import Piece, SharedBuffer
from gdb_mcr.engine import process_memory
from gdb_mcr.engine.tracer import EngineError, Tracer
from gdb_mcr.errors import TargetError
from gdb_mcr.model.datatype import TypeTable
from gdb_mcr.model.placement import AllocationPair
from gdb_mcr.model.program import Program
from gdb_mcr.runtime_abi.heap import HeapDamaged
from gdb_mcr.tracing.explain import Explainer
from gdb_mcr.tracing.policy import Policy
from gdb_mcr.tracing.sides import ChunkPair, Chunks, LoadedModule, Side
from gdb_mcr.tracing.transfer import StateTransfer
from gdb_mcr.update.analysis import Analysis
from gdb_mcr.update.images import Image, base_image, read_image, state_ranges
from gdb_mcr.update.recorded import RecordedProcess
from gdb_mcr.update.side_view import ModuleLoader, SideView, view_side

ATTEMPTS = 4
"""Times that a server that changes under our hands is read."""


@dataclass(frozen=True, slots=True)
class TracedServer:
    """One moment of a server."""

    view: SideView
    theirs: Image
    base: Image
    startup: dict[int, AllocationPair]
    """Its start-up allocations that are still there, by address."""
    transfer: StateTransfer
    explainer: Explainer

    def read(self, address: int, size: int) -> bytes | None:
        """Its memory: what was copied or, if it is no state, what stands there now."""
        data = self.theirs.read(address, size)
        if data is not None:
            return data
        try:
            return self.view.memory.read(address, size)
        except process_memory.TransferError:
            return None

    @property
    def types(self) -> TypeTable:
        """Of its executable."""
        return self.view.executable.program.types

    def type_at(self, address: int) -> int:
        """The type of the object, or of the element of it, that begins at an address; -1 if none does."""
        index = self.transfer.tracer.find(address)
        if index is None:
            return -1
        one = self.transfer.tracer.objects()[index]
        kind = self.explainer.type_index(one)
        stripped = self.types.strip(kind)
        size = stripped.size if stripped is not None else 0
        return kind if size and (address - one.address) % size == 0 else -1


@contextmanager
def traced(server: RecordedProcess, analysis: Analysis) -> Iterator[TracedServer]:
    """Copies and traces the server.

    :raises TargetError: it changes too fast to be read while it runs.
    """
    loader = ModuleLoader()
    with ExitStack() as stack:
        for _ in range(ATTEMPTS):
            try:
                found = stack.enter_context(_traced_once(server, analysis, loader))
                break
            except (process_memory.TransferError, EngineError, HeapDamaged):
                continue
        else:
            hint = "try again when it has less to do, or hold it with `quiesce` first"
            raise TargetError(f"process {server.pid} changes too fast to be read while it runs", hint=hint)
        yield found


@contextmanager
def _traced_once(server: RecordedProcess, analysis: Analysis, loader: ModuleLoader) -> Iterator[TracedServer]:
    view = view_side(server.memory, server.control_address, analysis.old, loader)
    startup = {one.address: one for one in _startup_chunks(view)}
    with ExitStack() as stack:
        theirs = read_image(_RunningMemory(server.pid), state_ranges(view))
        stack.callback(theirs.buffer.close)
        base = base_image(view)
        stack.callback(base.buffer.close)
        tracer = stack.enter_context(Tracer())
        old = view.side()
        policy = Policy.of(analysis.annotations)
        transfer = StateTransfer(old, _imagined(old, analysis.new), analysis.match, policy, tracer)
        transfer.trace(theirs.extents(), base.extents(), [], [ChunkPair(*one) for one in startup.values()])
        yield TracedServer(view, theirs, base, startup, transfer, Explainer(transfer, theirs.read))


# As if N's start-up had made the same allocations; whether it does is known once it has run.
def _startup_chunks(view: SideView) -> Iterator[AllocationPair]:
    live = view.live()
    for one in view.log.allocations:
        if not one.is_freed and live.capacity(one.address):
            yield AllocationPair(one.address, one.address, one.size, one.base_address, one.base_size)


# Where N will be loaded does not matter to what is asked here.
def _imagined(old: Side, new: Program) -> Side:
    module = LoadedModule(new, old.executable.bias, old.executable.generation + 1)
    nothing = Chunks(array("Q"), array("Q"), array("Q"), array("I"), array("B"))
    return Side(module, old.libraries, nothing)


class _RunningMemory:
    """Bulk reads without a debugger."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def read_into(self, pieces: Sequence[Piece], buffer: SharedBuffer) -> None:
        rows = array("Q", [word for one in pieces for word in (one.address, one.size, one.offset)]).tobytes()
        if rows:
            process_memory.read(self._pid, bytearray(rows), len(pieces), buffer.view)
