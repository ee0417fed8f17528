"""Problems are shown with a caret under the right columns; mistyped names find their neighbours."""

from __future__ import annotations

import pytest

from gdb_mcr.source import Problem, Span, describe_problem, did_you_mean, edit_distance, nearest


def shown(line: str, column: int, end_column: int, *, end_line: int = 1) -> list[str]:
    problem = Problem("x", Span("f", 1, column, end_line, end_column), "wrong", "hint", line)
    return list(describe_problem(problem))


def test_caret_stands_under_the_span() -> None:
    assert shown("drop abc;", 6, 9) == ["f:1:6: wrong [x]", "    drop abc;", "         ^^^", "    hint"]


def test_tabs_stay_tabs_and_wide_characters_are_two_columns() -> None:
    assert shown("\té日x", 4, 5)[2] == "    \t   ^"


def test_empty_span_has_one_caret() -> None:
    assert shown("drop", 5, 5)[2] == "        ^"


def test_span_over_lines_is_marked_to_the_line_end() -> None:
    assert shown("drop x", 1, 3, end_line=4)[2] == "    ^^^^^^"


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [("", "", 0), ("a", "", 1), ("rbuf", "rbfu", 1), ("kitten", "sitting", 3), ("ab", "ba", 1), ("conn", "conn", 0)],
)
def test_edit_distance(one: str, other: str, distance: int) -> None:
    assert edit_distance(one, other, 9) == edit_distance(other, one, 9) == distance


def test_edit_distance_stops_at_its_limit() -> None:
    assert edit_distance("a" * 1000, "b" * 1000, 2) == 3


def test_nearest_come_first_and_far_ones_not_at_all() -> None:
    assert nearest("hits", ["hit", "hitz", "misses", "hits_total"]) == ["hit", "hitz"]


def test_hint_names_them() -> None:
    assert did_you_mean("rbfu", ["rbuf", "wbuf"]) == "did you mean `rbuf`?"
    assert did_you_mean("x", ["something"]) == ""
