"""Run inside GDB (`gdb -batch -x`): prints every struct and union that a program's variables reach, as JSON."""

# ruff: noqa: T201 - its output is what it is for
from __future__ import annotations

import json

import gdb


def describe(one: gdb.Type, found: dict[str, object]) -> None:
    one = one.strip_typedefs().unqualified()
    if one.code in (gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_ARRAY):
        describe(one.target(), found)
    if one.code not in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION) or one.name in found:
        return
    if one.name:
        found[one.name] = None
    fields = [(field, field.type) for field in one.fields() if field.type is not None]
    for _, inner in fields:
        describe(inner, found)
    if one.name and fields:
        rows = [
            [field.name or "", field.bitpos, field.bitsize, inner.strip_typedefs().sizeof] for field, inner in fields
        ]
        found[one.name] = {"size": one.sizeof, "fields": rows}


def main() -> None:
    found: dict[str, object] = {}
    for name in ("list", "zero", "squeezed", "anything"):
        symbol = gdb.lookup_global_symbol(name)
        assert symbol is not None, name
        assert symbol.type is not None, name
        describe(symbol.type, found)
    print(json.dumps({name: value for name, value in found.items() if value}))


main()
