"""The barrier protocol against scripted threads: no process, no time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from gdb_mcr.model.stop_point import StoppedTask, TaskState, WaitKind
from gdb_mcr.quiescence.barrier import LONGEST_BREATH_S, SLOW_S, STUCK_S, reach_barrier
from gdb_mcr.quiescence.free_riding import avoid_functions, ride_free
from gdb_mcr.quiescence.stillness import JUST_CREATED, JUST_ENDED, RAN, RUNS, QuiescenceReport


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def task(tid: int, wait: WaitKind, *, blocked: bool = True, switches: int = 1, objection: str = "") -> TaskState:
    return TaskState(tid, blocked, 232 if blocked else -1, switches, wait, "", objection)


def stopped(tid: int, wait: WaitKind, *, waiting: bool = True, objection: str = "") -> StoppedTask:
    return StoppedTask(tid, "", wait, waiting, ("epoll_wait", "main"), objection)


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
    breaths: list[float] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)
    unblocked: int = 0

    def __post_init__(self) -> None:
        self._looks, self._stops = play(self.looks), play(self.stops)

    def hold(self, *, only_idle: bool = False) -> None:
        call = "drain" if only_idle else "hold"
        if self.calls[-1:] != [call]:
            self.calls.append(call)

    def unblock(self) -> None:
        self.unblocked += 1

    def breathe(self, seconds: float) -> None:
        self.calls.append("breathe")
        self.breaths.append(seconds)
        self.clock.sleep(seconds)

    def look(self) -> Mapping[int, TaskState]:
        return {one.tid: one for one in next(self._looks)}

    def stop(self) -> Sequence[StoppedTask]:
        self.calls.append("stop")
        return next(self._stops)

    def resume(self) -> None:
        self.calls.append("resume")


def run(script: Script, timeout_s: float = 0.1) -> tuple[Script, QuiescenceReport]:
    return script, reach_barrier(script, timeout_s, script.clock, script.clock.sleep)


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


def test_a_worker_that_blocked_between_two_looks_ran_although_it_was_scheduled_in_before() -> None:
    runs = [task(1, WaitKind.EXTERNAL), task(2, WaitKind.INTERNAL, blocked=False)]
    _, report = run(Script([runs, REST, REST], [STOPPED]))
    assert report.looks == 4


def test_a_thread_that_ended_between_two_looks_may_have_woken_another() -> None:
    three = [*REST, task(3, WaitKind.INTERNAL)]
    _, report = run(Script([three, REST, REST], [STOPPED]))
    assert (report.looks, report.ended) == (4, 1)


def test_a_thread_that_was_born_between_two_looks_is_waited_for() -> None:
    three = [*REST, task(3, WaitKind.INTERNAL)]
    _, report = run(Script([REST, three, three], [[*STOPPED, stopped(3, WaitKind.INTERNAL)]]))
    assert (report.looks, report.born) == (4, 1)


def test_a_held_thread_may_look_after_the_hold() -> None:
    first = [task(1, WaitKind.HELD), task(2, WaitKind.INTERNAL)]
    second = [task(1, WaitKind.HELD, switches=2, blocked=False), task(2, WaitKind.INTERNAL)]
    script, report = run(Script([first, second], [[stopped(1, WaitKind.HELD, waiting=False), STOPPED[1]]]))
    assert report.converged
    assert script.calls == ["hold", "stop"]


def test_an_initiator_that_an_event_reached_is_let_go_and_caught_again_while_others_stay_held() -> None:
    disturbed = [stopped(1, WaitKind.EXTERNAL, waiting=False), stopped(2, WaitKind.INTERNAL)]
    script, report = run(Script([REST], [disturbed, [stopped(1, WaitKind.HELD), stopped(2, WaitKind.INTERNAL)]]))
    assert script.calls == ["hold", "stop", "resume", "hold", "stop"]
    assert report.converged


def test_held_threads_go_on_when_what_they_wait_for_has_come() -> None:
    objected = [stopped(1, WaitKind.HELD, objection="an event lies in its pipe"), STOPPED[1]]
    script, report = run(Script([REST], [objected, STOPPED]))
    assert report.converged
    assert script.calls == ["hold", "stop", "resume", "drain", "stop"]


def test_all_held_threads_go_on_when_that_does_not_help() -> None:
    objected = [stopped(1, WaitKind.HELD, objection="the profile says: not here"), STOPPED[1]]
    script, report = run(Script([REST], [objected, objected, STOPPED]))
    assert report.converged
    assert [one for one in script.calls if one in ("drain", "breathe")] == ["drain", "breathe"]


def test_a_thread_that_never_rests_is_named_with_the_time_since_it_did() -> None:
    busy = [task(1, WaitKind.EXTERNAL), task(7, WaitKind.NONE, blocked=False)]
    script, report = run(Script([REST, busy], [STOPPED]))
    assert "stop" not in script.calls
    assert not report.converged
    (one,) = report.stragglers
    assert (one.tid, one.why) == (7, RUNS)
    assert one.since_s == report.seconds


def test_threads_that_come_and_go_are_counted() -> None:
    looks = [[task(1, WaitKind.EXTERNAL), task(tid, WaitKind.INTERNAL)] for tid in range(10, 14)]
    _, report = run(Script(looks, [STOPPED]), timeout_s=0.0002)
    assert {one.why for one in report.stragglers} == {JUST_CREATED, JUST_ENDED}
    assert (report.born, report.ended) == (3, 3)


def test_a_thread_blocked_on_a_lock_is_not_at_rest() -> None:
    locked = [task(1, WaitKind.EXTERNAL), task(2, WaitKind.NONE)]
    script, report = run(Script([locked], [STOPPED]))
    assert "stop" not in script.calls
    assert report.stragglers[0].tid == 2


def test_who_holds_a_lock_that_another_needs_is_let_go_again_and_again_for_longer() -> None:
    locked = [task(1, WaitKind.HELD), task(2, WaitKind.NONE)]
    script, report = run(Script([locked], [STOPPED]), timeout_s=1.0)
    assert not report.converged
    assert 5 < len(script.breaths) < 0.5 / STUCK_S
    assert abs(script.calls.count("drain") - len(script.breaths)) <= 1
    assert script.breaths == sorted(script.breaths)
    assert script.breaths[-1] == LONGEST_BREATH_S


def test_a_long_computation_does_not_keep_others_held() -> None:
    computes = [task(1, WaitKind.HELD), task(2, WaitKind.NONE, blocked=False)]
    script, _ = run(Script([computes], [STOPPED]), timeout_s=1.0)
    let_go = sum(one in ("drain", "breathe") for one in script.calls)
    assert 0.6 / SLOW_S <= let_go <= 1.0 / SLOW_S


def test_nobody_is_let_go_where_nobody_is_held() -> None:
    script, _ = run(Script([[task(1, WaitKind.EXTERNAL), task(2, WaitKind.NONE)]], [STOPPED]), timeout_s=1.0)
    assert script.breaths == []


def test_a_child_process_that_was_born_meanwhile_is_in_the_way() -> None:
    child = task(99, WaitKind.NONE, objection="it is a child process")
    _, report = run(Script([[*REST, child]], [STOPPED]))
    assert [(one.tid, one.why) for one in report.stragglers] == [(99, "it is a child process")]


def test_free_riding_catches_nobody() -> None:
    ran = [task(1, WaitKind.EXTERNAL), task(2, WaitKind.INTERNAL, switches=2)]
    clock, script = Clock(), Script([REST, ran, ran], [STOPPED])
    assert ride_free(script, 1.0, clock, clock.sleep).converged
    assert script.calls == ["stop"]


def test_free_riding_comes_to_no_end_with_threads_that_take_turns() -> None:
    looks = [[task(1, WaitKind.TIMED, switches=n), task(2, WaitKind.TIMED, switches=-n)] for n in range(1000)]
    clock, script = Clock(), Script(looks, [STOPPED])
    report = ride_free(script, 0.1, clock, clock.sleep)
    assert not report.converged
    assert {one.why for one in report.stragglers} == {RAN}
    assert script.calls == []


def test_the_function_check_takes_any_moment_without_changed_functions() -> None:
    inside = StoppedTask(1, "", WaitKind.NONE, False, ("helper", "changed", "main"))
    outside = StoppedTask(1, "", WaitKind.NONE, False, ("helper", "other", "main"))
    clock, script = Clock(), Script([REST], [[inside], [outside]])
    report = avoid_functions(script, {"changed"}, 1.0, clock, clock.sleep)
    assert report.converged
    assert script.calls == ["stop", "resume", "stop"]


def test_who_blocks_in_the_middle_of_work_is_got_out_before_others_are_let_go() -> None:
    stuck = [task(1, WaitKind.HELD), task(2, WaitKind.NONE)]
    script, report = run(Script([stuck] * 40 + [REST], [STOPPED]), timeout_s=5.0)
    assert report.converged
    assert script.unblocked > 0


def test_nobody_is_got_out_of_anything_where_all_come_to_rest_by_themselves() -> None:
    script, _ = run(Script([REST], [STOPPED]))
    assert script.unblocked == 0
