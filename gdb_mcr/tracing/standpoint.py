"""Where the compiler of conversion programs stands: in O's object and in N's, and what is said of that place."""

from __future__ import annotations

from dataclasses import dataclass

from gdb_mcr.engine.records import OpFlag
from gdb_mcr.model.datatype import Member, TypeTable
from gdb_mcr.tracing.facts import NO_FACTS, Facts
from gdb_mcr.tracing.handled import NOT_HANDLED, Handled


@dataclass(frozen=True, slots=True)
class At:
    """Where the compiler stands: offsets from the innermost loop's element, names for policies and messages."""

    old: int
    """Bytes."""
    new: int
    names: tuple[str, ...]
    """The same place under each name a user may use: Type.path of every enclosing named struct, variable.path."""
    flags: OpFlag = OpFlag.NONE
    handled: Handled = NOT_HANDLED
    facts: Facts = NO_FACTS

    def member(self, types: TypeTable, member: Member, struct_name: str) -> At:
        """At a member of O's struct here; what N has in its place is not known yet."""
        names = tuple(f"{one}.{member.name}" for one in self.names)
        if struct_name:
            names = (*names, f"{struct_name}.{member.name}")
        facts = self.facts.inside(types, member.name, member.offset, member.type)
        return At(self.old + member.offset, self.new, names, self.flags, self.handled.old(member.name), facts)
