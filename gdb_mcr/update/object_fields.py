"""The fields of one traced object, with their values at the end of start-up and now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from gdb_mcr.engine.records import Object, ObjectKind, ShapeFlag
from gdb_mcr.model.inspection import FieldFate
from gdb_mcr.model.layout import type_text
from gdb_mcr.model.program import Program, Variable
from gdb_mcr.tracing.areas import global_variables
from gdb_mcr.tracing.explain import Place
from gdb_mcr.tracing.fates import FieldTeller, Subject, in_element
from gdb_mcr.tracing.navigation import Spot
from gdb_mcr.tracing.values import ValueWriter
from gdb_mcr.units import Range
from gdb_mcr.update.traced_server import TracedServer

MAX_ROWS = 200
"""Fields of one object that are told one by one."""


@dataclass(frozen=True)
class ObjectFields:
    """Ask before a transfer, which works in the same images."""

    state: TracedServer
    index: int
    """Of the object."""
    has_new: bool
    """Whether another build was named."""

    @cached_property
    def variable(self) -> Variable | None:
        """The variable that it is."""
        if self._object.kind is not ObjectKind.GLOBAL:
            return None
        address = self._object.address - self.state.view.executable.bias
        return next(one for one in global_variables(self._program) if one.address == address)

    @cached_property
    def is_changed(self) -> bool:
        """Whether any byte of it is not as at the end of start-up; True if it was not there yet."""
        return self.state.theirs.read(self._object.address, self._object.size) != self._base

    def type_text(self) -> str:
        """Its C type, "" if that is not known."""
        if self._type < 0:
            return ""
        kind = self.variable.type if self.variable is not None else self._type
        return type_text(self.state.types, kind) + (f"[{self._count}]" if self._count > 1 else "")

    def rows(self, spot: Spot) -> list[FieldFate]:
        """Those of the part that was asked for; empty for opaque memory."""
        return self._rows(self._wanted(spot)) if self._count else []

    @cached_property
    def _object(self) -> Object:
        return self.state.transfer.tracer.objects()[self.index]

    @cached_property
    def _type(self) -> int:
        return self.state.explainer.type_index(self._object)

    @property
    def _program(self) -> Program:
        return self.state.view.executable.program

    @cached_property
    def _size(self) -> int:
        one = self.state.types.strip(self._type)
        return one.size if one is not None else 0

    # Elements of its type: 0 if the type is not known, 1 if there is something behind the first one.
    @cached_property
    def _count(self) -> int:
        one = self._object
        if not self._size:
            return 0
        has_tail = self.state.transfer.shapes.flags[one.type] & ShapeFlag.TAIL or one.size % self._size
        return 1 if has_tail or one.kind is not ObjectKind.CHUNK else one.size // self._size

    # What was asked for, as bytes of the object; for a bare address the element that it is in.
    def _wanted(self, spot: Spot) -> Range:
        offset, size = spot.address - self._object.address, self._size
        one = self.state.types.strip(spot.type)
        if one is not None and one.size:
            return Range(offset, offset + one.size)
        number = min(offset // size, self._count - 1)
        return Range(number * size, (number + 1) * size)

    def _rows(self, wanted: Range) -> list[FieldFate]:
        values = ValueWriter(self.state.types, self._pointee)
        teller = FieldTeller(self.state.transfer, values, has_new=self.has_new)
        size, rows = self._size, list[FieldFate]()
        for number in range(wanted.start // size, min(self._count, -(-wanted.end // size))):
            inside = Range(max(0, wanted.start - number * size), min(size, wanted.end - number * size))
            found = teller.rows(self._subject(number * size), inside)
            rows += [in_element(row, number) for row in found] if self._count > 1 else found
            if len(rows) > 2 * MAX_ROWS:
                break
        return [row if row.path else replace(row, path="value") for row in rows]

    def _subject(self, start: int) -> Subject:
        theirs = self.state.theirs.read(self._object.address + start, self._size) or b""
        part = None if self._base is None else self._base[start : start + self._size]
        return Subject(self._type, self._conversion, theirs, part)

    @cached_property
    def _base(self) -> bytes | None:
        pair = self.state.startup.get(self._object.address)
        if pair is not None:
            return self.state.base.read(pair.base_address, pair.base_size) if pair.base_size else None
        return self.state.base.read(self._object.address, self._object.size) if self.variable is not None else None

    @cached_property
    def _conversion(self) -> int:
        transfer, variable = self.state.transfer, self.variable
        there = transfer.counterpart(variable) if variable is not None else None
        if variable is not None and there is not None:
            return transfer.compiler.program(variable.type, there.type, variable.name)
        target = transfer.match.types.get(self._type)
        return transfer.compiler.as_is(self._type) if target is None else transfer.compiler.program(self._type, target)

    def _pointee(self, address: int) -> str:
        index = self.state.transfer.tracer.find(address)
        if index is None:
            inside = address - self.state.view.executable.bias
            function = next((one for one in self._program.functions if one.start <= inside < one.end), None)
            return function.name if function is not None else ""
        one = self.state.transfer.tracer.objects()[index]
        if one.kind is not ObjectKind.CHUNK:
            return self.state.explainer.field(Place(index, address - one.address))
        kind = self.state.explainer.type_index(one)
        return type_text(self.state.types, kind) if kind >= 0 else f"in {one.size} opaque bytes"


def shortened(rows: Sequence[FieldFate]) -> tuple[FieldFate, ...]:
    """Where there are too many, those that nothing happened to are left out."""
    if len(rows) <= MAX_ROWS:
        return tuple(rows)
    kept = [one for one in rows if one.base != one.theirs][:MAX_ROWS] or rows[:MAX_ROWS]
    return (*kept, FieldFate("…", f"{len(rows) - len(kept)} more fields"))
