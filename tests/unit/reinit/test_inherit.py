"""Start-up objects, runtime descriptors, and what changed while the old process ran on."""

from __future__ import annotations

import os

from gdb_mcr.model.process import Descriptor
from gdb_mcr.model.startup_log import LoggedOperation, OperationFlag, OperationKind
from gdb_mcr.reinit.inherit import GAP, changes, inheritance, kept_numbers, startup_numbers
from gdb_mcr.runtime_abi.kcmp import is_same_file


def operation(
    seq: int,
    kind: OperationKind,
    result: int = 0,
    *args: int,
    flags: OperationFlag = OperationFlag(0),  # noqa: B008
    error: int = 0,
) -> LoggedOperation:
    padded = (*args, *(0,) * (6 - len(args)))
    return LoggedOperation(seq, kind, flags, 0, error, 0, result, padded, b"", None, ())


def descriptor(number: int, inode: int = 7, flags: int = 0) -> Descriptor:
    return Descriptor(number=number, target=f"socket:[{inode}]", inode=inode, position=0, flags=flags)


LOG = [
    operation(0, OperationKind.SOCKET, 3),
    operation(1, OperationKind.PIPE, 0, 4, 5),
    operation(2, OperationKind.OPEN, 6),
    operation(3, OperationKind.CLOSE, 0, 6),
    operation(4, OperationKind.OPEN, -1, error=2),
    operation(5, OperationKind.FOPEN, 6),
    operation(6, OperationKind.SOCKET, 8, flags=OperationFlag.GONE),
    operation(7, OperationKind.FOPEN, 9),
    operation(8, OperationKind.FCLOSE, 0, 0x7000, 9),
]


def test_startup_objects_are_those_that_still_stand() -> None:
    assert startup_numbers(LOG) == {3: 0, 4: 1, 5: 1, 6: 5}


def test_a_connection_is_no_startup_object_even_if_it_came_before_the_startup_was_over() -> None:
    assert startup_numbers([*LOG, operation(9, OperationKind.ACCEPT, 8, 3)]) == startup_numbers(LOG)
    reused = [*LOG, operation(9, OperationKind.CLOSE, 0, 5), operation(10, OperationKind.ACCEPT, 5, 3)]
    assert 5 not in startup_numbers(reused)


def test_everything_open_is_inherited_but_what_is_private() -> None:
    opened = {number: descriptor(number) for number in (10, 8, 3, 6, 900)}
    found = inheritance(opened, LOG, private={900})
    assert [one.number for one in found.startup] == [3, 6]
    assert [one.number for one in found.runtime] == [8, 10]
    assert [one.number for one in found.all] == [3, 6, 8, 10]


def test_numbers_above_the_highest_are_kept_for_the_old_server() -> None:
    assert kept_numbers([0, 1, 7], 5, 20_000) == 7 + GAP
    assert kept_numbers([0, 1, 7], 500, 20_000) == 500 + GAP
    assert kept_numbers([], 0, 20_000) == GAP


def test_some_numbers_below_the_limit_are_left_to_the_new_server() -> None:
    assert kept_numbers([0, 14], 964, 1024) == 1024 - GAP
    assert kept_numbers([0, 1003], 1003, 1024) == 1024 - 10
    assert kept_numbers([0, 1999], 1999, 1024) == 2000  # a limit that was lowered later closes nothing


def test_only_what_changed_is_sent_again() -> None:
    sent = {number: descriptor(number, inode=number) for number in (1, 2, 3, 4, 5)}
    now = {
        1: descriptor(1, inode=1),
        2: descriptor(2, inode=22),
        3: descriptor(3, inode=3),
        4: descriptor(4, inode=4, flags=os.O_CLOEXEC),
        9: descriptor(9, inode=9),
    }
    found = changes(sent, now, lambda number: number != 3)
    assert [one.number for one in found.send] == [2, 3, 9]
    assert found.close == (5,)
    assert [one.number for one in found.retag] == [4]


def test_open_files_are_compared_not_names() -> None:
    pid = os.getpid()
    first, second = os.pipe()
    twin = os.dup(first)
    again = os.open(f"/proc/self/fd/{first}", os.O_RDONLY)
    assert is_same_file(pid, first, pid, twin)
    assert not is_same_file(pid, first, pid, second)
    assert not is_same_file(pid, first, pid, again)
    for number in (first, second, twin, again):
        os.close(number)
    assert not is_same_file(pid, 0, pid, first)
