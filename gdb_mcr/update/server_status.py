"""What one server is and does, and what stands in the way of an update. Nothing is stopped."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterator

from gdb_mcr.debugger.target_process import check_attachable, check_not_stopped
from gdb_mcr.dwarf.identity import ElfIdentity, identify, require_updatable
from gdb_mcr.engine.heap import live_chunks
from gdb_mcr.engine.process_memory import TransferError
from gdb_mcr.engine.tracer import EngineError
from gdb_mcr.errors import AlreadyTraced, McrError
from gdb_mcr.model.inspection import ServerStatus
from gdb_mcr.model.results import Build
from gdb_mcr.proc.descriptors import descriptors
from gdb_mcr.proc.status import executable, status
from gdb_mcr.runtime_abi.control import Control, describe_error
from gdb_mcr.runtime_abi.heap import HeapDamaged, read_heap
from gdb_mcr.runtime_abi.layout import Role, State
from gdb_mcr.update import recorded
from gdb_mcr.update.family import family
from gdb_mcr.update.recorded import RecordedProcess
from gdb_mcr.update.tree import process_rows, read_tree

_STATES = {
    State.STARTING: "starting",
    State.STARTUP: "recording",
    State.SERVING: "recorded",
    State.HELD: "held",
    State.DISABLED: "disabled",
}
_LOOKS = 3  # at tables that the server goes on changing


def server_status(server: RecordedProcess, own_debuggers: Collection[int] = ()) -> ServerStatus:
    """What `status` says of it.

    :param own_debuggers: processes that may trace it without standing in the way of an update: they work for us.
    :raises TargetError: the process has ended, or may not be looked at.
    """
    control, identity, pids = server.control(), identify(server.executable), family(server.pid)
    chunks, size = _heap(server, control)
    return ServerStatus(
        pid=server.pid,
        build=Build(str(executable(server.pid)), identity.build_id),
        state=_state(control),
        generation=control.generation,
        processes=len(pids),
        threads=sum(status(pid).threads for pid in pids),
        descriptors=sum(len(descriptors(pid)) for pid in pids),
        chunks=chunks,
        bytes_heap=size,
        command=shlex.join(map(os.fsdecode, server.facts.argv)),
        problems=tuple(_problems(server, identity, own_debuggers)),
        children=tuple(process_rows(server.pid, read_tree(server))),
    )


def unreadable_status(pid: int, why: McrError) -> ServerStatus:
    """A process under a libmcr that cannot be read: still starting, or of another version."""
    build = Build(str(executable(pid)), "")
    return ServerStatus(
        pid,
        build,
        "unknown",
        0,
        1,
        status(pid).threads,
        0,
        0,
        0,
        problems=(f"{why}; {why.hint}" if why.hint else str(why),),
    )


def _state(control: Control) -> str:
    if control.state is State.DISABLED:
        return f"disabled: {_why_off(control)}"
    return _STATES[control.state]


def _why_off(control: Control) -> str:
    return describe_error(control) or "it was started without settings"


def _problems(server: RecordedProcess, identity: ElfIdentity, own_debuggers: Collection[int]) -> Iterator[str]:
    pid = server.pid
    for check in (
        lambda: recorded.require_updatable(server),
        lambda: require_updatable(identity),
        lambda: check_attachable(pid),
        lambda: check_not_stopped(pid),
    ):
        try:
            check()
        except McrError as error:
            if not (isinstance(error, AlreadyTraced) and status(pid).tracer in (0, *own_debuggers)):
                yield str(error)


# (live chunks, their bytes), (0, 0) if libmcr has no heap. The server runs on: a span may vanish between two reads.
def _heap(server: RecordedProcess, control: Control) -> tuple[int, int]:
    if control.role is Role.OFF or not control.window.size:
        return 0, 0
    for _ in range(_LOOKS):
        try:
            heap = read_heap(server.memory, server.control())
            columns = live_chunks(heap.spans, [(piece.address, piece.data) for piece in heap.slots])
        except (EngineError, HeapDamaged, TransferError):
            continue
        return len(columns.addresses), sum(columns.sizes)
    return 0, 0
