"""What tracing and transfer met, as findings in the user's terms. Source: DESIGN section 11."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gdb_mcr.engine.handler_records import HandlerFailure
from gdb_mcr.engine.records import NONE, Event, EventKind, ObjectKind
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.layout import describe
from gdb_mcr.tracing.conversion import CHANGED_UNION
from gdb_mcr.tracing.explain import Explainer, Place, first_words
from gdb_mcr.tracing.settling import free_statement, plain_statement, points_statement
from gdb_mcr.tracing.transfer import StateTransfer

MAX_FIELDS = 4
"""Fields named in a warning about values that both sides changed."""


FAILURES = {
    HandlerFailure.DIVISION: "division by zero, or one whose result is too large",
    HandlerFailure.SHIFT: "a shift by more bits than there are",
    HandlerFailure.INDEX: "an index behind the array's end",
    HandlerFailure.OUTSIDE: "a place outside the object",
    HandlerFailure.POINTER: "a pointer that leads into none of the old server's objects",
    HandlerFailure.LONG: "its loops go on for too long",
    HandlerFailure.NUMBER: "a floating point number too large for any integer",
    HandlerFailure.LENGTH: "an array that is longer than the memory it is in",
    HandlerFailure.CRASH: "a function of the handler library crashed",
    HandlerFailure.NESTED: "handlers convert parts that have handlers which convert parts, too deep",
}
"""Why a transfer handler ended early, in the user's terms."""


_BY_SIZE = (1 << 64) - 1  # of a CHANGED_IN_OPAQUE event: no pointer of that type leads there


