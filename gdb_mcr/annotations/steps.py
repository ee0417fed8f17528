"""The steps of a transfer handler: bindings, assignments, conditions, loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from gdb_mcr.annotations import arithmetic
from gdb_mcr.annotations.expressions import ExpressionChecker
from gdb_mcr.annotations.labels import Label
from gdb_mcr.annotations.numbers import Bounds, all_values
from gdb_mcr.annotations.operands import Operand, Spot, Value, constant, converted, find_member, member_location, truth
from gdb_mcr.annotations.scope import Binding, Scope
from gdb_mcr.annotations.stores import StoreChecker
from gdb_mcr.annotations.wrong import WrongError
from gdb_mcr.model.datatype import TypeKind
from gdb_mcr.model.expression import INT, LONG, Load, Local, Location, Number, Pointer
from gdb_mcr.model.handler import CountLoop, Evaluate, If, ListLoop, SetLocal, Step
from gdb_mcr.model.place import Side
from gdb_mcr.model.written import (
    Invocation,
    Name,
    Operation,
    Written,
    WrittenAssignment,
    WrittenCall,
    WrittenIf,
    WrittenLet,
    WrittenLoop,
    WrittenStep,
)
from gdb_mcr.source import Span

Report = Callable[[WrongError], None]


@dataclass(slots=True)
class Stored:
    """One store, in the order of the text."""

    path: tuple[str, ...]
    offset: int
    """Bytes; elements of one array that are named by constants differ in it."""
    reads: frozenset[tuple[str, ...]]
    """Fields of N's object that the value was computed from."""
    span: Span
    always: bool
    """Whether it happens once in every run, to the whole field."""


