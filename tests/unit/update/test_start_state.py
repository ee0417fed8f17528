"""Which files N does not find, and which state of O's start-up counts then."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from gdb_mcr.errors import UsageError
from gdb_mcr.model.annotation import InputRule
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.startup_log import StartupInput, StartupLog
from gdb_mcr.model.statement import InputState
from gdb_mcr.runtime_abi.control import Control, EarlyPlace, TablePlace
from gdb_mcr.update.start_state import check_absent, input_state, unsettled_inputs

DUMP = StartupInput("/var/lib/redis/dump.rdb", 1, 2, 3, 4, 5, early=7)
ABSENT = InputRule("dump.rdb", InputState.ABSENT)
CONTROL = cast("Control", SimpleNamespace(early=(EarlyPlace(7, 10, 0x1000, 0x1000, TablePlace(0, 0, 0, 0)),)))


def log(*inputs: StartupInput) -> StartupLog:
    return cast("StartupLog", SimpleNamespace(inputs=inputs))


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("dump.rdb", True),
        ("redis/dump.rdb", True),
        ("/var/lib/redis/dump.rdb", True),
        ("*.rdb", True),
        ("/var/*.rdb", True),
        ("ump.rdb", False),
        ("/dump.rdb", False),
        ("/var/lib/redis", False),
    ],
)
def test_input_when_named_by_the_end_of_its_path_then_meant(pattern: str, fits: bool) -> None:
    found = input_state(DUMP, [InputRule(pattern, InputState.ABSENT)])
    assert found is (InputState.ABSENT if fits else None)


def test_input_when_named_twice_then_the_last_statement_counts() -> None:
    assert input_state(DUMP, [ABSENT, InputRule("/var/*", InputState.NEW)]) is InputState.NEW


def test_absent_when_memory_before_it_is_known_then_nothing_to_tell() -> None:
    check_absent(log(DUMP), CONTROL, [ABSENT])


@pytest.mark.parametrize("early", [0, 3])
def test_absent_when_memory_before_it_is_not_known_then_refused(early: int) -> None:
    with pytest.raises(UsageError, match=r"/var/lib/redis/dump\.rdb"):
        check_absent(log(replace(DUMP, early=early)), CONTROL, [ABSENT])
    check_absent(log(replace(DUMP, early=early)), CONTROL, [])


def test_losses_when_a_file_was_read_then_told_what_to_say_of_it() -> None:
    loss = Finding("R13:element dict", "R13", True, "lost", "", "")
    (found,) = unsettled_inputs([loss], lambda: log(DUMP), CONTROL, [])
    assert found.settle == 'input "/var/lib/redis/dump.rdb" absent;'
    assert unsettled_inputs([loss], lambda: log(DUMP), CONTROL, [ABSENT]) == []
    assert unsettled_inputs([], lambda: log(DUMP), CONTROL, []) == []
