"""What an update does to an object as a whole, told before there is an N. Source: DESIGN sections 8 to 10."""

from __future__ import annotations

from dataclasses import dataclass

from gdb_mcr.engine.records import NONE, Object, ObjectFlag, ObjectKind
from gdb_mcr.model.layout import type_text
from gdb_mcr.model.program import Variable
from gdb_mcr.tracing.explain import Explainer
from gdb_mcr.tracing.transfer import StateTransfer

MERGED = "merged"
CONVERTED = "converted"
MOVED = "moved as it is"
OWN = "stays the new server's own"
LEFT = "left behind"
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of it, and why."""

    fate: str
    why: str


class ObjectTeller:
    """Tells the fates of objects that have been traced."""

    def __init__(self, transfer: StateTransfer, explainer: Explainer) -> None:
        self._transfer = transfer
        self._explain = explainer
        self._growing = {index: size for index, size in transfer.tracer.outgrown()}

    def of_variable(self, variable: Variable, *, is_changed: bool) -> Fate:
        """:param is_changed: whether its value differs from that at the end of start-up."""
        target = self._transfer.counterpart(variable)
        if target is None and is_changed:
            return Fate(REFUSED, "it was changed since start-up, and the new build has no such variable")
        if target is None:
            return Fate(LEFT, "the new build has no such variable; it was not changed since start-up")
        if self._transfer.layout.same(variable.type, target.type):
            return Fate(MERGED, "what was changed since start-up goes over, the rest is as the new server starts")
        new = type_text(self._transfer.new.executable.program.types, target.type)
        return Fate(f"{MERGED} and {CONVERTED}", f"in the new build it is {new}, {target.size} bytes, laid out anew")

    def of_other(self, index: int, *, is_startup: bool) -> Fate:
        """A chunk, a mapping, or a library's data. :param is_startup: it was allocated in the start-up."""
        one = self._transfer.tracer.objects()[index]
        if one.kind is ObjectKind.LIBRARY:
            return Fate(MERGED, "word by word: what was changed since start-up goes over")
        if one.kind is ObjectKind.MAPPING:
            return Fate(MOVED, "it keeps its address")
        if one.flags & ObjectFlag.NEVER:
            return Fate(OWN, "it belongs to a library that keeps its own state")
        return self._of_chunk(index, one, is_startup)

    def _of_chunk(self, index: int, one: Object, is_startup: bool) -> Fate:
        changes = self._changes_layout(one)
        if is_startup:
            how = f"{MERGED} and {CONVERTED}" if changes else MERGED
            return Fate(how, "with what the new start-up allocates in its place; if that is nothing, it moves whole")
        if not changes:
            return Fate(MOVED, f"{self._why_unchanged(one)}; it keeps its address")
        if index in self._growing:
            return self._of_growing(one, self._growing[index])
        if one.flags & ObjectFlag.HELD_INSIDE:
            return Fate(REFUSED, f"its layout changes, but {self._holder(one)} may point to one of its fields")
        return Fate(CONVERTED, "its layout changes; it keeps its address")

    def _of_growing(self, one: Object, size: int) -> Fate:
        if one.flags & ObjectFlag.IMMUTABLE:
            why = f"it grows to {size} bytes and must move, but {self._holder(one)} may point to it in untyped memory"
            return Fate(REFUSED, why)
        return Fate(f"{CONVERTED} and moved", f"it grows to {size} bytes; all pointers to it follow")

    def _changes_layout(self, one: Object) -> bool:
        source = self._explain.type_index(one)
        target = self._transfer.match.types.get(source)
        return target is not None and not self._transfer.layout.same(source, target)

    def _why_unchanged(self, one: Object) -> str:
        source = self._explain.type_index(one)
        if source < 0:
            return "what it holds is not known"
        if source in self._transfer.match.types:
            return "its layout is the same in the new build"
        types = self._transfer.old.executable.program.types
        return f"nothing changes in the layout of {type_text(types, source)}"

    def _holder(self, one: Object) -> str:
        return self._explain.name(one.holder) if one.holder != NONE else "something"