class FindingWriter:
    """Turns engine events into findings, one for each id however often it was met."""

    def __init__(
        self, transfer: StateTransfer, explainer: Explainer, is_live: Callable[[int], bool] = lambda _: True
    ) -> None:
        """:param is_live: whether N will reach the object at an address of O."""
        self._is_live = is_live
        self._transfer = transfer
        self._explain = explainer
        self._writers: dict[EventKind, Callable[[Event], Finding]] = {
            EventKind.DROPPED_FIELD: self._dropped_field,
            EventKind.LOST_POINTER: self._lost_pointer,
            EventKind.TYPE_CONFLICT: self._type_conflict,
            EventKind.PINNED_MOVE: self._pinned_move,
            EventKind.OUT_OF_RANGE: self._out_of_range,
            EventKind.CHANGED_IN_OPAQUE: self._changed_in_opaque,
            EventKind.UNKNOWN_ENUM: self._unknown_enum,
            EventKind.NO_HOME: self._no_home,
            EventKind.MIXED: self._mixed,
            EventKind.STRUCTURE: self._structure,
            EventKind.HANDLER_FAILED: self._handler_failed,
            EventKind.HANDLED_RANGE: self._handled_range,
            EventKind.AMBIGUOUS: self._ambiguous,
        }

    def findings(self, only: int = NONE) -> list[Finding]:
        """All findings, in the order of their kinds and ids; the first object met stands for all of its id.

        :param only: the one object whose findings are wanted.
        """
        found: dict[str, Finding] = {}
        for event in self._transfer.tracer.events():
            if only not in (NONE, event.object):
                continue
            write = self._writers.get(EventKind(event.kind))
            if write is not None and not self._is_dead(event):
                finding = write(event)
                found.setdefault(finding.id, finding)
        return sorted(found.values(), key=lambda one: (not one.certain, one.kind, one.id))

    def warnings(self) -> list[str]:
        """Fields that both sides changed: O's value won (DESIGN section 9)."""
        changed = (event for event in self._of_kind(EventKind.BOTH_CHANGED) if not event.detail)
        places = list(dict.fromkeys(Place(event.object, event.offset) for event in changed))
        if not places:
            return []
        names = [self._explain.field(place) for place in places[:MAX_FIELDS]]  # naming all would take too long
        shown = first_words([*names, *[""] * (len(places) - len(names))], MAX_FIELDS)
        return [f"both the old server and the new one's start-up changed {shown}; the old server's value was taken"]

    # A pointer to nowhere is harmless where nothing leads to it.
    def _is_dead(self, event: Event) -> bool:
        if event.kind != EventKind.LOST_POINTER:
            return False
        return not self._is_live(self._transfer.tracer.objects()[event.object].address)

    def _of_kind(self, kind: EventKind) -> Iterator[Event]:
        return (event for event in self._transfer.tracer.events() if event.kind == kind)

    def _field(self, event: Event) -> str:
        return self._explain.field(Place(event.object, event.offset))

    def _path(self, index: int) -> str:
        return self._explain.path(index)

    def _dropped_field(self, event: Event) -> Finding:
        dropped = self._transfer.dropped[event.detail]
        text = (
            f"{dropped.path} was changed since start-up (in {self._explain.name(event.object)}) and has no home: "
            f"{dropped.reason}"
        )
        settle = f"rename {dropped.path} -> NEW;\ndrop {dropped.path};"
        if dropped.reason == CHANGED_UNION:
            settle = f"active {dropped.path}.MEMBER when EXPRESSION;\ndrop {dropped.path};"
        return Finding(f"R2:{dropped.path}", "R2", True, text, self._path(event.object), settle)

    def _lost_pointer(self, event: Event) -> Finding:
        target = self._target_name(event.detail)
        field = self._field(event)
        text = f"{field} points to {target}, which the new build does not have"
        settle = f"rename variable {target} -> NEW;" if self._transfer.tracer.find(event.detail) is not None else ""
        return Finding(f"R3:{target}", "R3", True, text, self._path(event.object), settle)

    def _target_name(self, address: int) -> str:
        index = self._transfer.tracer.find(address)
        if index is not None:
            return self._explain.short_name(index)
        executable = self._transfer.old.executable
        inside = address - executable.bias
        program = executable.program
        function = next((one for one in program.functions if one.start <= inside < one.end), None)
        return function.name if function is not None else f"{address:#x}"

    def _handler_failed(self, event: Event) -> Finding:
        failure = HandlerFailure(event.value & 0xFF)
        why = FAILURES.get(failure) or self._transfer.tracer.message(event.value >> 8)
        return self._by_handler(event, f"cannot be computed for {self._field(event)}: {why}")

    def _handled_range(self, event: Event) -> Finding:
        text = f"gives a value that does not fit, {event.value:#x}, for {self._field(event)}"
        return self._by_handler(event, text)

    # The value goes nowhere, so that this is no loss that a user may allow.
    def _by_handler(self, event: Event, text: str) -> Finding:
        steps = self._transfer.steps
        span, name = steps.spans[event.detail], steps.names[steps.handler_of(event.detail)]
        subject = f"{name}:{span.line}"
        return Finding(f"R15:{subject}", "R15", True, f"{span}: {text}", self._path(event.object), "")

    def _type_conflict(self, event: Event) -> Finding:
        one = self._transfer.tracer.objects()[event.object]
        known, other = self._explain.kind_of(one), self._shape_name(event.detail)
        text = (
            f"{self._explain.name(event.object)} is {known} by one pointer and {other} by another, "
            "and one of them changed"
        )
        name = self._explain.short_name(event.object)
        settle = self._settle(event.object, event.detail)
        return Finding(f"R4:{name}/{other}", "R4", True, text, self._path(event.object), settle)

    # What may be said of an object that holds stale words, or that a stale pointer leads into.
    def _settle(self, index: int, shape: int = NONE) -> str:
        types = self._transfer.old.executable.program.types
        known = self._explain.type_index(self._transfer.tracer.objects()[index])
        other = self._transfer.shapes.source[shape] if shape != NONE else -1
        said = (plain_statement(self._explain, types, index), free_statement(types, known, other))
        return "\n".join(filter(None, said))

    def _shape_name(self, shape: int) -> str:
        source = self._transfer.shapes.source[shape] if shape != NONE else -1
        one = self._transfer.old.executable.program.types.strip(source)
        return describe(one) if one is not None else "void"

    def _pinned_move(self, event: Event) -> Finding:
        name = self._explain.name(event.object)
        holder = self._explain.name(event.detail) if event.detail != NONE else "an untyped word"
        must = "move" if event.value else "change its layout"
        text = f"{name} must {must}, but {holder} may hold a pointer to it in untyped memory"
        settle = "\n".join(filter(None, self._ways_to_free(event.object, event.detail))) if event.detail != NONE else ""
        subject = self._explain.short_name(event.object)
        return Finding(f"R5:{subject}", "R5", True, text, self._path(event.object), settle)

    # The word that holds it is a pointer, or the holder has none.
    def _ways_to_free(self, index: int, holder: int) -> tuple[str, ...]:
        types, place = self._transfer.old.executable.program.types, self._explain.word_to(holder, index)
        target = types.strip(self._explain.type_index(self._transfer.tracer.objects()[index]))
        return points_statement(self._explain, types, place, target), self._settle(holder)

    def _out_of_range(self, event: Event) -> Finding:
        field = self._field(event)
        text = f"the value {event.value:#x} of {field} has no equal in the {event.detail} bits that it has now"
        return self._value_lost(event, text)

    def _value_lost(self, event: Event, text: str) -> Finding:
        stable = self._stable_field(event)
        settle = f"keep old {stable};\nkeep new {stable};"
        return Finding(f"R2:{stable}", "R2", True, text, self._path(event.object), settle)

    def _stable_field(self, event: Event) -> str:
        return self._explain.short_field(Place(event.object, event.offset))

    def _changed_in_opaque(self, event: Event) -> Finding:
        changed, where = self._shape_name(event.detail), self._explain.name(event.object)
        if event.value == _BY_SIZE:
            why = f"{where}, whose type is not known, has its size and may be one"
        else:
            why = f"a pointer to it leads into {where}, whose type is not known"
        text = f"{changed} has another layout in the new build, and {why}"
        name, types = changed.rpartition(" ")[2], self._transfer.old.executable.program.types
        target = types.strip(self._transfer.shapes.source[event.detail])
        points = points_statement(self._explain, types, self._explain.way_in(event.object), target)
        settle = "\n".join(filter(None, (points, self._settle(event.object))))
        return Finding(f"R1:{name}", "R1", True, text, self._path(event.object), settle)

    def _unknown_enum(self, event: Event) -> Finding:
        text = f"{self._field(event)} has the value {event.value}, which is no constant of its enum in both builds"
        return self._value_lost(event, text)

    def _no_home(self, event: Event) -> Finding:
        one = self._transfer.tracer.objects()[event.object]
        name = self._explain.short_name(event.object)
        if one.kind is ObjectKind.GLOBAL and not event.value:
            text = f"the variable {name} was changed since start-up, and the new build does not have it"
            settle = f"rename variable {name} -> NEW;\ndrop {name};"
        else:
            text = f"{self._explain.name(event.object)} is larger than what the new build has in its place"
            settle = f"drop {name};" if one.kind is ObjectKind.GLOBAL else ""
        return Finding(f"R2:{name}", "R2", True, text, self._path(event.object), settle)

    def _mixed(self, event: Event) -> Finding:
        kept = self._stable_field(event)
        text = (
            f"{self._explain.name(event.object)} takes values from the old server, while {kept} keeps the new "
            "build's own; if they belong together this is wrong"
        )
        settle = f"keep old {kept};\nkeep new {kept};"
        name = self._explain.short_name(event.object)
        return Finding(f"R11:{name}", "R11", False, text, self._path(event.object), settle)

    def _ambiguous(self, event: Event) -> Finding:
        if event.detail:
            text = (
                f"{self._field(event)} points to {self._target_name(event.detail)} or, one past its end, to the array "
                "before it; in the new build these are two places"
            )
            stable = self._stable_field(event)
            return Finding(f"R4:{stable}", "R4", True, text, self._path(event.object), f"keep new {stable};")
        one = self._transfer.tracer.objects()[event.object]
        kind = self._explain.kind_of(one)
        text = (
            f"{self._explain.name(event.object)} may be an array, or one element with other bytes behind it; "
            f"{kind} has another layout in the new build"
        )
        return Finding(f"R4:{kind} with a tail", "R4", True, text, self._path(event.object), "")

    def _structure(self, event: Event) -> Finding:
        kind, name = ("R13" if event.detail else "R11"), self._explain.short_name(event.object)
        more = ", without the objects that the new build has added to it" if event.detail else ""
        text = (
            f"the old server has changed the structure that {self._explain.name(event.object)} is part of, and the new "
            f"build's start-up links it otherwise: it goes over as the old server has it{more}"
        )
        return Finding(f"{kind}:structure of {name}", kind, bool(event.detail), text, self._path(event.object), "")


def audit_findings(transfer: StateTransfer, explainer: Explainer, hits: list[tuple[int, int]]) -> list[Finding]:
    """R6: words of N that still lead to where O's objects were."""
    found: dict[str, Finding] = {}
    for address, value in hits:
        holder = _holder(transfer, address)
        where = explainer.short_name(holder) if holder is not None else f"the word at {address:#x}"
        target = transfer.tracer.find(value)
        what = explainer.name(target) if target is not None else "the old build's code"
        text = f"{where} would still point to the old place of {what} ({value:#x})"
        path = explainer.path(holder) if holder is not None else ""
        found.setdefault(where, Finding(f"R6:{where}", "R6", True, text, path, ""))
    return list(found.values())


# O's object whose bytes stand at an address of N.
def _holder(transfer: StateTransfer, address: int) -> int | None:
    index = transfer.tracer.find(address)
    if index is not None:
        return index
    for pair in transfer.pairs:
        if pair.new_address <= address < pair.new_address + pair.new_size:
            return transfer.tracer.find(pair.address)
    return None
