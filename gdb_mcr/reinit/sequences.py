"""Pairs of two sequences that belong together with certainty: as diff aligns lines, but where diff would have to choose
between equally good alignments, nothing is paired.

Anchors first, as patience diff does: keys that occur once on both sides. Between two anchors, a pair counts if the
alignment from the front and the one from the back agree on it. Near-linear unless the two differ wildly.
Source: E. W. Myers, "An O(ND) difference algorithm and its variations", 1986; B. Cohen, patience diff.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

Pair = tuple[int, int]
"""Index in the first sequence, index in the second."""

Gap = tuple[range, range]
"""What lies between two pairs, or before the first, or behind the last."""

MAX_EDITS = 400
"""A gap in which more than this many elements must go or come is given up: nothing there is certain."""


def certain_pairs(first: Sequence[Hashable], second: Sequence[Hashable]) -> list[Pair]:
    """The certain pairs of equal keys, ascending on both sides. None as a key is equal to nothing."""
    if first == second and None not in first:
        return [(i, i) for i in range(len(first))]
    pairs: list[Pair] = []
    for anchor, (left, right) in _between(_anchors(first, second), len(first), len(second)):
        pairs += _gap_pairs([first[i] for i in left], [second[i] for i in right], left.start, right.start)
        pairs += anchor
    return pairs


def unique_pairs(first: Sequence[Hashable], second: Sequence[Hashable]) -> list[Pair]:
    """Pairs of keys that occur exactly once on both sides, whatever their order; ascending on the first side."""
    once = [key for key, count in Counter(second).items() if count == 1 and key is not None]
    places = dict.fromkeys(once, -1)
    for index, key in enumerate(second):
        if key in places:
            places[key] = index
    counts = Counter(first)
    return [(index, places[key]) for index, key in enumerate(first) if key in places and counts[key] == 1]


def longest_ascending(pairs: Sequence[Pair]) -> list[Pair]:
    """The longest part of `pairs` (ascending on the first side) that ascends on the second side, too."""
    tails: list[int] = []  # the smallest last value of an ascending run of each length
    last: list[int] = []  # the index of the pair that has it
    before: list[int] = []
    for index, (_, value) in enumerate(pairs):
        length = bisect_left(tails, value)
        tails[length : length + 1] = [value]
        last[length : length + 1] = [index]
        before.append(last[length - 1] if length else -1)
    chosen: list[Pair] = []
    index = last[-1] if last else -1
    while index >= 0:
        chosen.append(pairs[index])
        index = before[index]
    return chosen[::-1]


def iter_gaps(pairs: Sequence[Pair], first_size: int, second_size: int) -> Iterator[Gap]:
    """What lies between ascending pairs and is not empty on both sides."""
    for _, (left, right) in _between(pairs, first_size, second_size):
        if left and right:
            yield left, right


def _anchors(first: Sequence[Hashable], second: Sequence[Hashable]) -> list[Pair]:
    return longest_ascending(unique_pairs(first, second))


# Each pair with the gap before it, then the last gap with no pair.
def _between(pairs: Sequence[Pair], first_size: int, second_size: int) -> Iterator[tuple[list[Pair], Gap]]:
    left = right = 0
    for i, j in pairs:
        yield [(i, j)], (range(left, i), range(right, j))
        left, right = i + 1, j + 1
    yield [], (range(left, first_size), range(right, second_size))


def _gap_pairs(first: Sequence[Hashable], second: Sequence[Hashable], left: int, right: int) -> list[Pair]:
    if not first or not second:
        return []
    front = _common(first, second)
    back = _common(first[::-1], second[::-1])
    mirrored = {(len(first) - 1 - i, len(second) - 1 - j) for i, j in back}
    return [(left + i, right + j) for i, j in front if (i, j) in mirrored]


# A longest common subsequence that takes equal elements as early as it can; [] if it would take too many edits.
def _common(first: Sequence[Hashable], second: Sequence[Hashable]) -> list[Pair]:
    start = _equal_prefix(first, second)
    end = _equal_prefix(first[start:][::-1], second[start:][::-1])
    left, right = first[start : len(first) - end], second[start : len(second) - end]
    middle = _myers(left, right)
    if middle is None:
        return []
    pairs = [(i, i) for i in range(start)]
    pairs += [(start + i, start + j) for i, j in middle]
    pairs += [(len(first) - end + i, len(second) - end + i) for i in range(end)]
    return pairs


def _equal_prefix(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    count = 0
    for one, other in zip(first, second, strict=False):
        if one is None or one != other:
            break
        count += 1
    return count


# Myers' greedy algorithm: furthest[k] = how far the path on diagonal k = x - y comes with so many edits.
def _myers(first: Sequence[Hashable], second: Sequence[Hashable]) -> list[Pair] | None:
    furthest = {1: 0}
    history: list[dict[int, int]] = []
    for edits in range(min(len(first) + len(second), MAX_EDITS) + 1):
        history.append(dict(furthest))
        for k in range(-edits, edits + 1, 2):
            x = furthest[k + 1] if _goes_down(furthest, edits, k) else furthest[k - 1] + 1
            while x < len(first) and x - k < len(second) and first[x] is not None and first[x] == second[x - k]:
                x += 1
            furthest[k] = x
            if k == len(first) - len(second) and x >= len(first):
                return _trace_back(history, len(first), len(second))
    return None


# Whether the best path with so many edits comes to diagonal k by leaving out an element of the second sequence.
def _goes_down(furthest: dict[int, int], edits: int, k: int) -> bool:
    return k == -edits or (k != edits and furthest[k - 1] < furthest[k + 1])


def _trace_back(history: Sequence[dict[int, int]], x: int, y: int) -> list[Pair]:
    pairs: list[Pair] = []
    for edits in range(len(history) - 1, -1, -1):
        furthest, k = history[edits], x - y
        down = _goes_down(furthest, edits, k)
        came_from = k + 1 if down else k - 1
        before_x = furthest[came_from] if edits else 0
        run_start = before_x + (0 if down or not edits else 1)
        while x > run_start:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = before_x, before_x - came_from
    return pairs[::-1]
