"""Names of objects as users type them: how they are read, and where they lead in memory."""

from __future__ import annotations

import struct

import pytest

from gdb_mcr.errors import UsageError
from gdb_mcr.model.statement import VariableName
from gdb_mcr.tracing.expressions import Expression, Follow, Index, Member, parse_expression
from gdb_mcr.tracing.navigation import Navigator, Spot
from tests.support.type_builder import Types

NODES, TABLE, LONELY = 0x1000, 0x2000, 0x3000
NODE_SIZE = 24


def _root(text: str) -> str:
    root = parse_expression(text).root
    assert isinstance(root, VariableName)
    return str(root)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("settings", ()),
        ("settings.port", (Member("port"),)),
        (" conns [ 17 ] -> event ", (Index(17), Follow(), Member("event"))),
        ("*head->next", (Follow(), Member("next"), Follow())),
        ("(*head).next", (Follow(), Member("next"))),
        ("(*rows)[0x10]", (Follow(), Index(16))),
        ("**argv", (Follow(), Follow())),
    ],
)
def test_steps_are_taken_in_the_order_of_c(text: str, steps: tuple[object, ...]) -> None:
    assert parse_expression(text).steps == steps


def test_variables_are_named_as_in_annotations() -> None:
    assert _root("main::retry.count") == "main::retry"
    assert _root('"items.c"::lru_locks[3]') == '"items.c"::lru_locks'


def test_an_address_may_be_followed_by_members() -> None:
    assert parse_expression("0x7F10") == Expression(0x7F10)
    assert parse_expression("0x7f10->next") == Expression(0x7F10, (Follow(), Member("next")))
    assert parse_expression("4096").root == 4096


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("", 0, "a name"),
        ("conns[", 6, "a number"),
        ("conns[x]", 6, "a number"),
        ("conns[3", 7, "`]`"),
        ("a b", 2, "can follow"),
        ("settings.", 9, "a name"),
        ("a + 1", 2, "no part"),
        ("0x12zz", 0, "no part"),
        ("(a", 2, "`)`"),
    ],
)
def test_what_is_no_name_is_shown_with_its_place(text: str, column: int, what: str) -> None:
    with pytest.raises(UsageError, match="cannot read") as caught:
        parse_expression(text)
    message, line, caret = str(caught.value).split("\n")
    assert what in message
    assert line == f"    {text}"
    assert caret.index("^") == 4 + column


@pytest.fixture
def memory() -> tuple[Navigator, Spot]:
    """`table`: 3 pointers to nodes; node 0 -> node 1 -> nothing. LONELY is a node that only tracing knows."""
    types = Types()
    node = types.reserve()
    link = types.pointer(node)
    types.struct("node", NODE_SIZE, ("next", 0, link), ("value", 8, types.int), ("any", 16, types.pointer(-1)), at=node)
    table = types.array(link, 3)
    words = {
        TABLE: NODES,
        TABLE + 8: NODES + NODE_SIZE,
        TABLE + 16: 0,
        NODES: NODES + NODE_SIZE,
        NODES + 16: LONELY,
        NODES + NODE_SIZE: 0,
    }

    def read(address: int, size: int) -> bytes | None:
        return struct.pack("<Q", words[address])[:size] if address in words else None

    navigator = Navigator(types.table(), read, lambda address: node if address == LONELY else -1)
    return navigator, Spot(TABLE, table, "table")


@pytest.mark.parametrize(
    ("text", "address", "named"),
    [
        ("table[1]", TABLE + 8, "table[1]"),
        ("*table[1]", NODES + NODE_SIZE, "*table[1]"),
        ("table[0]->value", NODES + 8, "table[0]->value"),
        ("table[0]->next->value", NODES + NODE_SIZE + 8, "table[0]->next->value"),
        ("table[0][1].value", NODES + NODE_SIZE + 8, "table[0][1].value"),
        ("(**table).value", NODES + 8, "(*table)->value"),
        ("table[0]->any->value", LONELY + 8, "table[0]->any->value"),
    ],
)
def test_expressions_lead_along_the_pointers(
    memory: tuple[Navigator, Spot], text: str, address: int, named: str
) -> None:
    navigator, table = memory
    spot = navigator.walk(table, parse_expression(text).steps)
    assert (spot.address, spot.text) == (address, named)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("table[3]", "`table` has 3 elements", ""),
        ("table[2]->value", r"`table\[2\]` is a null pointer", ""),
        ("table[0].value", "is a pointer", "table[0]->value"),
        ("table[0]->valeu", "struct node.* has no member `valeu`", "value"),
        ("table[0]->value.x", "has no members: it is int", ""),
        ("table[0]->value[1]", "neither an array nor a pointer", ""),
        ("*table[0]->value", "is no pointer: it is int", ""),
        ("table[1]->any->value", "cannot be read", ""),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    memory: tuple[Navigator, Spot], text: str, message: str, hint: str
) -> None:
    navigator, table = memory
    with pytest.raises(UsageError, match=message) as caught:
        navigator.walk(table, parse_expression(text).steps)
    assert hint in caught.value.hint
