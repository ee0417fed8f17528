"""The types of O's start-up allocations in N: which one continues as which, and where either has its name.

An allocation of a struct that has another layout in N cannot be known by its bytes, nor by the first text among them:
what stands first may be a field that only one of the builds has. A text member that both have tells.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from gdb_mcr.model.datatype import DataType, TypeKind, TypeTable
from gdb_mcr.model.layout import LayoutComparer, flat_members
from gdb_mcr.model.match import Match
from gdb_mcr.model.program import Program
from gdb_mcr.model.startup_log import Allocation
from gdb_mcr.reinit.content import TextField

TypeKey = Callable[[Allocation], Hashable]

NO_TEXT = TextField(0, 0)
"""The two builds have no text member in common."""


@dataclass(frozen=True)
class TypeTwins:
    """By the keys that `LogSide.type_key` gives."""

    new_key: dict[Hashable, Hashable]
    """From a type of O to what it is in N, where the keys differ."""
    old_text: dict[Hashable, TextField]
    """Of the types of O that have another layout in N."""
    new_text: dict[Hashable, TextField]

    def key_in_new(self, ask: TypeKey) -> TypeKey:
        """O's keys as N has them."""

        def translated(one: Allocation) -> Hashable:
            key = ask(one)
            return self.new_key.get(key, key)

        return translated


def find_twins(old: Program, new: Program, match: Match, key_of: Callable[[DataType], Hashable]) -> TypeTwins:
    """Looks at all matched types."""
    twins, layout = TypeTwins({}, {}, {}), LayoutComparer(old.types, new.types, matched=match.types)
    for old_index, new_index in match.types.items():
        one, other = old.types[old_index], new.types[new_index]
        if key_of(one) != key_of(other):
            twins.new_key[key_of(one)] = key_of(other)
        if not layout.same(old_index, new_index):
            text = _common_text(old.types, one, new.types, other)
            twins.old_text[key_of(one)], twins.new_text[key_of(other)] = text
    return twins


def _common_text(
    old_types: TypeTable, old: DataType, new_types: TypeTable, new: DataType
) -> tuple[TextField, TextField]:
    now = {member.name: member for member in flat_members(new_types, new)}
    for member in flat_members(old_types, old):
        before = _text(old_types, member.type, member.offset)
        target = now.get(member.name)
        after = _text(new_types, target.type, target.offset) if target is not None else None
        if before is not None and after is not None:
            return before, after
    return NO_TEXT, NO_TEXT


def _text(types: TypeTable, index: int, offset: int) -> TextField | None:
    one = types.strip(index)
    if one is None or one.kind not in (TypeKind.POINTER, TypeKind.ARRAY):
        return None
    target = types.strip(one.target)
    if target is None or target.kind is not TypeKind.CHARACTER:
        return None
    return TextField(offset, one.size, is_pointer=one.kind is TypeKind.POINTER)
