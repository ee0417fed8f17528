"""Which annotation is suggested for memory whose type is not known."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gdb_mcr.annotations.syntax import parse_text
from gdb_mcr.model.datatype import DataType
from gdb_mcr.tracing.explain import Place, member_type
from gdb_mcr.tracing.settling import free_statement, plain_statement
from tests.support.type_builder import Types


@dataclass
class OneField:
    """An object that one field leads to."""

    name: str
    type: DataType | None

    def way_in(self, index: int) -> Place | None:
        return Place(0, 8) if self.name else None

    def field_type(self, place: Place) -> DataType | None:
        return self.type

    def short_field(self, place: Place) -> str:
        return self.name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("conn.rbuf", "bytes conn.rbuf;"),
        ("threads[3].log.text", "bytes threads.log.text;"),
        ("main::line", "bytes main::line;"),
        ("opaque (allocated in cache_alloc)+8", ""),
        ("mapping 0x7f0000000000+8", ""),
        (".text", ""),
        ("", ""),
    ],
)
def test_a_pointer_that_has_a_name_is_suggested(name: str, said: str) -> None:
    types = Types()
    pointer = types.pointer(types.char)
    table = types.table()
    assert plain_statement(OneField(name, table[pointer]), table, 1) == said
    assert not parse_text(said, "suggested.mcr").problems


def test_only_pointers_to_what_holds_none_are_suggested() -> None:
    types = Types()
    to_void, to_char = types.pointer(-1), types.pointer(types.char)
    buffer = types.struct("buf", 16, ("data", 0, to_char), ("used", 8, types.long))
    others = [types.pointer(to_char), types.pointer(types.array(buffer, 2)), types.pointer(types.function), types.long]
    table = types.table()
    said = [plain_statement(OneField("s.f", table[one]), table, 1) for one in (to_void, to_char, *others)]
    assert said == ["bytes s.f;", "bytes s.f;", "", "", "", ""]


def test_a_type_that_only_links_is_suggested_as_free() -> None:
    types = Types()
    link = types.reserve()
    entry = types.struct("", 8, ("stqe_next", 0, types.pointer(link)))
    types.struct("cache_free_s", 8, ("c_next", 0, entry), at=link)
    node = types.reserve()
    types.struct("node", 16, ("next", 0, types.pointer(node)), ("value", 8, types.long), at=node)
    name = types.struct("name", 8, ("text", 0, types.pointer(types.char)))
    empty = types.struct("empty", 0)
    table = types.table()
    assert free_statement(table, node, name, empty, -1, types.long) == ""
    assert free_statement(table, -1, node, link) == "free struct cache_free_s;"


def test_member_type_is_that_of_what_begins_there() -> None:
    types = Types()
    inner = types.struct("inner", 16, ("a", 0, types.long), ("b", 8, types.int))
    outer = types.struct("outer", 40, ("x", 0, types.long), ("rows", 8, types.array(inner, 2)))
    table = types.table()
    found = [member_type(table, outer, offset) for offset in (0, 8, 24, 32, 33, 37)]
    assert [one.name if one else "" for one in found] == ["long", "long", "long", "int", "", ""]
