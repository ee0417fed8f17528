"""Loops of graphs that are drawn here by hand."""

from __future__ import annotations

from gdb_mcr.quiescence.control_flow import FlowGraph, Loop, loops_around


def test_dominators_of_a_diamond() -> None:
    graph = FlowGraph(0, {0: [1, 2], 1: [3], 2: [3], 3: []})
    assert graph.dominates(0, 3)
    assert graph.dominates(3, 3)
    assert not graph.dominates(1, 3)
    assert not graph.dominates(3, 1)
    assert graph.loops() == ()


def test_one_block_that_jumps_to_itself_is_a_loop() -> None:
    assert FlowGraph(0, {0: [1], 1: [1, 2]}).loops() == (Loop(1, frozenset({1})),)


def test_nested_loops_come_from_the_outside_in() -> None:
    # for (;;) { while (1 → 2 → 1) {} 3 }
    loops = FlowGraph(0, {0: [1], 1: [2, 3], 2: [1], 3: [4], 4: [0, 5]}).loops()
    assert loops == (Loop(0, frozenset({0, 1, 2, 3, 4})), Loop(1, frozenset({1, 2})))
    assert [one.header for one in loops_around(loops, 2)] == [0, 1]
    assert [one.header for one in loops_around(loops, 4)] == [0]
    assert loops_around(loops, 5) == ()


def test_two_ways_back_to_one_header_are_one_loop() -> None:
    # `continue` and the loop's own end.
    loops = FlowGraph(0, {0: [1], 1: [2, 5], 2: [1, 3], 3: [1]}).loops()
    assert loops == (Loop(1, frozenset({1, 2, 3})),)


def test_loops_one_behind_the_other_are_not_nested() -> None:
    loops = FlowGraph(0, {0: [1], 1: [1, 2], 2: [3], 3: [2, 4]}).loops()
    assert {one.header for one in loops} == {1, 2}
    assert [one.header for one in loops_around(loops, 3)] == [2]


def test_a_cycle_with_two_entries_is_a_loop_that_is_not_reducible() -> None:
    # A jump into the middle of a loop, as `goto` or an optimiser makes it.
    loops = FlowGraph(0, {0: [1, 2], 1: [2], 2: [1, 3], 3: []}).loops()
    assert len(loops) == 1
    assert loops[0].body == {1, 2}
    assert not loops[0].is_reducible


def test_a_cycle_with_two_entries_does_not_take_in_the_loop_around_it() -> None:
    loops = FlowGraph(0, {0: [1], 1: [2, 3], 2: [3], 3: [2, 4], 4: [1, 5]}).loops()
    assert [one.body for one in loops] == [{1, 2, 3, 4}, {2, 3}]


def test_blocks_that_cannot_be_reached_do_not_count() -> None:
    graph = FlowGraph(0, {0: [1], 1: [], 7: [8], 8: [7, 1]})
    assert graph.order == [0, 1]
    assert graph.loops() == ()


def test_a_long_chain_needs_no_deep_recursion() -> None:
    size = 20_000
    loops = FlowGraph(0, {**{at: [at + 1] for at in range(size)}, size: [0]}).loops()
    assert [len(one.body) for one in loops] == [size + 1]
