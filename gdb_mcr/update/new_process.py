"""N: started through the launcher, met on its channel, held at the end of its start-up, or ended.

Source: DESIGN sections 2 and 6.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from gdb_mcr.dwarf.identity import identify
from gdb_mcr.errors import AnalysisError, McrError, TargetError, UpdateFailed
from gdb_mcr.model.launch import LaunchPlan, PlacedLibrary
from gdb_mcr.model.placement import PlanEntry
from gdb_mcr.model.startup_log import LaunchFacts, ModuleEntry
from gdb_mcr.paths import native_library
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.reinit.inherit import kept_numbers
from gdb_mcr.reinit.launcher import Launch, start
from gdb_mcr.runtime_abi.channel import Channel, NewProcessEnded, NewProcessSilent, open_channel
from gdb_mcr.runtime_abi.control import describe_error
from gdb_mcr.runtime_abi.layout import BANKS, Role
from gdb_mcr.runtime_abi.settings import ModuleTableFile, NewSettings, new_settings, read_old_log
from gdb_mcr.units import Range
from gdb_mcr.update.inheritance import InheritedFds
from gdb_mcr.update.last_words import StartUpOutput, explain
from gdb_mcr.update.recorded import LIBRARY, RecordedProcess, find_recorded

MAX_FDS = 1 << 20
"""MCR_FD_LIMIT: libmcr knows no higher descriptor numbers."""

WATCHDOG_MARGIN_S = 30.0
"""N ends itself so many seconds after the update's own deadline, whatever became of the controller."""

END_WAIT_S = 2.0

STDOUT, STDERR = 1, 2


@dataclass(frozen=True, slots=True)
class NewStart:
    """What every start of N in one update has in common."""

    executable: Path
    args: tuple[str, ...] | None
    """Behind the program's name; None = as O was started."""
    facts: LaunchFacts
    modules: tuple[ModuleTableFile, ...]
    """Module tables of all that N loads."""
    libraries: tuple[PlacedLibrary, ...]
    reserved: tuple[Range, ...]
    timeout_s: float
    bank_ends: tuple[int, ...]
    """`HeapImage.bank_ends` of O."""
    absent: tuple[str, ...] = ()
    """Paths of files that its start-up does not find."""

    @property
    def argv(self) -> tuple[bytes, ...]:
        """N's arguments, its name included."""
        if self.args is None:
            return self.facts.argv
        return (self.facts.argv[0], *(os.fsencode(one) for one in self.args))

    def launch_plan(self) -> LaunchPlan:
        """For the launcher."""
        return LaunchPlan(
            executable=self.executable,
            argv=self.argv,
            environ=self.facts.environ,
            preload=native_library(LIBRARY),
            facts=self.facts,
            libraries=self.libraries,
            reserved=self.reserved,
        )


class NewProcess:
    """A started N. A context manager: one that was not committed is ended at the block's end."""

    def __init__(self, channel: Channel, inherited: InheritedFds) -> None:
        self.channel = channel
        self.inherited = inherited
        self._process: RecordedProcess | None = None
        self._pidfd: Pidfd | None = None
        self._committed = False

    def __enter__(self) -> NewProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def process(self) -> RecordedProcess:
        """Its control block."""
        assert self._process is not None, "it has been launched"
        return self._process

    def launched(self, pid: int) -> None:
        """It runs as this process."""
        self._pidfd = Pidfd(pid)
        self._process = find_recorded(pid)
        self.channel.explain_with(self._why)

    def _why(self) -> str:
        try:
            return describe_error(self.process.control())
        except McrError:
            return ""

    @property
    def is_committed(self) -> bool:
        """Whether it serves."""
        return self._committed

    def committed(self) -> None:
        """From now on it serves, and is nobody's to end."""
        self._committed = True
        self._close()

    def end(self) -> None:
        """Ends it and waits until it is gone. Nothing if it serves, or is gone already."""
        if self._committed:
            return
        self.channel.close()  # it removes what it has created, and ends itself
        if self._pidfd is not None and not self._pidfd.wait(END_WAIT_S):
            _kill(self._pidfd)
        self._close()

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._pidfd is not None and not self._pidfd.wait(0)

    def _close(self) -> None:
        self.channel.close()
        self.inherited.close()
        if self._pidfd is not None:
            self._pidfd.close()
            self._pidfd = None


class Attendant(Protocol):
    """Meets the children that N forks in its start-up."""

    def follow(self, channel: Channel) -> None:
        """N's first process is about to be started at the other end of this channel."""
        ...

    def wait_held(self, deadline: float) -> None:
        """Until all children are held. :param deadline: CLOCK_MONOTONIC seconds."""
        ...


