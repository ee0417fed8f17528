"""The end of what a failed start-up wrote, fit for one line."""

from __future__ import annotations

import os

from gdb_mcr.update.last_words import TAIL_BYTES, StartUpOutput, last_lines


def test_the_last_lines_stand_in_one() -> None:
    assert last_lines(b"one\ntwo\n\n  three\nfour\n") == "two / three / four"


def test_bytes_that_are_no_text_do_not_reach_the_terminal() -> None:
    assert last_lines(b"\x1b[31mred\xff\n") == "?[31mred\N{REPLACEMENT CHARACTER}"


def test_nothing_was_said() -> None:
    with StartUpOutput() as output:
        assert output.tail() == ""


def test_only_the_end_is_read() -> None:
    with StartUpOutput() as output:
        os.write(output.fileno(), b"x" * 2 * TAIL_BYTES + b"\nlast words\n")
        assert len(output.tail()) <= TAIL_BYTES + len(" / ")
        assert output.tail().endswith("x / last words")
