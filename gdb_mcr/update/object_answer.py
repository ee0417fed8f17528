"""One traced object as the verb `object` tells it: what it is, how it is reached, what an update does to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from gdb_mcr.engine.records import NONE, Object, ObjectFlag, ObjectKind
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.inspection import FieldFate, ObjectResult
from gdb_mcr.model.layout import type_text
from gdb_mcr.tracing.explain import Place
from gdb_mcr.tracing.fates import REFUSED as REFUSED_FIELD
from gdb_mcr.tracing.findings import FindingWriter
from gdb_mcr.tracing.navigation import Spot
from gdb_mcr.tracing.object_fates import REFUSED, Fate, ObjectTeller
from gdb_mcr.update.code_names import CodeNames
from gdb_mcr.update.object_fields import ObjectFields, shortened
from gdb_mcr.update.traced_server import TracedServer


@dataclass(frozen=True)
class ObjectAnswer:
    """What is said of one object."""

    state: TracedServer
    index: int
    """Of the object."""
    spot: Spot
    """What was asked for: the object, or a part of it."""
    has_new: bool
    """Whether another build was named."""
    static: tuple[Finding, ...]
    """Findings of the two builds."""

    def result(self) -> ObjectResult:
        """All of it."""
        rows, findings = self._fields.rows(self.spot), self._findings()
        fate = self._fate(rows, findings) if self.has_new else Fate("", "")
        return ObjectResult(
            address=self._object.address,
            size=self._object.size,
            description=self._description(),
            type=self._fields.type_text(),
            evidence=self._evidence(),
            fate=fate.fate,
            why=fate.why,
            site=self._site(),
            path=self.state.explainer.path(self.index) if self._object.flags & ObjectFlag.REACHED else "",
            fields=shortened(rows),
            findings=findings,
            place=self._place(),
            held_by=self._held_by(),
        )

    @cached_property
    def _object(self) -> Object:
        return self.state.transfer.tracer.objects()[self.index]

    @cached_property
    def _fields(self) -> ObjectFields:
        return ObjectFields(self.state, self.index, self.has_new)

    @property
    def _is_startup(self) -> bool:
        return self._object.address in self.state.startup

    def _description(self) -> str:
        if self._object.kind is not ObjectKind.CHUNK:
            return self.state.explainer.name(self.index)
        when = "in the start-up" if self._is_startup else "since the start-up"
        reached = "" if self._object.flags & ObjectFlag.REACHED else ", and no pointer leads to it"
        return f"a heap chunk, allocated {when}{reached}"

    def _evidence(self) -> str:
        if self._object.kind is ObjectKind.GLOBAL:
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

    def _held_by(self) -> str:
        held = self._object.flags & ObjectFlag.IMMUTABLE and self._object.holder != NONE
        return self.state.explainer.name(self._object.holder) if held else ""

    # The part that was asked for, if it is not the whole.
    def _place(self) -> str:
        types, offset = self.state.types, self.spot.address - self._object.address
        where = f"at {self.spot.address:#x}, byte {offset} of the object"
        if self.spot.type < 0:
            return f"{self.state.explainer.short_field(Place(self.index, offset))} {where}" if offset else ""
        one = types.strip(self.spot.type)
        is_whole = offset == 0 and one is not None and one.size == self._object.size
        return "" if is_whole else f"{self.spot.text} ({type_text(types, self.spot.type)}) {where}"

    # Those that tracing met in it, and those of its type whose fields are looked at.
    def _findings(self) -> tuple[Finding, ...]:
        if not self.has_new:
            return ()
        met = FindingWriter(self.state.transfer, self.state.explainer).findings(self.index)
        name = self.state.explainer.short_name(self.index)
        paths = {f"{name}.{_without_index(one.path)}" for one in self._fields.rows(self.spot)}
        named = [one for one in self.static if one.kind == "R2" and _is_of(one.id.removeprefix("R2:"), name, paths)]
        return (*met, *named)

    def _fate(self, rows: list[FieldFate], findings: tuple[Finding, ...]) -> Fate:
        certain = next((one for one in findings if one.certain), None)
        if certain is not None:
            return Fate(REFUSED, certain.text)
        refused = [one.path for one in rows if one.decision.startswith(REFUSED_FIELD)]
        if refused:
            return Fate(REFUSED, f"because of {', '.join(refused[:3])}{'…' if len(refused) > 3 else ''}")
        teller = ObjectTeller(self.state.transfer, self.state.explainer)
        variable = self._fields.variable
        if variable is None:
            return teller.of_other(self.index, is_startup=self._is_startup)
        return teller.of_variable(variable, is_changed=self._fields.is_changed)


def _without_index(path: str) -> str:
    return path.partition("].")[2] if path.startswith("[") else path


def _is_of(subject: str, name: str, paths: set[str]) -> bool:
    return subject == name or any(path == subject or path.startswith((f"{subject}.", f"{subject}[")) for path in paths)
