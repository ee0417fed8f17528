"""A child GDB that holds one process at a time: `base.Debugger` over GDB/MI.

The process is attached to in the foreground with all threads stopped, and is never resumed before it is let go. No
breakpoint is made, and GDB has no place for one of its own, so it may be killed at any moment (`gdb_setup.SETTINGS`).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from gdb_mcr.debugger import gdb_setup
from gdb_mcr.debugger.base import FrameRow, Memory, StoppedThread
from gdb_mcr.debugger.gdb_setup import console, quoted
from gdb_mcr.debugger.memory import CommandFailed, EngineMemory, MiMemory
from gdb_mcr.debugger.mi_records import MiError, Result, text
from gdb_mcr.debugger.mi_transport import DEADLINE_S, MiTransport
from gdb_mcr.debugger.modules import Module, loaded_modules, module_at
from gdb_mcr.debugger.symbols import Symbols
from gdb_mcr.debugger.target_process import check_attachable, ensure_running, is_alive, is_group_stopped
from gdb_mcr.errors import DebuggerError, TargetError

ATTACH_S = 10.0
"""Seconds for a stop: a thread in an uninterruptible sleep delays it."""


@dataclass(slots=True)
class _Target:
    pid: int
    was_stopped: bool
    modules: tuple[Module, ...]
    settled: Sequence[Mapping[str, object]] = ()
    threads: tuple[StoppedThread, ...] | None = None


class ChildGdb:
    """Implements `base.Debugger`. A context manager; `start` it early, it gets ready by itself."""

    def __init__(self) -> None:
        self._mi: MiTransport | None = None
        self._needed: list[tuple[int, str]] = []
        self._wished: list[tuple[int, str]] = []
        self._dummy: subprocess.Popen[bytes] | None = None
        self._target: _Target | None = None
        self._symbols: Symbols | None = None

    def __enter__(self) -> ChildGdb:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """GDB's process id; starts it if need be."""
        return self._transport().pid

    @property
    def holds_process(self) -> bool:
        """Whether a process is stopped by it."""
        return self._target is not None

    def check(self) -> None:
        """Nothing, if GDB lives and answers. :raises DebuggerError: it has ended, or hangs."""
        self.request("-list-features")

    def start(self) -> None:
        """Starts GDB and returns at once; the first command waits until it is ready, some 150 ms later.

        :raises DebuggerError: GDB is not installed.
        """
        if self._mi is None:
            self._mi = mi = MiTransport(gdb_setup.command(), gdb_setup.environment())
            self._needed = [(mi.send(one), one) for one in (*gdb_setup.SETTINGS, gdb_setup.load_commands())]
            self._wished = [(mi.send(one), one) for one in self._rehearsal()]

    # GDB tries out the kernel's ptrace at its first attach, 10 ms: a dummy takes them. It reads a pipe of ours, so that
    # it ends with us even if we are killed, and holds nothing that our caller waits to see closed.
    def _rehearsal(self) -> tuple[str, ...]:
        self._dummy = subprocess.Popen(
            ["cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        steps = ("inferior 2", f"attach {self._dummy.pid}", "detach", "inferior 1")
        return ("-add-inferior", *map(console, steps), "-remove-inferior i2")

    def _transport(self) -> MiTransport:
        self.start()
        assert self._mi is not None
        return self._mi

    def _ready(self) -> MiTransport:
        mi = self._transport()
        while self._needed:
            mi.result(*self._needed.pop(0))
        while self._wished:
            with suppress(MiError):  # Yama may forbid it; then the first stop takes longer
                mi.result(*self._wished.pop(0))
        self._end_dummy()
        return mi

    def _end_dummy(self) -> None:
        if self._dummy is not None:
            self._dummy.kill()
            self._dummy.communicate()
            self._dummy = None

    def request(self, command: str, timeout_s: float = DEADLINE_S) -> Result:
        """One MI command, for `MiMemory`. :raises MiError: GDB refused it."""
        return self._ready().request(command, timeout_s)

    def _ask(self, command: str, *words: object, timeout_s: float = DEADLINE_S) -> object:
        line = " ".join((command, *(quoted(str(word)) for word in words)))
        payload = self.request(line, timeout_s).payload
        answer = json.loads(text(payload, "mcr") or "{}")
        if "error" in answer:
            facts = answer["error"]
            raise CommandFailed(command, facts.pop("kind"), facts.pop("message"), facts)
        return answer.get("ok")

    def warm(self, executable: Path, libraries: Sequence[Path], pid: int | None = None) -> None:
        """Reads symbols ahead of a stop; no process is touched."""
        symbols = self._symbols_of(self._ready())
        if pid is None:
            symbols.read_ahead((executable, *libraries))
        else:
            symbols.place(loaded_modules(pid), executable)

    def _symbols_of(self, mi: MiTransport) -> Symbols:
        if self._symbols is None:
            self._symbols = Symbols(mi)
        return self._symbols

    def stop(self, pid: int) -> None:
        """Attaches: when this returns all threads of the process stand still."""
        if self._target is not None:
            raise DebuggerError(f"the child GDB holds process {self._target.pid} already")
        check_attachable(pid)
        mi = self._ready()
        modules = loaded_modules(pid)
        self._symbols_of(mi).place(modules, Path(f"/proc/{pid}/exe").resolve())
        mi.asynchronous.clear()
        self._target = _Target(pid, is_group_stopped(pid), modules)
        try:
            mi.request(f"-target-attach {pid}", ATTACH_S)
            mi.await_async("stopped", ATTACH_S)
            self._target.settled = _rows(self._ask("-mcr-settle"))
        except DebuggerError as error:
            self.abandon()
            if isinstance(error, MiError):
                check_attachable(pid)  # says it better than GDB, if the reason is one that can be seen
            raise

    def threads(self) -> tuple[StoppedThread, ...]:
        """All threads of the stopped process, its initial thread first."""
        target = self._held()
        if target.threads is None:
            stacks = {row["tid"]: row["frames"] for row in self._walk(target)}
            target.threads = tuple(_thread(row, stacks.get(row["tid"]), target.modules) for row in target.settled)
        return target.threads

    def _walk(self, target: _Target) -> list[Mapping[str, object]]:
        try:
            return _rows(self._ask("-mcr-threads"))
        except (MiError, CommandFailed) as error:
            if is_alive(target.pid):
                raise
            raise TargetError(f"process {target.pid} was killed while it was stopped") from error

    def let_go(self) -> None:
        """Detaches, and checks that no thread stays stopped. Nothing if no process is held."""
        target = self._target
        if target is None:
            return
        try:
            self._ready().request("-target-detach", ATTACH_S)
        except DebuggerError as error:
            self.abandon()
            if not isinstance(error, MiError) or is_alive(target.pid):
                raise
        else:
            self._forget(target)

    def _forget(self, target: _Target) -> None:
        self._target = None
        ensure_running(target.pid, was_stopped=target.was_stopped)

    def abandon(self) -> None:
        """Ends GDB at once; a process that it holds runs on. The next use of this object starts a new GDB."""
        mi = self._part()
        if mi is not None:
            mi.kill()
        if self._target is not None:
            self._forget(self._target)

    def close(self) -> None:
        """Lets the process go if there is one, and ends GDB."""
        try:
            self.let_go()
        finally:
            mi = self._part()
            if mi is not None:
                mi.close()

    # From now on there is no GDB here; the one that was is the caller's to end.
    def _part(self) -> MiTransport | None:
        self._end_dummy()
        mi, self._mi, self._symbols = self._mi, None, None
        self._needed, self._wished = [], []
        return mi

    def memory(self, fast: bool = True) -> Memory:
        """The stopped process's memory, until it is let go."""
        pid = self._held().pid
        return EngineMemory(self._ask, pid) if fast else MiMemory(self, pid)

    def memory_of(self, pid: int) -> Memory:
        """The memory of a process that need not be stopped."""
        return EngineMemory(self._ask, pid)

    def _held(self) -> _Target:
        if self._target is None:
            raise DebuggerError("the child GDB holds no process: stop one first")
        return self._target


def _rows(answer: object) -> list[Mapping[str, object]]:
    assert isinstance(answer, list)
    return answer


def _thread(row: Mapping[str, object], stack: object, modules: Sequence[Module]) -> StoppedThread:
    frames = stack if isinstance(stack, list) else []
    tid, syscall, pc, sp = row["tid"], row["syscall"], row["pc"], row["sp"]
    assert isinstance(tid, int)
    assert isinstance(syscall, int)
    assert isinstance(pc, int)
    assert isinstance(sp, int)
    return StoppedThread(
        tid=tid,
        name=str(row["name"]),
        frames=tuple(FrameRow(at, name, _module_path(modules, at)) for at, name in frames),
        wait_interrupted=bool(row["interrupted"]),
        syscall=syscall,
        pc=pc,
        sp=sp,
    )


def _module_path(modules: Sequence[Module], address: int) -> str | None:
    module = module_at(modules, address)
    return module.path if module else None