def start_new(
    old: RecordedProcess,
    old_pidfd: Pidfd,
    new: NewStart,
    role: Role,
    plan: Sequence[PlanEntry] = (),
    spans: bytes = b"",
    births: Attendant | None = None,
) -> NewProcess:
    """N, held at the end of its start-up. O serves meanwhile.

    :param births: who attends to the children that N forks; None = O has none.
    :raises UpdateFailed: N ended, could not be placed, or did not come to its quiescent points in time.
    """
    deadline = time.monotonic() + new.timeout_s
    inherited = InheritedFds.take(old_pidfd)
    settings = new_settings(settings_for(old, new, role, plan, spans, inherited))
    channel, theirs = open_channel()
    if births is not None:
        births.follow(channel)
    process = NewProcess(channel, inherited)
    is_rehearsal = role is Role.REHEARSE
    try:
        with StartUpOutput() as output:
            if is_rehearsal:
                _divert(inherited, output)
            with start(new.launch_plan(), settings, theirs, new.timeout_s, is_watched=is_rehearsal) as launch:
                os.close(theirs)
                theirs = -1
                try:
                    _come_up(process, launch, deadline)
                    if births is not None:
                        births.wait_held(deadline)
                except McrError as error:
                    raise explain(error, launch, output, new.timeout_s) from error
    except BaseException:
        process.end()
        raise
    finally:
        os.close(settings)
        if theirs >= 0:
            os.close(theirs)
    return process


# A terminal stays: stdio and many programs go other ways with one, and a rehearsal must show how the start-up will go.
def _divert(inherited: InheritedFds, output: StartUpOutput) -> None:
    inherited.divert(STDERR, output.fileno())
    if not inherited.is_terminal(STDOUT):
        inherited.divert(STDOUT, output.fileno())


def _come_up(process: NewProcess, launch: Launch, deadline: float) -> None:
    _meet(process.channel, launch, process.inherited, deadline)
    try:
        process.launched(launch.wait().pid)
        process.channel.wait_held(_left(deadline))
    except (TargetError, NewProcessSilent) as error:
        if not _is_in_background(process):
            raise
        raise _background() from error
    if not process.is_alive():
        raise _background()


# A child of it goes on with the start-up. The parent may end so early that nothing of it can be read.
def _is_in_background(process: NewProcess) -> bool:
    return not process.is_alive() and process.channel.is_held()


def _background() -> UpdateFailed:
    return UpdateFailed(
        "the new server went to the background: the process that was started has ended, another one serves",
        hint="start the new server in the foreground: --args gives it other arguments than the old one has",
    )


# If N ends before it is met, its launcher knows why.
def _meet(channel: Channel, launch: Launch, inherited: InheritedFds, deadline: float) -> None:
    try:
        channel.send_fds(inherited.messages(), _left(deadline))
        channel.wait_hello(_left(deadline))
    except NewProcessEnded:
        launch.wait(_left(deadline))
        raise


def placed_libraries(modules: Sequence[ModuleEntry], needed: Sequence[Path], generation: int) -> list[PlacedLibrary]:
    """The libraries that N loads in the same build as O does: they go to the same addresses.

    The dynamic linker is not among them: the kernel maps it, and its data is never merged.
    """
    theirs = {module.build_id: module for module in modules if module.generation == generation}
    placed = []
    for path in (*needed, native_library(LIBRARY)):
        if path.name.startswith("ld-linux"):
            continue
        module = _same_build(theirs, path)
        if module is not None:
            placed.append(PlacedLibrary(str(path), module.start))
    return placed


def _same_build(modules: dict[str, ModuleEntry], path: Path) -> ModuleEntry | None:
    try:
        return modules.get(identify(path).build_id)
    except AnalysisError:
        return None


def settings_for(
    old: RecordedProcess,
    new: NewStart,
    role: Role,
    plan: Sequence[PlanEntry],
    spans: bytes,
    inherited: InheritedFds,
) -> NewSettings:
    """What a process of N is told about its counterpart."""
    control = old.control()
    limit, _ = resource.prlimit(old.pid, resource.RLIMIT_NOFILE)
    return NewSettings(
        role=role,
        generation=control.generation + 1,
        window=control.window.start,
        first_page=new.bank_ends[(control.generation + 1) % BANKS],
        old_pid=old.pid,
        placeholder_end=kept_numbers(inherited.sent, control.highest_fd, limit),
        private_fd=min(new.facts.rlimits[resource.RLIMIT_NOFILE][0], MAX_FDS),
        log=read_old_log(old.memory, control, new.absent),
        modules=new.modules,
        plan=plan,
        spans=spans,
        inherited=inherited.settings,
        watchdog_ms=round((new.timeout_s + WATCHDOG_MARGIN_S) * 1000),
    )


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _kill(pidfd: Pidfd) -> None:
    pidfd.send_signal(signal.SIGKILL)
    pidfd.wait(END_WAIT_S)
