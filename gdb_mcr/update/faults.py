"""Fault points: places where a test breaks an update on purpose, one before and one after each phase.

Off unless the environment says `MCR_FAULT=PHASE:before|after:ACTION`, such as `TRANSFER:after:kill-new-gdb`.
Source: DESIGN section 3; STYLE habit 15 (criu's `enum faults`).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from gdb_mcr.errors import McrError, UsageError
from gdb_mcr.model.steps import Phase

VARIABLE = "MCR_FAULT"


class InjectedFault(McrError):
    """A test asked for a failure here."""


class When(Enum):
    """The side of the phase on which the point stands."""

    BEFORE = "before"
    AFTER = "after"


class FaultAction(Enum):
    """What breaks."""

    RAISE = "raise"
    KILL_CONTROLLER = "kill-controller"
    KILL_OLD_GDB = "kill-old-gdb"
    KILL_NEW_GDB = "kill-new-gdb"


@dataclass(frozen=True, slots=True)
class Fault:
    """One planned failure."""

    phase: Phase
    when: When
    action: FaultAction


def planned_fault(environment: Mapping[str, str] = os.environ) -> Fault | None:
    """The fault that the environment asks for. :raises UsageError: it is not of the form above."""
    text = environment.get(VARIABLE, "")
    if not text:
        return None
    try:
        phase, when, action = text.split(":")
        return Fault(Phase(phase), When(when), FaultAction(action))
    except ValueError:
        form = f"{VARIABLE}=PHASE:before|after:{'|'.join(one.value for one in FaultAction)}"
        raise UsageError(f"{VARIABLE}={text!r} is not a fault point", hint=f"write {form}") from None


@dataclass(frozen=True, slots=True)
class FaultPoints:
    """Asked at every point; acts at the planned one. `victims` finds the pid of each GDB when it is needed."""

    fault: Fault | None
    victims: Callable[[FaultAction], int | None]

    def reach(self, phase: Phase, when: When) -> None:
        """:raises InjectedFault: the planned fault is here and its action is `raise`."""
        if self.fault is None or (self.fault.phase, self.fault.when) != (phase, when):
            return
        if self.fault.action is FaultAction.RAISE:
            raise InjectedFault(f"a fault was injected {when.value} {phase.value}")
        pid = os.getpid() if self.fault.action is FaultAction.KILL_CONTROLLER else self.victims(self.fault.action)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # whoever owns the child still reaps it
