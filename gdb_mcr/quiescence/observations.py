"""What a profiler has seen of threads: looks at running ones, stacks of stopped ones, turns of loops."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from gdb_mcr.model.stop_point import TaskState, WaitKind

GAP_S = 0.25
"""Seconds between two looks after which nothing is known of the time between them."""


@dataclass(frozen=True, slots=True)
class SeenLoop:
    """A loop around a call on a stack."""

    function: str
    """Where the loop stands."""
    call_site: int
    """Address of the call instruction in it on which the thread is."""


@dataclass(frozen=True, slots=True)
class SeenStack:
    """A blocked thread, stopped and unwound."""

    call: str
    """The blocking call."""
    wait: WaitKind
    wait_pc: int
    """As in `Stall`; 0 = no wait that libmcr knows."""
    names: tuple[str, ...]
    """Functions from the one that makes the call outwards."""
    loops: tuple[SeenLoop, ...]
    """The outermost first; those that a fork has left in its child as they were do not count."""


@dataclass(slots=True)
class Stall:
    """All waits of a thread at one place."""

    seconds: float = 0.0
    count: int = 0
    longest_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ThreadOrigin:
    """What tells the classes of threads apart."""

    process: tuple[str, ...]
    """Functions active at the fork of its process, innermost first; see `is_first_process`."""
    is_first_process: bool
    creation_id: int
    start: str
    created_by: tuple[str, ...]


@dataclass(slots=True)
class ThreadRecord:
    """One thread over time."""

    pid: int
    origin: ThreadOrigin
    is_from_startup: bool
    """Whether it was there before the load began."""
    first_s: float
    last_s: float = 0.0
    stalls: dict[int, Stall] = field(default_factory=dict)
    """By the return address of the wait (`ThreadEntry.wait_pc`)."""
    idle: set[int] = field(default_factory=set)
    """Where it waited before the load began."""
    stacks: Counter[SeenStack] = field(default_factory=Counter)
    turns: dict[int, int] = field(default_factory=dict)
    """Times that a `SeenLoop.call_site` was executed again while it was watched."""
    _last: tuple[int, int] | None = None  # wait_pc, switches
    _since: float = 0.0
    _was_stopped: bool = False

    def look(self, now_s: float, task: TaskState, wait_pc: int, *, is_idle: bool) -> None:
        """The thread as it is at ``now_s``; time since the last look counts if it waited at the same place then."""
        elapsed, self.last_s = now_s - (self.last_s or now_s), now_s
        if elapsed > GAP_S:
            self._last = None
        if not task.blocked or task.wait in (WaitKind.NONE, WaitKind.HELD):
            self._last = None
            return
        stall = self.stalls.setdefault(wait_pc, Stall())
        if self._last is None or self._last[0] != wait_pc:
            stall.count += 1
            self._since = now_s
        else:
            stall.seconds += elapsed
            stall.longest_s = max(stall.longest_s, now_s - self._since)
            if task.switches != self._last[1] and not self._was_stopped:
                stall.count += task.switches - self._last[1]
                self._since = now_s
        self._last, self._was_stopped = (wait_pc, task.switches), False
        if is_idle:
            self.idle.add(wait_pc)

    def note_stack(self, stack: SeenStack) -> None:
        """It was stopped and unwound. What the stop made it do is no stall of its own."""
        self.stacks[stack] += 1
        self._was_stopped = True

    @property
    def favourite(self) -> int | None:
        """The place where it has waited longest, None if it never waited."""
        return max(self.stalls, key=lambda pc: self.stalls[pc].seconds, default=None)
