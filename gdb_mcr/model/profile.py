"""What a test load has shown of a program's threads: kinds of threads, where they stall, what may be done there.

Source: seed, "quiescence point identification"; DESIGN section 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from gdb_mcr.model.results import Build, Harmless
from gdb_mcr.model.stop_point import StopPointKind, ThreadRole


class EventOrigin(Enum):
    """What ends a wait."""

    EXTERNAL = "external"
    """Something from outside: a client, a file, the network."""
    TIMED = "timed"
    """Time."""
    INTERNAL = "internal"
    """Another thread or process of the server, or a signal."""


class Stability(Enum):
    """Whether a start-up alone brings forth what an update finds."""

    STABLE = "stable"
    """It exists from start-up on, so N's own start-up makes its counterpart."""
    VOLATILE = "volatile"
    """It exists only after start-up, as a thread for each connection does."""


@dataclass(frozen=True, slots=True)
class ProfiledLoop:
    """The long-lived loop of a class of threads."""

    function: str
    """Where it stands."""
    turns: int | None = None
    """Times that it was seen to go round; None = not counted."""


@dataclass(frozen=True, slots=True)
class Unblocking:
    """How a thread is got out of a blocking call, so that it goes on to its next quiescent point."""

    signal: int
    """Number of a signal that the program handles; 0 = by an event in the descriptor for which the thread waits."""


@dataclass(frozen=True, slots=True)
class ProfiledStop:
    """A stop point of a class of threads."""

    call: str
    """The blocking call."""
    stack: tuple[str, ...]
    """Functions from the one that makes the call outwards to the thread's first one."""
    kind: StopPointKind
    origin: EventOrigin
    stalls: int
    """Times that a thread was blocked here, about."""
    seconds: float
    """Time that all threads of the class spent here."""
    longest_s: float
    """The longest stall that was seen, in seconds."""
    unblock: Unblocking | None = None
    """Not quiescent: how the thread may be got out of here, if the user has said so."""


@dataclass(frozen=True, slots=True)
class ThreadClass:
    """Threads with the same creation-time call stack."""

    start: str
    """The thread's first function."""
    created_by: tuple[str, ...]
    """Functions that were active when it was created, innermost first; empty for initial threads, or if unknown."""
    creation_id: int
    """Call stack ID of that; 0 for initial threads. The same in every version whose functions have the same names."""
    threads: int
    """How many were seen."""
    role: ThreadRole
    stability: Stability
    is_long_lived: bool
    """Whether its threads live across requests."""
    loop: ProfiledLoop | None
    stops: tuple[ProfiledStop, ...]
    """Those with the most time first."""

    @property
    def quiescent(self) -> tuple[ProfiledStop, ...]:
        """Its quiescent points."""
        return tuple(one for one in self.stops if one.kind is StopPointKind.QUIESCENT)


@dataclass(frozen=True, slots=True)
class ProcessClass:
    """Processes with the same creation-time call stack."""

    created_by: tuple[str, ...]
    """Functions that were active at the fork, innermost first; empty for the first process, or if unknown."""
    processes: int
    """How many were seen."""
    stability: Stability
    threads: tuple[ThreadClass, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """A program under a test load."""

    program: Build
    command: tuple[str, ...]
    load: str
    """The shell command that was run beside it, "" if none was."""
    seconds: float
    looks: int
    """Times that all threads were looked at."""
    stops: int
    """Times that a process was stopped for its stacks."""
    processes: tuple[ProcessClass, ...]
    """The first process's class first."""

    def thread_classes(self) -> Iterator[ThreadClass]:
        """All classes of all processes."""
        for one in self.processes:
            yield from one.threads


@dataclass(frozen=True, slots=True)
class ProfileResult(Harmless):
    """What `profile` answers."""

    profile: Profile
    file: str
    """Where it was written."""
    warnings: tuple[str, ...] = ()
