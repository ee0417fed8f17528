"""The processes of a profiled server, and what was seen of their threads."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

from gdb_mcr.debugger.base import StoppedThread
from gdb_mcr.errors import McrError
from gdb_mcr.model.process import Task
from gdb_mcr.model.startup_log import LoggedOperation, OperationKind, ThreadEntry
from gdb_mcr.model.stop_point import TaskState, WaitKind
from gdb_mcr.proc.children import children
from gdb_mcr.proc.execution_counter import COUNTERS_PER_THREAD, ExecutionCounter
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.proc.tasks import tasks
from gdb_mcr.quiescence.observations import SeenLoop, ThreadOrigin, ThreadRecord
from gdb_mcr.runtime_abi.tables import read_live_threads, read_modules, read_operations
from gdb_mcr.update.code_names import CodeNames
from gdb_mcr.update.creator_names import find_creators
from gdb_mcr.update.family import recorded_pids
from gdb_mcr.update.profile_stacks import CodeLoops, StackReader, entries_by_tid
from gdb_mcr.update.recorded import RecordedProcess

_SEARCH_S = 0.5  # between two searches through /proc, for those that are nobody's children any more
_MAX_COUNTERS = 512

_FORKS = frozenset({OperationKind.FORK, OperationKind.VFORK, OperationKind.CLONE, OperationKind.DAEMON})


@dataclass
class TurnCounters:
    """Counters of loops' call sites, as many as the kernel gives."""

    works: bool = True
    """False once the kernel refused one."""
    _open: dict[tuple[int, int], tuple[ThreadRecord, ExecutionCounter]] = field(default_factory=dict)

    def watch(self, tid: int, record: ThreadRecord, loops: Sequence[SeenLoop]) -> None:
        """Counts the turns of the outermost loops, if that is not done yet."""
        for one in loops:
            key = (id(record), one.call_site)
            mine = sum(1 for record_id, _ in self._open if record_id == id(record))
            if key in self._open or mine >= COUNTERS_PER_THREAD or len(self._open) >= _MAX_COUNTERS or not self.works:
                continue
            try:
                self._open[key] = (record, ExecutionCounter(tid, one.call_site))
            except ProcessLookupError:
                return
            except OSError:
                self.works = False

    def finish(self) -> None:
        """Notes all counts, and gives the counters back."""
        for (_, call_site), (record, counter) in self._open.items():
            record.turns[call_site] = counter.count()
            counter.close()
        self._open.clear()


@dataclass
class ProfiledProcess:
    """One process of the server."""

    server: RecordedProcess
    handle: Pidfd
    code: CodeLoops
    counters: TurnCounters
    is_first: bool
    is_from_startup: bool
    fork: LoggedOperation | None
    """How it was made, if its parent's start-up made it."""
    records: dict[tuple[int, int], ThreadRecord] = field(default_factory=dict)
    """By index in the thread table and tid."""
    _chains: set[tuple[tuple[str, ...], ...]] = field(default_factory=set)

    @cached_property
    def _names(self) -> CodeNames:
        return CodeNames(self.server.pid, read_modules(self.server.memory, self.server.control()))

    @cached_property
    def _makers(self) -> Mapping[int, LoggedOperation]:
        operations = self.operations()
        return {one.args[0]: one for one in operations if one.kind is OperationKind.THREAD_CREATE and not one.error}

    @cached_property
    def _reader(self) -> StackReader:
        return StackReader(self._names, self.code, self.fork.returns if self.fork is not None else ())

    def operations(self) -> tuple[LoggedOperation, ...]:
        """Its start-up log."""
        return read_operations(self.server.memory, self.server.control())

    def entries(self) -> tuple[ThreadEntry, ...]:
        """libmcr's threads that have not ended."""
        return read_live_threads(self.server.memory, self.server.control())

    def look(self, now_s: float, *, is_idle: bool) -> None:
        """All threads as they are now. One that has just ended is looked at no more."""
        with suppress(McrError, ProcessLookupError):
            entries = entries_by_tid(self.entries())
            for tid, task in tasks(self.server.pid).items():
                if tid in entries:
                    record = self._record(entries[tid], now_s, is_idle=is_idle)
                    record.look(now_s, _state(task, entries[tid]), entries[tid].wait_pc, is_idle=is_idle)

    def note_stacks(self, stopped: Sequence[StoppedThread], entries: Sequence[ThreadEntry]) -> None:
        """Stacks of threads that have been looked at before, all taken at one time."""
        by_tid = entries_by_tid(entries)
        for one in stopped:
            entry = by_tid.get(one.tid)
            record = self.records.get((entry.index, entry.tid)) if entry is not None else None
            if record is not None:
                stack = self._reader.seen_stack(one, entry)
                record.note_stack(stack)
                self._chains.add(self._reader.chains(one))
                self.counters.watch(one.tid, record, stack.loops)

    def name_creators(self) -> None:
        """Finds, where the start-up log has nothing, which functions created the threads."""
        unknown = [one for one in self.records.values() if one.origin.creation_id and not one.origin.created_by]
        if not unknown:
            return
        chains = self._names.chains(str(self.server.executable.readlink()))
        found = find_creators({one.origin.creation_id for one in unknown}, self._chains, chains)
        for one in unknown:
            one.origin = replace(one.origin, created_by=found.get(one.origin.creation_id, ()))

    def has_unexplained_waits(self) -> bool:
        """Whether some thread waited somewhere most of its time, and no stack tells where that is."""
        return any(one.favourite not in {None, *(stack.wait_pc for stack in one.stacks)} for one in self._lasting())

    def _lasting(self) -> Iterator[ThreadRecord]:
        last = max((one.last_s for one in self.records.values()), default=0.0)
        return (one for one in self.records.values() if one.last_s == last)

    def _record(self, entry: ThreadEntry, now_s: float, *, is_idle: bool) -> ThreadRecord:
        key = (entry.index, entry.tid)
        if key not in self.records:
            from_startup = is_idle and self.is_from_startup
            self.records[key] = ThreadRecord(self.server.pid, self._origin(entry), from_startup, now_s)
        return self.records[key]

    def _origin(self, entry: ThreadEntry) -> ThreadOrigin:
        maker = self._makers.get(entry.index)
        is_known = maker is not None and maker.stack_id == entry.creation_id
        return ThreadOrigin(
            process=self._names.stack(self.fork.returns) if self.fork is not None else (),
            is_first_process=self.is_first,
            creation_id=entry.creation_id,
            start=self._names.function(entry.start_routine) if entry.start_routine else "main",
            created_by=self._names.stack(maker.returns) if maker is not None and is_known else (),
        )


