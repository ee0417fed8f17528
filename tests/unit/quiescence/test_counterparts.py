"""O's threads and their counterparts in N, by their creation and by the functions on their stacks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gdb_mcr.model.profile import EventOrigin, ProcessClass, Profile, ProfiledStop, Stability, ThreadClass
from gdb_mcr.model.results import Build
from gdb_mcr.model.stop_point import StopPointKind, ThreadRole
from gdb_mcr.quiescence.counterparts import PlacedThread, mismatches
from gdb_mcr.quiescence.profile import SeenThread

CREATION = 77


def placed(tid: int, key: int, call: str, *stack: str) -> PlacedThread:
    return PlacedThread(key, f"t{tid}", SeenThread(tid, CREATION, call, stack))


IDLE = placed(1, 10, "poll", "wait_for", "loop", "worker")
BUSY = placed(1, 10, "poll", "wait_for", "handle", "loop", "worker")
NEW = placed(21, 10, "poll", "wait_for", "loop", "worker")


def test_the_same_functions_are_the_same_point() -> None:
    assert mismatches([IDLE], [NEW]) == ()


def test_another_call_of_the_same_function_is_the_same_point() -> None:
    assert mismatches([IDLE], [replace(NEW, seen=replace(NEW.seen, call="nanosleep"))]) == ()


def test_functions_without_names_do_not_count() -> None:
    old, new = (("lib.so+0x10", "loop", "worker"), ("loop", "lib.so+0x4", "worker"))
    assert mismatches([placed(1, 10, "poll", *old)], [placed(21, 10, "poll", *new)]) == ()


def test_one_function_more_is_work_in_progress() -> None:
    (found,) = mismatches([BUSY], [NEW])
    assert found.counterpart == NEW
    assert found.why == (
        "it waits in poll in wait_for < handle < loop < worker, "
        "but its counterpart in the new build waits in poll in wait_for < loop < worker"
    )


def test_a_counterpart_that_does_not_wait_is_at_no_point() -> None:
    (found,) = mismatches([IDLE], [replace(NEW, seen=replace(NEW.seen, call=""))])
    assert "its counterpart in the new build runs in wait_for < loop < worker" in found.why


def test_a_thread_of_another_kind_is_no_counterpart() -> None:
    (found,) = mismatches([IDLE], [placed(21, 11, "poll", "clock")])
    assert found.counterpart is None
    assert "the new build's start-up has no such thread" in found.why


def test_the_first_function_tells_among_those_whose_creators_have_other_names() -> None:
    assert mismatches([IDLE], [replace(NEW, key=99)]) == ()


def test_no_thread_is_the_counterpart_of_two() -> None:
    second = placed(2, 11, "poll", "wait_for", "loop", "worker")
    found = mismatches([second, IDLE], [NEW])
    assert [(one.thread.seen.tid, one.counterpart) for one in found] == [(2, None)]


def test_threads_of_the_new_build_alone_are_its_own_affair() -> None:
    assert mismatches([IDLE], [NEW, placed(22, 11, "poll", "clock")]) == ()


def _profile(*kinds: StopPointKind) -> Profile:
    stacks = (BUSY.seen.stack, NEW.seen.stack)
    stops = [
        ProfiledStop("poll", stack, kind, EventOrigin.EXTERNAL, 1, 1.0, 1.0)
        for stack, kind in zip(stacks, kinds, strict=True)
    ]
    role, stability = ThreadRole.INITIATOR, Stability.STABLE
    one = ThreadClass("worker", (), CREATION, 1, role, stability, True, None, tuple(stops))
    return Profile(Build("/srv", "aa"), ("srv",), "", 1.0, 1, 1, (ProcessClass((), 1, stability, (one,)),))


@pytest.mark.parametrize(
    ("kind", "expected"), [(StopPointKind.QUIESCENT, 0), (StopPointKind.BLOCKING, 1)], ids=["quiescent", "blocking"]
)
def test_a_profile_settles_it_if_both_points_are_quiescent(kind: StopPointKind, expected: int) -> None:
    assert len(mismatches([BUSY], [NEW], _profile(kind, StopPointKind.QUIESCENT))) == expected
