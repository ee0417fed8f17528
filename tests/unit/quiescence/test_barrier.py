"""The barrier protocol against scripted threads: no process, no time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from gdb_mcr.model.stop_point import StoppedTask, TaskState, WaitKind
from gdb_mcr.quiescence.barrier import QuiescenceReport, reach_barrier


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def task(tid: int, wait: WaitKind, *, blocked: bool = True, switches: int = 1) -> TaskState:
    return TaskState(tid, blocked, 232 if blocked else -1, switches, wait)


def stopped(tid: int, wait: WaitKind, *, waiting: bool = True) -> StoppedTask:
    return StoppedTask(tid, "", wait, waiting, ("epoll_wait", "main"))


T = TypeVar("T")


def play(items: Sequence[T]) -> Iterator[T]:
    yield from items
    while True:
        yield items[-1]


@dataclass
class Script:
    """Plays looks and stops in order; the last one of each repeats."""

    looks: Sequence[Sequence[TaskState]]
    stops: Sequence[Sequence[StoppedTask]]
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._looks, self._stops = play(self.looks), play(self.stops)

    def hold(self) -> None:
        self.calls.append("hold")

    def unhold(self) -> None:
        self.calls.append("unhold")

    def look(self) -> Mapping[int, TaskState]:
        return {one.tid: one for one in next(self._looks)}

    def stop(self) -> Sequence[StoppedTask]:
        self.calls.append("stop")
        return next(self._stops)

    def resume(self) -> None:
        self.calls.append("resume")


def run(script: Script, timeout_s: float = 0.1) -> tuple[Script, QuiescenceReport]:
    clock = Clock()
    return script, reach_barrier(script, timeout_s, clock, clock.sleep)


REST = [task(1, WaitKind.EXTERNAL), task(2, WaitKind.INTERNAL)]
STOPPED = [stopped(1, WaitKind.EXTERNAL), stopped(2, WaitKind.INTERNAL)]


def test_a_process_at_rest_is_stopped_once_and_stays_stopped() -> None:
    script, report = run(Script([REST], [STOPPED]))
    assert script.calls == ["hold", "stop"]
    assert report.converged


def test_a_worker_that_ran_between_two_looks_is_waited_for() -> None:
    ran = [task(1, WaitKind.EXTERNAL), task(2, WaitKind.INTERNAL, switches=2)]
    script, report = run(Script([REST, ran, ran], [STOPPED]))
    assert script.calls == ["hold", "stop"]
    assert report.looks == 4


def test_an_initiator_that_an_event_reached_is_let_go_and_caught_again() -> None:
    disturbed = [stopped(1, WaitKind.EXTERNAL, waiting=False), stopped(2, WaitKind.INTERNAL)]
    script, report = run(Script([REST], [disturbed, [stopped(1, WaitKind.HELD), stopped(2, WaitKind.INTERNAL)]]))
    assert script.calls == ["hold", "stop", "resume", "stop"]
    assert report.converged


def test_a_thread_that_never_rests_is_named_and_everything_runs_again() -> None:
    busy = [task(1, WaitKind.EXTERNAL), task(7, WaitKind.NONE, blocked=False)]
    script, report = run(Script([busy], [STOPPED]))
    assert script.calls == ["hold", "unhold"]
    assert not report.converged
    assert [(one.tid, one.why) for one in report.stragglers] == [(7, "it runs")]


def test_a_thread_blocked_on_a_lock_is_not_at_rest() -> None:
    locked = [task(1, WaitKind.EXTERNAL), task(2, WaitKind.NONE)]
    script, report = run(Script([locked], [STOPPED]))
    assert "stop" not in script.calls
    assert report.stragglers[0].tid == 2
