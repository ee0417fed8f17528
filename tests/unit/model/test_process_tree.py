"""Which children a start-up log tells of."""

from __future__ import annotations

from gdb_mcr.model.process_tree import BirthKey, births
from gdb_mcr.model.startup_log import LoggedOperation, OperationFlag, OperationKind


def _fork(seq: int, stack_id: int, result: int, error: int = 0) -> LoggedOperation:
    return LoggedOperation(
        seq, OperationKind.FORK, OperationFlag(0), 0, error, stack_id, result, (0,) * 6, b"", None, ()
    )


def test_births_when_forked_from_one_place_then_their_order_tells_them_apart() -> None:
    found = births([_fork(0, 7, 101), _fork(1, 7, 102), _fork(2, 8, 103)])
    assert found == {101: BirthKey(7, 0), 102: BirthKey(7, 1), 103: BirthKey(8, 0)}


def test_births_when_a_fork_failed_then_it_counts_for_nothing() -> None:
    assert births([_fork(0, 7, -1, 11), _fork(1, 7, 102)]) == {102: BirthKey(7, 0)}


def test_births_when_the_log_is_a_child_s_then_its_parent_s_children_are_not_its_own() -> None:
    found = births([_fork(0, 7, 101), _fork(1, 7, 0), _fork(2, 7, 201)])
    assert found == {201: BirthKey(7, 0)}
