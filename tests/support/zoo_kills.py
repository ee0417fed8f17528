"""Kills in the middle of detection: the debugger, the controller, or the server itself, at random moments.

Whatever is killed, nothing of the server may stand still, nothing may be left behind, and its work must go on.
"""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from gdb_mcr.errors import McrError
from gdb_mcr.proc.children import children
from gdb_mcr.proc.status import status
from gdb_mcr.proc.tasks import tasks
from gdb_mcr.update.recorded import find_recorded
from tests.support.descendants import adopting, descendants, wait_for_leftovers
from tests.support.fingerprint import text_changes
from tests.support.zoo import ROOT, TIMEOUT_S, Zoo, build_zoo
from tests.support.zoo_cases import ZooCase

RECOVERY_S = 1.5
"""Seconds in which everything must run again: a hold lasts one, and its threads look now and then."""

_SPREAD_S = 0.05  # an attempt takes about half of it


class Subject(Protocol):
    """A server at work: a `Zoo` or a `pushed_servers.Pushed`."""

    @property
    def pid(self) -> int:
        """Its process."""
        ...

    def end(self) -> None:
        """SIGKILL, as a crash would end it."""
        ...

    def work(self) -> int:
        """How much it has done."""
        ...

    def await_work(self, more_than: int) -> int:
        """The same once it has done more than so much, or when it does not in time."""
        ...

    def complaints(self) -> Iterator[str]:
        """What the server or its clients have seen that they should not, interrupted calls aside."""
        ...

    def interrupted(self) -> int:
        """Calls that the program saw interrupted although nothing in it explains that."""
        ...


class Victim(Enum):
    """What is killed."""

    DEBUGGER = "debugger"
    CONTROLLER = "controller"
    SERVER = "server"


@dataclass
class KillOutcome:
    """What came of some kills."""

    kills: int = 0
    recoveries: list[float] = field(default_factory=list)
    """Seconds until the server's work went on."""
    messages: set[str] = field(default_factory=set)
    """What the controller said."""
    interrupted: int = 0
    """Calls that came back with EINTR: a debugger that is killed after it has stopped a thread, and before it has put
    it back into its call, leaves what SIGSTOP and SIGCONT would leave (signal(7)). Told, and no harm."""
    problems: list[str] = field(default_factory=list)


class Controller:
    """A running `zoo_controller`. A context manager."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __enter__(self) -> Self:
        words = [sys.executable, "-m", "tests.support.zoo_controller", str(self._pid)]
        self.process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, bufsize=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def line(self) -> str:
        """What it says next; "" if it has ended."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], TIMEOUT_S)[0]:
            raise TimeoutError("the controller says nothing")
        return self.process.stdout.readline().decode().strip()

    def await_attempt(self) -> None:
        """Until it has brought the server to rest once, or failed to."""
        while line := self.line():
            if not line.startswith("error"):
                return
        raise TimeoutError("the controller has ended")

    @property
    def debugger(self) -> int:
        """Process id of the debugger that it has started, 0 if it has none at this moment."""
        for pid in children(self.process.pid):
            with suppress(McrError):
                if (one := status(pid)).name == "gdb" and one.state != "Z":
                    return pid
        return 0

    def error(self, killed: int = 0) -> str:
        """The next error that it tells, "" if it ends without one, or has another debugger than the killed one."""
        while line := self.line():
            if line.startswith("error: "):
                return line.removeprefix("error: ")
            if killed and self.debugger not in (0, killed):
                return ""  # it was letting the server go, which its end does as well
        return ""


def kill_around(
    name: str, make: Callable[[], AbstractContextManager[Subject]], victim: Victim, kills: int, seed: int
) -> KillOutcome:
    """So many kills while a server is brought to rest again and again; it is made anew when it was killed itself."""
    outcome, dice = KillOutcome(), random.Random(f"{name} {victim.value} {seed}")
    with adopting():
        while outcome.kills < kills:
            with make() as subject:
                if victim is Victim.SERVER:
                    _kill_server(subject, dice, outcome)
                else:
                    _kill_helpers(subject, victim, dice, outcome, kills)
                    outcome.interrupted += subject.interrupted()
    return outcome


@contextmanager
def at_work(case: ZooCase, directory: Path) -> Iterator[Subject]:
    """A program of the zoo behind its open gate."""
    with Zoo(build_zoo(case.program, directory), case.mode, case.peer()) as animal:
        animal.open_gate()
        animal.await_work(0)
        yield animal


def _kill_helpers(subject: Subject, victim: Victim, dice: random.Random, outcome: KillOutcome, kills: int) -> None:
    known = descendants()
    while outcome.kills < kills:
        with Controller(subject.pid) as controller:
            for _ in range(10 if victim is Victim.DEBUGGER else 1):
                controller.await_attempt()
                time.sleep(dice.uniform(0.0, _SPREAD_S))
                outcome.kills += 1
                if victim is Victim.DEBUGGER:
                    gdb = controller.debugger
                    os.kill(gdb, signal.SIGKILL)
                    outcome.messages.add(_general(controller.error(gdb)))
                    controller.process.send_signal(signal.SIGSTOP)  # so that only the server's own doing is seen
                else:
                    controller.process.kill()
                problems = [*_recovery(subject, outcome)]
                controller.process.send_signal(signal.SIGCONT)
                outcome.problems += [f"kill {outcome.kills}: {one}" for one in problems]
                if outcome.kills >= kills:
                    break
        left, _ = wait_for_leftovers([*known, *children(subject.pid)], RECOVERY_S)
        outcome.problems += [f"kill {outcome.kills}: left over: {left}"] if left else []


def _kill_server(subject: Subject, dice: random.Random, outcome: KillOutcome) -> None:
    known = descendants()
    with Controller(subject.pid) as controller:
        controller.await_attempt()
        time.sleep(dice.uniform(0.0, _SPREAD_S))
        outcome.kills += 1
        subject.end()
        message = controller.error()
        outcome.messages.add(_general(message))
        if f"process {subject.pid}" not in message:
            outcome.problems.append(f"kill {outcome.kills}: it only says: {message}")
        if controller.process.wait(TIMEOUT_S) != 3:
            outcome.problems.append(f"kill {outcome.kills}: the controller ended with {controller.process.returncode}")
    left, _ = wait_for_leftovers([*known, *children(subject.pid)], RECOVERY_S)
    outcome.problems += [f"kill {outcome.kills}: left over: {left}"] if left else []


# Of the server: no stop, no tracer, no hold, no changed code, and its work goes on.
def _recovery(subject: Subject, outcome: KillOutcome) -> Iterator[str]:
    began = time.monotonic()
    while (harm := [*_harm(subject)]) and time.monotonic() < began + RECOVERY_S:
        time.sleep(0.002)
    yield from harm
    before = subject.work()
    after = subject.await_work(before)
    outcome.recoveries.append(time.monotonic() - began)
    if after <= before:
        yield "its work does not go on"
    yield from subject.complaints()
    yield from text_changes(subject.pid)


def _harm(subject: Subject) -> Iterator[str]:
    stopped = {tid: one.state for tid, one in tasks(subject.pid).items() if one.state in "tT"}
    if stopped:
        yield f"threads stand in a stop: {stopped}"
    if tracer := status(subject.pid).tracer:
        yield f"process {tracer} traces it"
    control = find_recorded(subject.pid).control()
    if control.hold and control.hold_deadline_ns > time.monotonic_ns():
        yield "its threads are held"


def _general(message: str) -> str:
    return " ".join("N" if word.strip("(),:").isdigit() else word for word in message.split())
