"""Items must follow from their seed alone, vary in all that matters, keep to their total, and show any difference."""

from __future__ import annotations

import time

import pytest

from tests.support.memcached_client import Value
from tests.support.memcached_items import FilledItems, ItemPlan, Lifetime

COUNT = 20_000


@pytest.fixture(scope="module")
def plan() -> ItemPlan:
    """A plan of moderate size."""
    return ItemPlan(COUNT, seed=5)


def test_plan_when_made_twice_then_equal_and_when_seeded_otherwise_then_not(plan: ItemPlan) -> None:
    same, other = ItemPlan(COUNT, seed=5), ItemPlan(COUNT, seed=6)
    some = range(0, COUNT, 101)
    assert all(plan.data(i) == same.data(i) and plan.flags(i) == same.flags(i) for i in some)
    assert not any(plan.data(i) == other.data(i) and plan.flags(i) == other.flags(i) for i in some)


def test_keys_when_listed_then_distinct_and_legal(plan: ItemPlan) -> None:
    keys = {plan.key(i) for i in range(COUNT)}
    assert len(keys) == COUNT
    assert {min(map(len, keys)), max(map(len, keys))} == {6, 250}
    assert not any(byte <= 32 for key in keys for byte in key)


def test_sizes_when_listed_then_heavy_tailed_and_within_the_total(plan: ItemPlan) -> None:
    sizes = sorted(len(plan.data(i)) for i in range(COUNT))
    assert sum(sizes) == plan.value_bytes <= 250_000_000
    assert sizes[0] == 1
    assert sizes[COUNT // 2] < 100
    assert sizes[-1] > 512 * 1024, "some values must need several of memcached's chunks"
    assert sizes[-1] <= 700_000


def test_sizes_when_the_total_is_small_then_it_holds_and_no_value_is_empty() -> None:
    small = ItemPlan(COUNT, total=100_000)
    assert small.value_bytes <= 100_000
    assert all(small.data(i) for i in range(COUNT))


def test_full_size_plan_when_made_then_is_as_large_as_the_proof_says() -> None:
    assert 150_000_000 < ItemPlan().value_bytes <= 250_000_000


def test_lifetimes_when_counted_then_each_kind_and_both_lengths_occur(plan: ItemPlan) -> None:
    found = {(plan.lifetime(i), plan.ttl(i) > 3000) for i in range(COUNT)}
    assert found >= {(kind, long) for kind in (Lifetime.SECONDS, Lifetime.UNIX_TIME) for long in (True, False)}


@pytest.mark.parametrize("change", ["flags", "byte", "shorter", "longer", "other item"])
def test_matches_when_anything_differs_then_says_so(plan: ItemPlan, change: str) -> None:
    index = next(i for i in range(COUNT) if len(plan.data(i)) > 5000)
    data, flags = plan.data(index), plan.flags(index)
    wrong = {
        "flags": Value(data, flags ^ 1),
        "byte": Value(data[:4000] + bytes([data[4000] ^ 1]) + data[4001:], flags),
        "shorter": Value(data[:-1], flags),
        "longer": Value(data + b"x", flags),
        "other item": Value(plan.data(index + 1), plan.flags(index + 1)),
    }[change]
    assert plan.matches(index, Value(data, flags)) == ""
    assert plan.matches(index, wrong)
    if change == "byte":
        assert "byte 4000" in plan.matches(index, wrong)


def test_planted_when_given_then_some_values_hold_the_word_at_every_alignment() -> None:
    word = 0x5555_1234_5678
    plan = ItemPlan(1000, planted=[word])
    pattern = word.to_bytes(8, "little")
    holders = [data for data in map(plan.data, range(1000)) if pattern in data]
    assert len(holders) > 10
    assert {data.index(pattern, place) % 8 for data in holders for place in range(0, 64, 9)} == set(range(8))


def test_remaining_when_time_passes_then_falls_with_slack(plan: ItemPlan) -> None:
    now = time.monotonic()
    filled = FilledItems(plan, now - 3, now - 1, 0)
    low, high = filled.remaining(13, now)
    assert low == pytest.approx(plan.ttl(13) - 5)
    assert high == pytest.approx(plan.ttl(13) + 1)
