"""Stopped threads against a profile: which of them stand at quiescent points. By names, so that any build will do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gdb_mcr.model.profile import Profile, ProfiledStop, ThreadClass, Unblocking
from gdb_mcr.model.stop_point import StopPointKind


@dataclass(frozen=True, slots=True)
class SeenThread:
    """A stopped thread, as a profile knows threads."""

    tid: int
    creation_id: int
    """Call stack ID of its pthread_create, 0 for initial threads."""
    call: str
    """The blocking call that it is in, "" if it is in none."""
    stack: tuple[str, ...]
    """Functions from the one that makes the call outwards to its first one."""


@dataclass(frozen=True, slots=True)
class StopVerdict:
    """What a profile says of one stopped thread."""

    tid: int
    kind: StopPointKind | None
    """None: the profile does not know this place, or this thread."""
    thread_class: ThreadClass | None
    stop: ProfiledStop | None
    why: str
    """Not quiescent: the reason, for people; "" if it is."""

    @property
    def is_quiescent(self) -> bool:
        """Whether an update is legal as far as this thread is concerned."""
        return self.kind is StopPointKind.QUIESCENT


def judge(profile: Profile, threads: Iterable[SeenThread]) -> tuple[StopVerdict, ...]:
    """One verdict a thread, in their order."""
    return tuple(_judge(profile, one) for one in threads)


def ways_out(profile: Profile, threads: Iterable[SeenThread]) -> Mapping[int, Unblocking]:
    """Tid → how to get the thread out of its call, of those at no quiescent point, where the profile says so."""
    verdicts = judge(profile, threads)
    stops = {one.tid: one.stop for one in verdicts if not one.is_quiescent and one.stop is not None}
    return {tid: stop.unblock for tid, stop in stops.items() if stop.unblock is not None}


def _judge(profile: Profile, thread: SeenThread) -> StopVerdict:
    candidates = _candidates(profile, thread)
    if not candidates:
        return StopVerdict(thread.tid, None, None, None, f"the profile knows no thread that {_starts(thread)}")
    for one in candidates:
        for stop in one.stops:
            if stop.call == thread.call and named(stop.stack) == named(thread.stack):
                return StopVerdict(thread.tid, stop.kind, one, stop, _objection(one, stop))
    return StopVerdict(thread.tid, None, candidates[0], None, f"it {_place(thread)}, which the profile does not list")


# Of a creation-time call stack that has changed its names, the thread's first function is left to go by.
def _candidates(profile: Profile, thread: SeenThread) -> Sequence[ThreadClass]:
    classes = list(profile.thread_classes())
    same = [one for one in classes if one.creation_id == thread.creation_id]
    start = thread.stack[-1] if thread.stack else ""
    return [one for one in same if one.start == start] or [
        one for one in classes if one.start == start and bool(one.creation_id) == bool(thread.creation_id)
    ]


def named(stack: Iterable[str]) -> tuple[str, ...]:
    """The functions of a stack that have names: those of libraries without symbols change with every build."""
    return tuple(one for one in stack if "+0x" not in one and not one.startswith("0x"))


def _objection(one: ThreadClass, stop: ProfiledStop) -> str:
    if stop.kind is StopPointKind.QUIESCENT:
        return ""
    where = f"it waits in {stop.call}, called by {stop.stack[0] if stop.stack else '??'}"
    if not one.is_long_lived:
        return f"{where}, and threads of its kind end with their request"
    return f"{where}, a {stop.kind.value} point: it has work in progress"


def _starts(thread: SeenThread) -> str:
    return f"starts in {thread.stack[-1]}" if thread.stack else "has no stack"


def _place(thread: SeenThread) -> str:
    caller = thread.stack[0] if thread.stack else "??"
    return f"waits in {thread.call}, called by {caller}" if thread.call else f"runs in {caller}"
