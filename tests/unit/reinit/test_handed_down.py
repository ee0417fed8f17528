"""Allocations that a child of N has from its parent."""

from __future__ import annotations

from gdb_mcr.model.startup_log import Allocation, AllocationFlag
from gdb_mcr.reinit.handed_down import count_misplaced


def _made(seq: int, stack_id: int, plan: int = -1, flags: int = 0) -> Allocation:
    return Allocation(seq, 0, stack_id, 0, 0, 0x1000 * seq, 8, 8, 0x1000 * seq, 8, flags, plan)


OLD_PARENT = [_made(0, 10), _made(1, 11), _made(2, 12)]
OLD_CHILD = [_made(0, 10), _made(1, 21)]  # the fork was behind the first


def test_nothing_is_misplaced_when_the_fork_is_behind_the_same_allocation() -> None:
    new_parent, new_child = [_made(0, 10, 0), _made(1, 11, 1)], [_made(0, 10, 0), _made(1, 21, 1)]
    assert count_misplaced(OLD_PARENT, OLD_CHILD, new_parent, new_child) == 0


def test_what_n_made_before_its_fork_and_o_behind_it_is_misplaced() -> None:
    both = [_made(0, 10, 0), _made(1, 11, 1)]
    assert count_misplaced(OLD_PARENT, OLD_CHILD, both, both) == 1


def test_what_was_freed_or_has_no_place_is_nobody_s() -> None:
    both = [_made(0, 10), _made(1, 11, 1, AllocationFlag.FREED)]
    assert count_misplaced(OLD_PARENT, OLD_CHILD, both, both) == 0
