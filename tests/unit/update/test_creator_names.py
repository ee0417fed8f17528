"""Names for a call stack ID of which only the hash is known."""

from __future__ import annotations

from gdb_mcr.update.creator_names import find_creators, stack_id

MAIN, SERVE, INLINED = ("main",), ("serve",), ("make", "serve")
CHAINS = [MAIN, SERVE, INLINED, ("spawn",), ("other",)]
WAITING = (("wait_for_client",), SERVE, MAIN)


def test_the_function_that_waits_creates_the_thread_itself() -> None:
    made = stack_id([SERVE, MAIN])
    assert find_creators({made}, [WAITING], CHAINS) == {made: ("serve", "main")}


def test_what_was_inlined_at_the_creation_counts() -> None:
    made = stack_id([INLINED, MAIN])
    assert find_creators({made}, [WAITING], CHAINS) == {made: ("make", "serve", "main")}


def test_a_function_that_it_calls_creates_the_thread() -> None:
    made = stack_id([("spawn",), SERVE, MAIN])
    assert find_creators({made}, [WAITING], CHAINS) == {made: ("spawn", "serve", "main")}


def test_what_is_too_far_away_stays_unknown() -> None:
    made = stack_id([("spawn",), ("other",), SERVE, MAIN])
    assert find_creators({made, 7}, [WAITING], CHAINS) == {}
