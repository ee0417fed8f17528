"""Where threads stall, and which of these places are legal to update in. Source: seed, "quiescence point detection"."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum


class WaitKind(IntEnum):
    """What a thread waits for, as libmcr's wait wrappers say (enum mcr_wait_kind)."""

    NONE = 0
    EXTERNAL = 1
    """An event from outside: accept, epoll_wait, poll, recv on a blocking socket."""
    TIMED = 2
    """Time: a sleep, or a wait with a timeout. It ends by itself."""
    INTERNAL = 3
    """Another thread: a condition, a semaphore, a join."""
    HELD = 4
    """libmcr holds it."""


class StopPointKind(Enum):
    """The seed's three kinds of stop points."""

    QUIESCENT = "quiescent"
    BLOCKING = "blocking"
    CANCELLATION = "cancellation"


class ThreadRole(Enum):
    """Whether events reach a thread from outside or from other threads."""

    INITIATOR = "initiator"
    INTERNAL = "internal"
    UNKNOWN = "unknown"


def role_of(wait: WaitKind) -> ThreadRole:
    """Threads that time wakes count as initiators: they start work by themselves (DESIGN section 5)."""
    if wait in (WaitKind.EXTERNAL, WaitKind.TIMED, WaitKind.HELD):
        return ThreadRole.INITIATOR
    return ThreadRole.INTERNAL if wait is WaitKind.INTERNAL else ThreadRole.UNKNOWN


@dataclass(frozen=True, slots=True)
class TaskState:
    """One thread, looked at while it may run."""

    tid: int
    blocked: bool
    """Whether the kernel has it in a system call, not runnable."""
    syscall: int
    """System call number, -1 if none or unknown."""
    switches: int
    """Times it was scheduled in (schedstat); a thread that did not run has the same number as before."""
    wait: WaitKind
    name: str = ""
    objection: str = ""
    """Why it is not at rest whatever else is known of it, for people; "" = nothing is known that speaks against it."""


@dataclass(frozen=True, slots=True)
class StoppedTask:
    """One thread, looked at while the process is stopped."""

    tid: int
    name: str
    wait: WaitKind
    still_waiting: bool
    """Its system call was interrupted by the stop: no event has reached it since it began to wait."""
    stack: tuple[str, ...]
    """Function names, innermost first."""
    objection: str = ""
    """As in `TaskState`."""
