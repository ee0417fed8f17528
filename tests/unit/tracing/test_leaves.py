"""Fields of an object one by one: what a conversion program does to each, in words."""

from __future__ import annotations

import struct

from gdb_mcr.engine.records import OpCode
from gdb_mcr.model.layout import LayoutComparer, type_text
from gdb_mcr.tracing.conversion import ProgramCompiler
from gdb_mcr.tracing.leaves import Leaf, leaf_path, unroll
from gdb_mcr.tracing.policy import Policy
from gdb_mcr.tracing.values import ValueWriter
from gdb_mcr.units import Range
from tests.support.type_builder import Types


def _leaves(old: Types, old_type: int, new: Types, new_type: int, wanted: Range | None = None) -> list[Leaf]:
    layout = LayoutComparer(old.table(), new.table())
    compiler = ProgramCompiler(old.table(), new.table(), Policy(), layout)
    row = compiler.programs[compiler.program(old_type, new_type)]
    ops = compiler.ops[row.first : row.first + row.count]
    return list(unroll(ops, wanted or Range(0, old.table()[old_type].size)))


def _nested(types: Types, *, has_flag: bool) -> int:
    point = types.struct("point", 8, ("x", 0, types.int), ("y", 4, types.int))
    row = types.array(point, 3)
    extra = (("flag", 24, types.int),) if has_flag else ()
    name = types.array(types.char, 8)
    return types.struct("shape", 36, ("points", 0, row), *extra, ("name", 28, name))


def test_loops_are_unrolled_and_every_field_has_its_name() -> None:
    types = Types()
    shape = _nested(types, has_flag=True)
    found = _leaves(types, shape, types, shape)
    paths = [leaf_path(types.table(), shape, leaf.old)[0] for leaf in found]
    assert paths[:3] == [".points[0].x", ".points[0].y", ".points[1].x"]
    assert paths[-2:] == [".flag", ".name"]


def test_only_what_is_wanted_is_unrolled() -> None:
    types = Types()
    shape = _nested(types, has_flag=True)
    found = _leaves(types, shape, types, shape, Range(8, 16))
    assert [leaf_path(types.table(), shape, leaf.old)[0] for leaf in found] == [".points[1].x", ".points[1].y"]


def test_a_field_without_a_home_is_a_leaf_of_its_own() -> None:
    old, new = Types(), Types()
    found = _leaves(old, _nested(old, has_flag=True), new, _nested(new, has_flag=False))
    (dropped,) = [leaf for leaf in found if leaf.op.code == OpCode.DROPPED]
    assert dropped.old == Range(24, 28)


def test_bit_fields_are_told_apart() -> None:
    types = Types()
    flags = types.bit_struct("flags", 4, ("a", 0, 1), ("b", 1, 3), ("c", 9, 2))
    found = _leaves(types, flags, types, flags)
    assert [leaf_path(types.table(), flags, leaf.old, leaf.bit)[0] for leaf in found] == [".a", ".b", ".c"]


def test_types_are_written_as_in_c() -> None:
    types = Types()
    node = types.struct("node", 8, ("x", 0, types.long))
    table = types.array(types.array(types.pointer(types.pointer(node)), 3), 2)
    size = types.pointer(types.typedef("size_t", types.long))
    assert type_text(types.table(), table) == "struct node **[2][3]"
    assert type_text(types.table(), size) == "size_t *"
    assert type_text(types.table(), -1) == "void"


def test_values_are_written_as_in_c() -> None:
    types = Types()
    color = types.enum("color", RED=0, GREEN=5)
    link, name = types.pointer(types.int), types.array(types.char, 8)
    writer = ValueWriter(types.table(), lambda address: "settings" if address == 0x1234 else "")
    assert writer.write(types.int, struct.pack("<i", -3)) == "-3"
    assert writer.write(color, struct.pack("<I", 5)) == "GREEN"
    assert writer.write(color, struct.pack("<I", 7)) == "7"
    assert writer.write(link, bytes(8)) == "NULL"
    assert writer.write(link, struct.pack("<Q", 0x1234)) == "0x1234 (settings)"
    assert writer.write(name, b"abc\0\0\0\0\0") == '"abc"'
    assert writer.write(name, b"a\xffc\0\0\0\0\0") == "61 ff 63 00 00 00 00 00"
    assert writer.write(-1, bytes(24)) == "24 zero bytes"
