"""Threads of N that must look again when N is released."""

from __future__ import annotations

import pytest

from gdb_mcr.model.startup_log import ThreadEntry, WaitKind
from gdb_mcr.reinit.equivalence import threads_to_wake


def _thread(index: int, creation: int, wait: WaitKind, *, exited: bool = False) -> ThreadEntry:
    return ThreadEntry(index, 100 + index, creation, 0, 0, 0, 0, wait, True, exited, 0)


@pytest.mark.parametrize("theirs", [WaitKind.HELD, WaitKind.TIMED, WaitKind.EXTERNAL, WaitKind.NONE])
def test_wake_when_the_old_thread_was_in_its_loop_then_the_new_one_looks_again(theirs: WaitKind) -> None:
    assert threads_to_wake([_thread(3, 7, theirs)], [_thread(1, 7, WaitKind.INTERNAL)]) == [1]


def test_wake_when_both_wait_for_other_threads_then_none() -> None:
    assert threads_to_wake([_thread(3, 7, WaitKind.INTERNAL)], [_thread(1, 7, WaitKind.INTERNAL)]) == []


def test_wake_when_the_old_server_has_no_such_thread_then_none() -> None:
    ended = _thread(3, 7, WaitKind.HELD, exited=True)
    assert threads_to_wake([ended], [_thread(1, 7, WaitKind.INTERNAL), _thread(2, 8, WaitKind.INTERNAL)]) == []


def test_wake_when_the_new_thread_is_held_anyway_then_none() -> None:
    assert threads_to_wake([_thread(3, 7, WaitKind.HELD)], [_thread(1, 7, WaitKind.HELD)]) == []
