"""The verb `object`: what stands at a name or an address in a server, how it is reached, what an update does to it.

The server is not stopped: values are those of one moment. N is not started: its own values are not known, and a
start-up allocation counts as one that N's start-up makes, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from gdb_mcr.annotations.names import Miss, ProgramNames
from gdb_mcr.engine.records import NONE, Object, ObjectFlag, ObjectKind, ShapeFlag
from gdb_mcr.errors import UsageError
from gdb_mcr.model.annotation import Side
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.inspection import FieldFate, ObjectResult
from gdb_mcr.model.layout import type_text
from gdb_mcr.model.program import Program, Variable
from gdb_mcr.tracing.areas import global_variables
from gdb_mcr.tracing.explain import Place
from gdb_mcr.tracing.expressions import Expression, parse_expression
from gdb_mcr.tracing.fates import REFUSED as REFUSED_FIELD
from gdb_mcr.tracing.fates import FieldTeller, Subject, in_element
from gdb_mcr.tracing.findings import FindingWriter
from gdb_mcr.tracing.navigation import Navigator, Spot
from gdb_mcr.tracing.object_fates import REFUSED, Fate, ObjectTeller
from gdb_mcr.tracing.values import ValueWriter
from gdb_mcr.units import Range
from gdb_mcr.update.analysis import analyse
from gdb_mcr.update.api import UpdateOptions
from gdb_mcr.update.code_names import CodeNames
from gdb_mcr.update.places import describe_place
from gdb_mcr.update.recorded import RecordedProcess, require_updatable
from gdb_mcr.update.traced_server import TracedServer, traced

MAX_ROWS = 200
"""Fields of one object that are told one by one."""


def explain(server: RecordedProcess, expression: str, new: Path | None, options: UpdateOptions) -> ObjectResult:
    """As `update.api.LiveUpdater`."""
    wanted = parse_expression(expression)
    require_updatable(server)
    files = options.annotations if new is not None else ()
    analysis = analyse(server.executable, new or server.executable, files)
    root = _root(wanted, analysis.old)
    with traced(server, analysis) as state:
        start = _start(wanted, root, state)
        spot = Navigator(analysis.old.types, state.read, _Types(state).at).walk(start, wanted.steps)
        index = state.transfer.tracer.find(spot.address)
        if index is None:
            raise UsageError(f"`{expression}` is no object of the server", hint=describe_place(state, spot.address))
        return _Answer(state, index, spot, new is not None, analysis.findings).result()


def _root(wanted: Expression, program: Program) -> Variable | None:
    if isinstance(wanted.root, int):
        return None
    found = ProgramNames(program, Side.OLD).variable(wanted.root)
    if isinstance(found, Miss):
        raise UsageError(found.message.replace("the old program", "the server"), hint=found.hint)
    variable = program.variables[found]
    if variable.thread_local:
        raise UsageError(f"`{wanted.root}` is thread-local: each thread has one of its own", hint="name its address")
    return variable


def _start(wanted: Expression, root: Variable | None, state: TracedServer) -> Spot:
    if root is None:
        assert isinstance(wanted.root, int)
        return Spot(wanted.root, -1, hex(wanted.root))
    return Spot(state.view.executable.bias + root.address, root.type, str(wanted.root))


class _Types:
    """What tracing found out about addresses."""

    def __init__(self, state: TracedServer) -> None:
        self._state = state

    def at(self, address: int) -> int:
        """The type of the object, or of the element of it, that begins at an address; -1 if none does."""
        index = self._state.transfer.tracer.find(address)
        if index is None:
            return -1
        one = self._state.transfer.tracer.objects()[index]
        kind = self._state.explainer.type_index(one)
        stripped = self._state.view.executable.program.types.strip(kind)
        size = stripped.size if stripped is not None else 0
        return kind if size and (address - one.address) % size == 0 else -1


@dataclass(frozen=True)
class _Answer:
    state: TracedServer
    index: int
    spot: Spot
    has_new: bool
    static: tuple[Finding, ...]

    def result(self) -> ObjectResult:
        fields, findings = self._fields(), self._findings()
        fate = self._fate(fields, findings) if self.has_new else Fate("", "")
        return ObjectResult(
            address=self._object.address,
            size=self._object.size,
            description=self._description(),
            type=self._type_text(),
            evidence=self._evidence(),
            fate=fate.fate,
            why=fate.why,
            site=self._site(),
            path=self._path(),
            fields=_shortened(fields),
            findings=findings,
            place=self._place(),
            held_by=self._held_by(),
        )

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
    def _variable(self) -> Variable | None:
        if self._object.kind is not ObjectKind.GLOBAL:
            return None
        address = self._object.address - self.state.view.executable.bias
        return next(one for one in global_variables(self._program) if one.address == address)

    @property
    def _is_startup(self) -> bool:
        return self._object.address in self.state.startup

    # ---- what it is

    def _description(self) -> str:
        if self._object.kind is not ObjectKind.CHUNK:
            return self.state.explainer.name(self.index)
        when = "in the start-up" if self._is_startup else "since the start-up"
        reached = "" if self._object.flags & ObjectFlag.REACHED else ", and no pointer leads to it"
        return f"a heap chunk, allocated {when}{reached}"

    def _type_text(self) -> str:
        if self._type < 0:
            return ""
        kind = self._variable.type if self._variable is not None else self._type
        count = self._elements[0]
        return type_text(self._program.types, kind) + (f"[{count}]" if count > 1 else "")

    def _evidence(self) -> str:
        if self._variable is not None:
            return "declared"
        if self._object.flags & ObjectFlag.PRECISE:
            return "precise"
        return "allocation site" if self._object.flags & ObjectFlag.SITE_TYPED else "none"

    def _site(self) -> tuple[str, ...]:
        sites = self.state.view.sites
        if self._object.site >= len(sites):
            return ()
        names = CodeNames(self.state.view.control.pid, self.state.view.log.modules)
        return names.stack(sites[self._object.site].returns)

    def _path(self) -> str:
        return self.state.explainer.path(self.index) if self._object.flags & ObjectFlag.REACHED else ""

    def _held_by(self) -> str:
        held = self._object.flags & ObjectFlag.IMMUTABLE and self._object.holder != NONE
        return self.state.explainer.name(self._object.holder) if held else ""

    # The part that was asked for, if it is not the whole.
    def _place(self) -> str:
        types, offset = self._program.types, self.spot.address - self._object.address
        where = f"at {self.spot.address:#x}, byte {offset} of the object"
        if self.spot.type >= 0:
            one = types.strip(self.spot.type)
            whole = offset == 0 and one is not None and one.size == self._object.size
            return "" if whole else f"{self.spot.text} ({type_text(types, self.spot.type)}) {where}"
        return f"{self.state.explainer.short_field(Place(self.index, offset))} {where}" if offset else ""

    # ---- its fields

    # How many elements it has, and the bytes of one.
    @cached_property
    def _elements(self) -> tuple[int, int]:
        one, stripped = self._object, self._program.types.strip(self._type)
        size = stripped.size if stripped is not None else 0
        if not size or self._type < 0:
            return 0, 0
        has_tail = self.state.transfer.shapes.flags[one.type] & ShapeFlag.TAIL or one.size % size
        return (1 if has_tail or one.kind is not ObjectKind.CHUNK else one.size // size), size

    # What was asked for, as bytes of the object; for a bare address the whole element.
    def _wanted(self) -> Range:
        offset = self.spot.address - self._object.address
        one = self._program.types.strip(self.spot.type)
        if one is not None and one.size:
            return Range(offset, offset + one.size)
        count, size = self._elements
        number = offset // size if self.spot.address != self._object.address else 0
        return Range(number * size, (number + 1) * size) if number < count else Range(0, size)

    def _fields(self) -> list[FieldFate]:
        count, size = self._elements
        if not count:
            return []
        teller = FieldTeller(self.state.transfer, ValueWriter(self._program.types, self._pointee), has_new=self.has_new)
        wanted, rows = self._wanted(), []
        for number in range(wanted.start // size, min(count, -(-wanted.end // size))):
            inside = Range(max(0, wanted.start - number * size), min(size, wanted.end - number * size))
            found = teller.rows(self._subject(number * size, size), inside)
            rows += [in_element(row, number) for row in found] if count > 1 else found
            if len(rows) > 2 * MAX_ROWS:
                break
        return [row if row.path else replace(row, path="value") for row in rows]

    def _subject(self, start: int, size: int) -> Subject:
        theirs = self.state.theirs.read(self._object.address + start, size) or b""
        base = self._base()
        part = None if base is None else base[start : start + size]
        return Subject(self._type, self._conversion(), theirs, part)

    def _base(self) -> bytes | None:
        pair = self.state.startup.get(self._object.address)
        if pair is not None:
            return self.state.base.read(pair.base_address, pair.base_size) if pair.base_size else None
        is_global = self._variable is not None
        return self.state.base.read(self._object.address, self._object.size) if is_global else None

    def _conversion(self) -> int:
        transfer, variable = self.state.transfer, self._variable
        if variable is not None:
            position = next(at for at, one in enumerate(self._program.variables) if one is variable)
            there = transfer.match.variables.get(position)
            if there is not None:
                new = transfer.new.executable.program.variables[there]
                return transfer.compiler.program(variable.type, new.type, variable.name)
        target = transfer.match.types.get(self._type)
        return transfer.compiler.as_is(self._type) if target is None else transfer.compiler.program(self._type, target)

    def _pointee(self, address: int) -> str:
        index = self.state.transfer.tracer.find(address)
        if index is None:
            inside = address - self.state.view.executable.bias
            function = next((one for one in self._program.functions if one.start <= inside < one.end), None)
            return function.name if function is not None else ""
        one = self.state.transfer.tracer.objects()[index]
        if one.kind is ObjectKind.CHUNK:
            kind = self.state.explainer.type_index(one)
            return type_text(self._program.types, kind) if kind >= 0 else f"in {one.size} opaque bytes"
        return self.state.explainer.field(Place(index, address - one.address))

    # ---- what becomes of it

    def _findings(self) -> tuple[Finding, ...]:
        if not self.has_new:
            return ()
        traced_ones = FindingWriter(self.state.transfer, self.state.explainer).findings(self.index)
        name = self.state.explainer.short_name(self.index)
        named = [one for one in self.static if one.kind != "R1" and _subject_of(one) == name]
        return (*traced_ones, *named)

    def _fate(self, fields: list[FieldFate], findings: tuple[Finding, ...]) -> Fate:
        certain = next((one for one in findings if one.certain), None)
        if certain is not None:
            return Fate(REFUSED, certain.text)
        refused = [one.path for one in fields if one.decision.startswith(REFUSED_FIELD)]
        if refused:
            return Fate(REFUSED, f"because of {', '.join(refused[:3])}{'…' if len(refused) > 3 else ''}")
        teller = ObjectTeller(self.state.transfer, self.state.explainer)
        if self._variable is None:
            return teller.of_other(self.index, is_startup=self._is_startup)
        now = self.state.theirs.read(self._object.address, self._object.size)
        return teller.of_variable(self._variable, is_changed=now != self._base())


def _subject_of(finding: Finding) -> str:
    return finding.id.partition(":")[2].partition(".")[0]


# Where there are too many, those that nothing happened to are left out.
def _shortened(rows: list[FieldFate]) -> tuple[FieldFate, ...]:
    if len(rows) <= MAX_ROWS:
        return tuple(rows)
    kept = [one for one in rows if "changed since" in one.decision and "unchanged" not in one.decision][:MAX_ROWS]
    kept = kept or rows[:MAX_ROWS]
    return (*kept, FieldFate("…", f"{len(rows) - len(kept)} more fields"))
