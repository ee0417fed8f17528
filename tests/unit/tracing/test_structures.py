"""Hash chains, tables of constants, numbers that look like addresses."""

from __future__ import annotations

import struct

import pytest

from gdb_mcr.engine.records import EventKind, Symbol, SymbolKind
from tests.support.transfer_rig import GLOBALS, HEAP, OWN_HEAP, Rig
from tests.support.type_builder import Types

TEXT = GLOBALS - 0x8000


@pytest.fixture
def rig() -> Rig:
    return Rig(Types(), Types())


def put(buffer: bytearray, offset: int, *words: int) -> None:
    struct.pack_into(f"<{len(words)}Q", buffer, offset, *words)


class Chain:
    """Two start-up nodes A and B of `struct node {long mark; struct node *next;}`, with a head on either side."""

    A, B = 0x00, 0x20

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        nodes = []
        for types in (rig.old, rig.new):
            node = types.reserve()
            types.struct("node", 16, ("mark", 0, types.long), ("next", 8, types.pointer(node)), at=node)
            nodes.append(node)
        rig.pairs_by_type = {nodes[0]: nodes[1]}
        rig.variable(0, rig.old.pointer(nodes[0]), 0, rig.new.pointer(nodes[1]))
        for offset in (self.A, self.B):
            rig.pair_chunk(offset, 16, offset, 16, 16)

    def base(self) -> None:
        """At the end of O's start-up: head -> A -> B."""
        put(self.rig.base, 0, HEAP + self.A)
        put(self.rig.base_heap, self.A, 1, HEAP + self.B)
        put(self.rig.base_heap, self.B, 2, 0)


def _nodes(rig: Rig) -> tuple[list[int], int, set[int]]:
    outcome = rig.run()
    marks, at, steps = [], outcome.new_words(0, 1)[0], 0
    while at and steps < 5:
        marks.append(struct.unpack_from("<Q", outcome.own_heap, at - OWN_HEAP)[0])
        at = struct.unpack_from("<Q", outcome.own_heap, at - OWN_HEAP + 8)[0]
        steps += 1
    return marks, steps, {event[0] for event in outcome.events}


def test_a_chain_that_both_sides_relinked_is_o_s_and_ends(rig: Rig) -> None:
    chain = Chain(rig)
    chain.base()
    put(rig.theirs, 0, HEAP + chain.B)
    put(rig.heap, chain.B, 2, HEAP + chain.A)
    put(rig.heap, chain.A, 1, 0)
    put(rig.ours, 0, OWN_HEAP + chain.B)
    put(rig.own_heap, chain.B, 2, OWN_HEAP + chain.A)
    put(rig.own_heap, chain.A, 1, OWN_HEAP + chain.B)  # N's own order, of a table of another size
    marks, steps, _ = _nodes(rig)
    assert (marks, steps) == ([2, 1], 2)


def test_a_chain_that_only_n_linked_otherwise_stays_n_s(rig: Rig) -> None:
    chain = Chain(rig)
    chain.base()
    put(rig.theirs, 0, HEAP + chain.A)
    put(rig.heap, chain.A, 1, HEAP + chain.B)
    put(rig.heap, chain.B, 2, 0)
    put(rig.ours, 0, OWN_HEAP + chain.B)
    put(rig.own_heap, chain.B, 2, OWN_HEAP + chain.A)
    put(rig.own_heap, chain.A, 1, 0)
    marks, _, kinds = _nodes(rig)
    assert marks == [2, 1]
    assert EventKind.STRUCTURE not in kinds


def test_a_chain_that_only_o_changed_moves_and_nothing_is_told(rig: Rig) -> None:
    chain = Chain(rig)
    chain.base()
    put(rig.theirs, 0, HEAP + chain.B)
    put(rig.heap, chain.B, 2, HEAP + chain.A)
    put(rig.heap, chain.A, 1, 0)
    put(rig.ours, 0, OWN_HEAP + chain.A)
    put(rig.own_heap, chain.A, 1, OWN_HEAP + chain.B)
    put(rig.own_heap, chain.B, 2, 0)
    marks, _, kinds = _nodes(rig)
    assert marks == [2, 1]
    assert kinds == set()


