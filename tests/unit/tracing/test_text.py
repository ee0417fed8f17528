"""Bytes of clients: no word of them changes, whatever it looks like; memory whose site gives everything is no text."""

from __future__ import annotations

import struct

import pytest

from gdb_mcr.engine.records import ObjectFlag, Symbol, SymbolKind
from tests.support.transfer_rig import GLOBALS, HEAP, NEW_GLOBALS, Rig
from tests.support.type_builder import Types

ENTRY, NEW_ENTRY = GLOBALS - 0x4000, 0x90000


# A chunk of a site without a type, whose words are a function's entry and a variable's start.
def words_after(flags: ObjectFlag, *, is_typed_elsewhere: bool = False) -> tuple[int, ...]:
    rig = Rig(Types(), Types())
    rig.symbols.append(Symbol(old_address=ENTRY, size=64, new_address=NEW_ENTRY, kind=SymbolKind.CODE))
    site = rig.site(-1)
    rig.site_flags[site] = flags
    rig.variable(0, rig.old.pointer(rig.old.long), 0, rig.new.pointer(rig.new.long))
    chunk, other = rig.chunk(0, 16, site=site), rig.chunk(64, 8, site=site)
    struct.pack_into("<2Q", rig.heap, chunk - HEAP, ENTRY, GLOBALS)
    if is_typed_elsewhere:
        struct.pack_into("<Q", rig.theirs, 0, other)
    return struct.unpack_from("<2Q", rig.run().heap, 0)


def test_untyped_memory_when_its_site_gives_text_then_no_word_changes() -> None:
    assert words_after(ObjectFlag.TEXT) == (ENTRY, GLOBALS)


@pytest.mark.parametrize(("flags", "typed"), [(ObjectFlag(0), False), (ObjectFlag.TEXT, True)])
def test_untyped_memory_when_its_site_may_give_anything_then_exact_words_follow(flags: ObjectFlag, typed: bool) -> None:
    assert words_after(flags, is_typed_elsewhere=typed) == (NEW_ENTRY, NEW_GLOBALS)
