"""`mcr profile`: a server runs under a test load while its threads are looked at.

Looks over /proc and libmcr's thread table cost the server nothing and tell where threads wait, how often and how long.
From time to time one of its processes is stopped for some milliseconds, and its stacks tell what these places are.
Source: DESIGN section 5.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gdb_mcr.debugger.child_gdb import ChildGdb
from gdb_mcr.dwarf.identity import identify
from gdb_mcr.errors import DebuggerError, McrError, TargetError
from gdb_mcr.model.profile import Profile, ProfileResult
from gdb_mcr.model.results import Build
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.quiescence.classify import classify
from gdb_mcr.runtime_abi.layout import State
from gdb_mcr.update.api import ProfileOptions
from gdb_mcr.update.profile_members import Members, ProfiledProcess
from gdb_mcr.update.profiles import profile_path, write_profile
from gdb_mcr.update.recorded import RecordedProcess, find_recorded

IDLE_S = 1.0
"""Seconds of looking before the load begins: whoever waits then waits for work."""

READY_S = 60.0
"""Seconds for the server's start-up."""

_LOOK_S, _STOP_S = 0.003, 0.05
_LOOK_SHARE, _STOP_SHARE = 3, 5  # each look or stop is followed by a pause of so many times its length

# A wait with a timeout that is stopped begins anew: without longer pauses it would never come to its end.
_STOPS_IN_A_ROW, _REST_S = 6, 1.1

_EXPLANATIONS = 5
_END_S = 3.0


def profile(pid: int, options: ProfileOptions) -> ProfileResult:
    """Watches a recorded server that was started for this, and ends it.

    :raises TargetError: it does not come to the end of its start-up.
    :raises UsageError: the profile cannot be written.
    """
    with _ended_at_last(pid) as members, ChildGdb() as debugger:
        server = _await_startup(pid)
        members.begin(server)
        profiler = _Profiler(members, debugger)
        found, warnings = profiler.run(server, options)
    file = options.output or profile_path(found.program.build_id)
    write_profile(found, file)
    return ProfileResult(found, str(file), tuple(warnings))


class _Profiler:
    def __init__(self, members: Members, debugger: ChildGdb) -> None:
        self._members = members
        self._debugger = debugger
        self._began = time.monotonic()
        self._looks = self._stops = 0
        self._next_stop = 0.0
        self._turn = 0

    def run(self, server: RecordedProcess, options: ProfileOptions) -> tuple[Profile, list[str]]:
        program, command = _build(server), tuple(map(os.fsdecode, server.facts.argv))
        self._look_while_idle()
        if options.load:
            status = self._under_load(options)
        else:
            self._look_until(lambda: False, options.seconds, is_idle=False)
            status = 0
        self._explain()
        end = self._look()
        records = self._members.finish()
        seconds = time.monotonic() - self._began
        found = Profile(program, command, options.load, seconds, self._looks, self._stops, classify(records, end))
        return found, [*self._warnings(), *([f"the load ended with exit status {status}"] if status else [])]

    def _under_load(self, options: ProfileOptions) -> int:
        load = subprocess.Popen(
            ["/bin/sh", "-c", options.load], stdin=subprocess.DEVNULL, stdout=2, start_new_session=True
        )
        try:
            self._look_until(lambda: load.poll() is not None, options.seconds, is_idle=False)
            return load.poll() or 0
        finally:
            with suppress(ProcessLookupError):
                os.killpg(load.pid, signal.SIGKILL)
            load.wait()

    # Every process is stopped at least twice: what a thread does without a load tells where it waits for work.
    def _look_while_idle(self) -> None:
        self._look(is_idle=True)
        for one in self._members.running():
            self._stop(one)
        self._look_until(lambda: False, IDLE_S, is_idle=True)
        for one in self._members.running():
            self._stop(one)

    # After the load: places where threads waited and of which no stack was taken.
    def _explain(self) -> None:
        for _ in range(_EXPLANATIONS):
            self._look_until(lambda: False, _STOP_S, is_idle=False)
            unknown = [one for one in self._members.running() if one.has_unexplained_waits()]
            for one in unknown:
                self._stop(one)

    def _look_until(self, is_over: Callable[[], bool], seconds: float, *, is_idle: bool) -> None:
        deadline = time.monotonic() + seconds
        while (now := time.monotonic()) < deadline and not is_over():
            if now >= self._next_stop:
                self._stop_next()
            began = time.monotonic()
            self._look(is_idle=is_idle)
            time.sleep(max(_LOOK_S, _LOOK_SHARE * (time.monotonic() - began)))

    def _look(self, *, is_idle: bool = False) -> float:
        self._members.refresh()
        now = time.monotonic() - self._began
        for one in self._members.running():
            one.look(now, is_idle=is_idle)
        if not self._members.is_root_running():
            raise TargetError("the server ended while it was profiled", hint="see what it said")
        self._looks += 1
        return now

    def _stop_next(self) -> None:
        processes = self._members.running()
        self._turn += 1
        began = time.monotonic()
        if processes:
            self._stop(processes[self._turn % len(processes)])
        rest = _REST_S if self._turn % _STOPS_IN_A_ROW == 0 else _STOP_S
        self._next_stop = time.monotonic() + max(rest, _STOP_SHARE * (time.monotonic() - began))

    def _stop(self, process: ProfiledProcess) -> None:
        with suppress(TargetError, DebuggerError):  # it ended, or GDB did: the next stop finds another
            self._unwind(process)
            self._stops += 1

    def _unwind(self, process: ProfiledProcess) -> None:
        self._debugger.warm(process.server.executable.resolve(), (), process.server.pid)
        self._debugger.stop(process.server.pid)
        try:
            stopped, entries = self._debugger.threads(), process.entries()
        finally:
            self._debugger.let_go()
        process.note_stacks(stopped, entries)

    def _warnings(self) -> Iterator[str]:
        if not self._members.counts_turns:
            yield "the kernel does not let us count how often loops go round; the outermost ones were taken"
        if not self._stops:
            yield "no process could be stopped, so that no stack is known"


def _build(server: RecordedProcess) -> Build:
    return Build(str(server.executable.readlink()), identify(server.executable).build_id)


def _await_startup(pid: int) -> RecordedProcess:
    deadline = time.monotonic() + READY_S
    while True:
        with suppress(McrError):
            server = find_recorded(pid)
            if server.control().state is State.SERVING:
                return server
        if not Path(f"/proc/{pid}").exists() or time.monotonic() > deadline:
            raise TargetError(f"process {pid} did not come to the end of its start-up", hint="see what it said")
        time.sleep(0.01)


@contextmanager
def _ended_at_last(pid: int) -> Iterator[Members]:
    root = Pidfd(pid)
    members = Members(pid)
    try:
        yield members
    finally:
        handles = [root, *members.handles()]
        with suppress(TargetError):
            root.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _END_S
        for one in handles:
            if not one.wait(deadline - time.monotonic()):
                with suppress(TargetError):
                    one.send_signal(signal.SIGKILL)
            one.close()
        members.close()
