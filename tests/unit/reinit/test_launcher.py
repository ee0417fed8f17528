"""What the launcher's second line means."""

from __future__ import annotations

import signal

import pytest

from gdb_mcr.reinit.launcher import describe_end


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("exit 0\n", "exit status 0"),
        ("exit 64\n", "exit status 64"),
        (f"signal {int(signal.SIGSEGV)}\n", "SIGSEGV"),
        ("signal 40\n", "signal 40"),
        ("", ""),
    ],
)
def test_an_end_is_described(line: str, words: str) -> None:
    assert describe_end(line) == words