class List:
    """Start-up nodes of `struct node {long mark; struct node *next; struct data *data;}`, with a head and an end.

    N has made an object of its own, too, which O does not have.
    """

    A, B, C, DATA, OWN = 0x00, 0x20, 0x40, 0x60, 0x80

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        nodes, datas = [], []
        for types in (rig.old, rig.new):
            node, data = types.reserve(), types.struct("data", 16, ("value", 0, types.long), ("more", 8, types.long))
            members = (("mark", 0, types.long), ("next", 8, types.pointer(node)), ("data", 16, types.pointer(data)))
            types.struct("node", 24, *members, at=node)
            nodes.append(node)
            datas.append(data)
        rig.pairs_by_type = {nodes[0]: nodes[1], datas[0]: datas[1]}
        for offset in (0, 8):
            rig.variable(offset, rig.old.pointer(nodes[0]), offset, rig.new.pointer(nodes[1]))
        for offset in (self.A, self.B, self.C):
            rig.pair_chunk(offset, 24, offset, 24, 24)
        rig.pair_chunk(self.DATA, 16, self.DATA, 16, 16)

    @staticmethod
    def link(variables: bytearray, heap: bytearray, start: int, *order: int) -> None:
        """Head, links and end for this order of nodes, which are marked with their offsets."""
        put(variables, 0, start + order[0], start + order[-1])
        for one, following in zip(order, (*order[1:], None), strict=True):
            put(heap, one, one, 0 if following is None else start + following)

    def order(self) -> tuple[list[int], set[tuple[int, int]]]:
        """N's nodes afterwards, the end last; what was told, with its details."""
        outcome = self.rig.run()
        at, end = outcome.new_words(0, 2)
        found: list[int] = []
        while at and len(found) < 8:
            mark, at = struct.unpack_from("<QQ", outcome.own_heap, at - OWN_HEAP)
            found.append(mark)
        return [*found, end - OWN_HEAP], {(kind, detail) for kind, _, _, detail in outcome.events}


def test_a_list_s_end_goes_with_its_links_though_o_has_not_changed_it(rig: Rig) -> None:
    one = List(rig)
    one.link(rig.base, rig.base_heap, HEAP, one.A, one.B, one.C)
    one.link(rig.theirs, rig.heap, HEAP, one.B, one.A, one.C)
    one.link(rig.ours, rig.own_heap, OWN_HEAP, one.C, one.A, one.B)
    order, events = one.order()
    assert order == [one.B, one.A, one.C, one.C]
    assert (EventKind.STRUCTURE, 0) in events
    assert (EventKind.STRUCTURE, 1) not in events


def test_a_list_that_o_has_left_alone_is_n_s_whatever_else_its_nodes_point_to(rig: Rig) -> None:
    one = List(rig)
    one.link(rig.base, rig.base_heap, HEAP, one.A, one.B, one.C)
    one.link(rig.theirs, rig.heap, HEAP, one.A, one.B, one.C)
    put(rig.heap, one.B + 16, HEAP + one.DATA)
    one.link(rig.ours, rig.own_heap, OWN_HEAP, one.C, one.B, one.A, one.OWN)
    order, events = one.order()
    assert order == [one.C, one.B, one.A, one.OWN, one.OWN]
    assert not {kind for kind, _ in events} & {EventKind.STRUCTURE}


def test_an_object_that_n_has_added_to_a_list_which_both_changed_is_told_as_lost(rig: Rig) -> None:
    one = List(rig)
    one.link(rig.base, rig.base_heap, HEAP, one.A, one.B, one.C)
    one.link(rig.theirs, rig.heap, HEAP, one.B, one.A, one.C)
    one.link(rig.ours, rig.own_heap, OWN_HEAP, one.A, one.B, one.C, one.OWN)
    order, events = one.order()
    assert order == [one.B, one.A, one.C, one.C]
    assert (EventKind.STRUCTURE, 1) in events


def test_a_pointer_to_the_start_of_a_table_of_another_size_leads_to_n_s_table(rig: Rig) -> None:
    table = GLOBALS - 0x100
    rig.symbols.append(Symbol(old_address=table, size=64, new_address=0x99000, kind=SymbolKind.RESIZED))
    pointer, new_pointer = rig.old.pointer(rig.old.long), rig.new.pointer(rig.new.long)
    rig.variable(0, pointer, 0, new_pointer)
    rig.variable(8, pointer, 8, new_pointer)
    put(rig.theirs, 0, table, table + 8)
    assert rig.run().new_words(0, 2) == (0x99000, table + 8)