@dataclass(slots=True)
class StepChecker:
    """Checks steps one by one; what is wrong with one does not hide what is wrong with the next."""

    scope: Scope
    expressions: ExpressionChecker
    stores: StoreChecker
    report: Report
    reassigned: frozenset[str]
    """Names that some step assigns to: nothing is known of their values."""
    stored: list[Stored] = field(default_factory=list)
    _depth: int = 0

    def block(self, steps: Sequence[WrittenStep]) -> tuple[Step, ...]:
        """All steps of a block that are right."""
        with self.scope.block():
            return tuple(self._steps(steps))

    def _steps(self, steps: Sequence[WrittenStep]) -> Iterator[Step]:
        for one in steps:
            try:
                yield self._step(one)
            except WrongError as wrong:
                self.report(wrong)

    def _step(self, one: WrittenStep) -> Step:
        match one:
            case WrittenLet():
                return self._let(one)
            case WrittenAssignment():
                return self._assignment(one)
            case WrittenIf():
                return self._if(one)
            case WrittenLoop():
                return self._loop(one)
            case WrittenCall():
                return Evaluate(self.expressions.value(one.call).expression, one.span)

    def _let(self, one: WrittenLet) -> SetLocal:
        try:
            value = arithmetic.promote(self.expressions.value(one.value))
        except WrongError:
            # Later steps may use the name: what is wrong is told once.
            self.scope.bind(one.name, LONG, None, one.name_span)
            raise
        bounds = value.bounds
        if one.name in self.reassigned and isinstance(value.type, Number) and bounds is not None:
            bounds = all_values(value.type)
        local = self.scope.bind(one.name, value.type, bounds, one.name_span)
        return SetLocal(local, value.expression, one.span)

    def _assignment(self, one: WrittenAssignment) -> Step:
        before = set(self.expressions.new_reads)
        self.expressions.new_reads.clear()
        try:
            return self._assign(one)
        finally:
            self.expressions.new_reads |= before

    def _assign(self, one: WrittenAssignment) -> Step:
        checked, written = _without_fits(one.value)
        binding = self.scope.binding(one.to.name) if isinstance(one.to, Name) and one.to.side is None else None
        if binding is not None and isinstance(one.to, Name):
            return self._set_local(one, binding, self._right_side(one, written))
        to = self._target(one.to)
        operand = self._right_side(one, written)
        step = self.stores.store(to, operand, one.span, checked=checked)
        reads = frozenset(self.expressions.new_reads)
        always = self._depth == 0 and not to.location.terms
        self.stored.append(Stored(to.path, to.location.offset, reads, one.span, always))
        return step

    # For `a += b` the value of a + b.
    def _right_side(self, one: WrittenAssignment, written: Written) -> Operand:
        if not one.operator:
            return self.expressions.operand(written)
        return self.expressions.value(Operation(one.operator, (one.to, written), one.span))

    def _set_local(self, one: WrittenAssignment, binding: Binding, operand: Operand) -> SetLocal:
        assert isinstance(one.to, Name)
        if binding.fixed:
            message = f"`{one.to.name}` is the loop's own"
            raise WrongError(Label.NOT_WRITABLE, one.to.span, message, "bind another name with `let`")
        value = self.stores.fitted(self.expressions.loaded(operand), binding.type, None)
        return SetLocal(binding.local, value.expression, one.span)

    # A place in N's object.
    def _target(self, written: Written) -> Spot:
        if isinstance(written, Name) and written.side is None and not written.function:
            hint = f"`let {written.name} = …;` binds a name; a field of the new object is `new.{written.name}`"
            raise WrongError(Label.UNKNOWN_NAME, written.span, f"nothing here is called `{written.name}`", hint)
        to = self.expressions.operand(written)
        if not isinstance(to, Spot):
            raise WrongError(Label.NOT_WRITABLE, written.span, "this is a value and no place")
        if to.location.side is Side.OLD:
            message = "the old program's memory is not written: it may have to serve on"
            raise WrongError(Label.NOT_WRITABLE, written.span, message, "a handler stores into `new`")
        return to

    def _if(self, one: WrittenIf) -> If:
        condition = self._condition(one.condition)
        if condition.only is not None:
            word = "true" if condition.only else "false"
            raise WrongError(Label.NEVER_APPLIES, one.condition.span, f"this is always {word}")
        self._depth += 1
        then, otherwise = self.block(one.then), self.block(one.otherwise)
        self._depth -= 1
        return If(condition.expression, then, otherwise, one.span)

    def _condition(self, written: Written) -> Value:
        return truth(self.expressions.value(written))

    def _loop(self, one: WrittenLoop) -> Step:
        if one.via:
            return self._list_loop(one)
        start, end = self._array(one) if one.end is None else self._ends(one)
        start, end = converted(start, LONG), converted(end, LONG)
        if start.bounds is None or end.bounds is None or start.bounds.low >= end.bounds.high:
            raise WrongError(Label.NEVER_APPLIES, one.start.span, "this goes over nothing")
        self._depth += 1
        with self.scope.block():
            bounds = Bounds(start.bounds.low, end.bounds.high - 1)
            local = self.scope.bind(one.name, LONG, bounds, one.name_span, fixed=True)
            body = self.block(one.body)
        self._depth -= 1
        return CountLoop(local, start.expression, end.expression, body, one.span)

    def _ends(self, one: WrittenLoop) -> tuple[Value, Value]:
        assert one.end is not None
        ends = self.expressions.integer(one.start), self.expressions.integer(one.end)
        for end in ends:
            if end.bounds is not None and not end.bounds.inside(all_values(LONG)) and not end.bounds.low >= 0:
                raise WrongError(Label.LOST_SIGN, end.span, "loops count in `long`")
        return ends

    def _array(self, one: WrittenLoop) -> tuple[Value, Value]:
        operand = self.expressions.operand(one.start)
        kind = None
        if isinstance(operand, Spot):
            kind = self.scope.types(operand.location.side).strip(operand.location.type)
        if kind is None or kind.kind is not TypeKind.ARRAY:
            hint = "a loop over numbers is `0 .. n`, one over a list `first via next`"
            message = f"`{self.expressions.describe(operand)}` is no array"
            raise WrongError(Label.TYPE_MISMATCH, one.start.span, message, hint)
        if kind.count <= 0:
            message = "the length of this array is not known"
            raise WrongError(Label.INCOMPLETE_TYPE, one.start.span, message, "give the numbers: `0 .. n`")
        return constant(0, INT, one.start.span), constant(kind.count, INT, one.start.span)

    def _list_loop(self, one: WrittenLoop) -> ListLoop:
        first = self.expressions.value(one.start)
        if not isinstance(first.type, Pointer) or first.type.side is Side.NEW:
            message = f"`{self.expressions.describe(first)}` is no pointer of the old program's"
            raise WrongError(Label.NOT_A_POINTER, one.start.span, message)
        self._depth += 1
        with self.scope.block():
            local = self.scope.bind(one.name, first.type, None, one.name_span, fixed=True)
            following = self._following(one, first.type, local)
            body = self.block(one.body)
        self._depth -= 1
        return ListLoop(local, first.expression, following, body, one.span)

    # The field of an element that leads to the next one.
    def _following(self, one: WrittenLoop, pointer: Pointer, local: int) -> Load:
        types = self.scope.types(Side.OLD)
        at = types.strip(pointer.target)
        location = Location(Side.OLD, Local(local, pointer), 0, (), pointer.target, at.size if at else 0)
        for name in one.via:
            member = find_member(types, at, name.name) if at is not None else None
            if member is None:
                if at is None or not at.members:
                    raise WrongError(Label.NO_FIELDS, name.span, "this has no fields")
                raise WrongError.of(self.scope.names(Side.OLD).no_field(at, name.name), name.span)
            location = member_location(types, location, member)
            at = types.strip(member.type)
        if at is None or at.kind is not TypeKind.POINTER:
            raise WrongError(Label.NOT_A_POINTER, one.via[-1].span, "this field leads to no next element")
        target, element = types.strip(at.target), types.strip(pointer.target)
        if target is not None and target != element:
            raise WrongError(Label.TYPE_MISMATCH, one.via[-1].span, "this field leads to another type")
        return Load(location, Pointer(Side.OLD, pointer.target))


def reassigned_names(steps: Sequence[WrittenStep]) -> frozenset[str]:
    """Names that any step assigns to."""
    found: set[str] = set()
    for one in steps:
        match one:
            case WrittenAssignment():
                if isinstance(one.to, Name):
                    found.add(one.to.name)
            case WrittenIf():
                found |= reassigned_names(one.then) | reassigned_names(one.otherwise)
            case WrittenLoop():
                found |= reassigned_names(one.body)
    return frozenset(found)


# `fits(x)`: whether it is one, and the value.
def _without_fits(written: Written) -> tuple[bool, Written]:
    if isinstance(written, Invocation) and written.name == "fits" and len(written.arguments) == 1:
        return True, written.arguments[0]
    return False, written