class Members:
    """The server's processes: its first one, its descendants, and those that have lost their parents."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._code = CodeLoops()
        self._counters = TurnCounters()
        self._processes: dict[int, ProfiledProcess] = {}
        self._strangers: set[int] = set()
        self._root: RecordedProcess | None = None
        self._instance = b""
        self._next_search = 0.0
        self._began = 0.0

    @property
    def counts_turns(self) -> bool:
        """Whether the kernel lets us count turns of loops."""
        return self._counters.works

    def begin(self, root: RecordedProcess) -> None:
        """The first process has come to the end of its start-up."""
        self._root = root
        self._instance = root.control().instance
        self._processes[root.pid] = self._process(root, fork=None, is_first=True)
        self.refresh()

    def refresh(self) -> None:
        """Looks for processes that are new."""
        pending = list(self._processes)
        while pending:
            for child in children(pending.pop()):
                if child not in self._processes and self._adopt(child):
                    pending.append(child)
        if time.monotonic() >= self._next_search:
            self._next_search = time.monotonic() + _SEARCH_S
            for pid in recorded_pids():
                if pid not in self._processes:
                    self._adopt(pid)

    def running(self) -> list[ProfiledProcess]:
        """Those that have not ended."""
        return [one for one in self._processes.values() if not one.handle.wait(0)]

    def is_root_running(self) -> bool:
        """Whether any is left."""
        return bool(self.running())

    def handles(self) -> list[Pidfd]:
        """Of all that ever were."""
        return [one.handle for one in self._processes.values()]

    def finish(self) -> list[ThreadRecord]:
        """What was seen, once nothing more will be."""
        self._counters.finish()
        for one in self.running():
            one.name_creators()
        return [record for one in self._processes.values() for record in one.records.values()]

    def close(self) -> None:
        """Gives everything back."""
        self._counters.finish()

    # A child is a copy of its parent, so that libmcr's control block stands where the first process has it.
    def _adopt(self, pid: int) -> bool:
        assert self._root is not None
        if pid in self._strangers:
            return False
        server = RecordedProcess(pid, self._root.control_address, self._root.library)
        try:
            control = server.control()
            if (control.instance, control.pid) != (self._instance, pid):
                return False  # it has only begun, or is another program
            self._processes[pid] = self._process(server, self._fork_of(pid), is_first=False)
        except (McrError, OSError):
            return False
        return True

    def _fork_of(self, pid: int) -> LoggedOperation | None:
        for one in self._processes.values():
            with suppress(McrError):
                for operation in one.operations():
                    if operation.kind in _FORKS and operation.result == pid:
                        return operation
        return None

    def _process(self, server: RecordedProcess, fork: LoggedOperation | None, *, is_first: bool) -> ProfiledProcess:
        from_startup = is_first or fork is not None
        return ProfiledProcess(server, Pidfd(server.pid), self._code, self._counters, is_first, from_startup, fork)


def _state(task: Task, entry: ThreadEntry) -> TaskState:
    wait = WaitKind(entry.wait)
    return TaskState(task.tid, task.state in "SD", task.syscall, task.switches, wait, task.name)
