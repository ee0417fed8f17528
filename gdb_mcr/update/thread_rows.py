"""A server's threads as rows: where each waits, and whether an update may stop it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from gdb_mcr.debugger.base import Debugger, FrameRow, StoppedThread
from gdb_mcr.model.inspection import ThreadRow
from gdb_mcr.model.startup_log import LoggedOperation, OperationKind, ThreadEntry
from gdb_mcr.model.stop_point import StoppedTask, StopPointKind, WaitKind, role_of
from gdb_mcr.quiescence.stillness import is_quiescent
from gdb_mcr.runtime_abi.tables import read_threads
from gdb_mcr.update.code_names import CodeNames, without_start
from gdb_mcr.update.recorded import LIBRARY, RecordedProcess

_HOOK = "mcr_hook_"


def look_at_threads(server: RecordedProcess, debugger: Debugger) -> tuple[ThreadRow, ...]:
    """The threads of one process, which is stopped for some milliseconds.

    :raises AlreadyTraced: it has another tracer.
    :raises TargetError: it may not be debugged, or has ended.
    """
    log = server.log()
    debugger.warm(server.executable, (), server.pid)
    debugger.stop(server.pid)
    try:
        stopped, entries = debugger.threads(), read_threads(server.memory, server.control())
    finally:
        debugger.let_go()
    return thread_rows(server.pid, stopped, entries, log.operations, CodeNames(server.pid, log.modules))


def thread_rows(
    pid: int,
    stopped: Sequence[StoppedThread],
    entries: Sequence[ThreadEntry],
    operations: Sequence[LoggedOperation],
    names: CodeNames,
) -> tuple[ThreadRow, ...]:
    """Rows for the threads of a process that was stopped when ``stopped`` and libmcr's ``entries`` were read."""
    by_tid = {one.tid: one for one in entries if not one.exited}
    makers = _makers(operations)
    return tuple(_row(pid, one, by_tid.get(one.tid), makers, names) for one in stopped)


def stack_of(frames: Sequence[FrameRow], names: CodeNames) -> tuple[str, ...]:
    """Function names, innermost first, without libmcr's own."""
    return without_start(tuple(_name(one, names) for one in frames if not _is_ours(one)))


# Frames that the debugger cannot name are those of libraries without symbols. All but the first are return addresses.
def _name(frame: FrameRow, names: CodeNames) -> str:
    return frame.function or names.function(frame.pc - 1)


def _is_ours(frame: FrameRow) -> bool:
    return frame.module is not None and PurePath(frame.module.removesuffix(" (deleted)")).name == LIBRARY


def _makers(operations: Sequence[LoggedOperation]) -> Mapping[int, LoggedOperation]:
    return {one.args[0]: one for one in operations if one.kind is OperationKind.THREAD_CREATE and not one.error}


def _row(
    pid: int,
    one: StoppedThread,
    entry: ThreadEntry | None,
    makers: Mapping[int, LoggedOperation],
    names: CodeNames,
) -> ThreadRow:
    wait = WaitKind(entry.wait) if entry is not None else WaitKind.NONE
    stack = stack_of(one.frames, names)
    maker = makers.get(entry.index) if entry is not None else None
    return ThreadRow(
        pid=pid,
        tid=one.tid,
        name=one.name,
        role=role_of(wait).value,
        waits_in=_waits_in(one, stack),
        stop_point=_stop_point(one, wait, stack),
        stack=stack,
        created_by=names.stack(maker.returns) if maker is not None else (),
    )


# The call that the program made: libmcr's wrapper of it stands on the stack. A wait without one is named by the frame
# that is in it.
def _waits_in(one: StoppedThread, stack: Sequence[str]) -> str:
    wrappers = [frame.function for frame in one.frames if _is_ours(frame) and frame.function]
    if wrappers:
        return wrappers[-1].removeprefix(_HOOK)
    return stack[0] if stack and one.wait_interrupted else ""


# By the rule of the update itself, which knows no other kind yet: blocking and cancellation points come from profiles.
def _stop_point(one: StoppedThread, wait: WaitKind, stack: tuple[str, ...]) -> str:
    quiescent = is_quiescent(StoppedTask(one.tid, one.name, wait, one.wait_interrupted, stack))
    return StopPointKind.QUIESCENT.value if quiescent else ""
