"""Only what every best alignment agrees on is paired."""

from __future__ import annotations

import random
import time
from functools import cache

import pytest

from gdb_mcr.reinit.sequences import certain_pairs, iter_gaps, longest_ascending, unique_pairs


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("", "abc", []),
        ("abc", "abc", [(0, 0), (1, 1), (2, 2)]),
        ("abc", "xabc", [(0, 1), (1, 2), (2, 3)]),
        ("abc", "axbc", [(0, 0), (1, 2), (2, 3)]),
        ("abc", "abcx", [(0, 0), (1, 1), (2, 2)]),
        ("abcd", "ad", [(0, 0), (3, 1)]),
        ("xxxx", "xxxx", [(0, 0), (1, 1), (2, 2), (3, 3)]),
        ("xxxx", "xxxxx", []),
        ("axxb", "axxxb", [(0, 0), (3, 4)]),
        ("axb", "axyb", [(0, 0), (1, 1), (2, 3)]),
        ("xaxbx", "xaxxbx", [(0, 0), (1, 1), (3, 4), (4, 5)]),
        ("ab", "ba", [(1, 0)]),
    ],
)
def test_certain_pairs(first: str, second: str, expected: list[tuple[int, int]]) -> None:
    assert certain_pairs(list(first), list(second)) == expected


def test_none_is_equal_to_nothing() -> None:
    assert certain_pairs([None, 1, None], [None, 1, None]) == [(1, 1)]
    assert certain_pairs([None], [None]) == []


@cache
def common_length(first: str, second: str) -> int:
    if not first or not second:
        return 0
    if first[0] == second[0]:
        return 1 + common_length(first[1:], second[1:])
    return max(common_length(first[1:], second), common_length(first, second[1:]))


@pytest.mark.parametrize("seed", range(40))
def test_pairs_are_part_of_every_longest_alignment_between_anchors(seed: int) -> None:
    """Without a unique key there is no anchor, so that each pair must be in a longest common subsequence."""
    rng = random.Random(seed)
    first = "".join(rng.choice("xyz") for _ in range(rng.randint(6, 12)))
    second = "".join(rng.choice("xyz") for _ in range(rng.randint(6, 12)))
    pairs = certain_pairs(first, second)
    assert pairs == sorted(pairs)
    assert [j for _, j in pairs] == sorted(j for _, j in pairs)
    assert all(first[i] == second[j] for i, j in pairs)
    if unique_pairs(first, second):
        return
    whole = common_length(first, second)
    for i, j in pairs:
        assert common_length(first[:i], second[:j]) + 1 + common_length(first[i + 1 :], second[j + 1 :]) == whole


def test_unique_pairs_find_reordered_elements() -> None:
    assert unique_pairs("abcd", "dxca") == [(0, 3), (2, 2), (3, 0)]
    assert longest_ascending([(0, 3), (1, 1), (2, 2), (3, 0)]) == [(1, 1), (2, 2)]


def test_gaps() -> None:
    gaps = list(iter_gaps([(1, 2), (3, 3)], 6, 6))
    assert gaps == [(range(0, 1), range(0, 2)), (range(4, 6), range(4, 6))]


@pytest.mark.parametrize("kind", ["unique", "runs", "unlike"])
def test_long_sequences_are_aligned_in_a_moment(kind: str) -> None:
    """200,000 elements with insertions everywhere; the bound is far above what it takes."""
    size = 200_000
    first = [i % 7 for i in range(size)] if kind == "runs" else list(range(size))
    second = [value for i, value in enumerate(first) for value in ([value, -1] if i % 5000 == 17 else [value])]
    if kind == "unlike":
        second = [-1 - (value % 3) for value in second]
        first = [value % 5 for value in first]
    start = time.perf_counter()
    pairs = certain_pairs(first, second)
    assert time.perf_counter() - start < 5
    assert len(pairs) == (0 if kind == "unlike" else size)
