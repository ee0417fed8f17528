"""Transfer handlers against both programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gdb_mcr.annotations.expressions import ExpressionChecker
from gdb_mcr.annotations.labels import LACKING, Label
from gdb_mcr.annotations.names import Miss
from gdb_mcr.annotations.object_types import types_of_objects
from gdb_mcr.annotations.operands import AGGREGATES
from gdb_mcr.annotations.pairs import Pair
from gdb_mcr.annotations.scope import Globals, Scope
from gdb_mcr.annotations.steps import StepChecker, Stored, reassigned_names
from gdb_mcr.annotations.stores import StoreChecker
from gdb_mcr.annotations.targets import MissAt, TargetResolver
from gdb_mcr.annotations.type_words import TypeWords
from gdb_mcr.annotations.wrong import WrongError
from gdb_mcr.model.expression import Location
from gdb_mcr.model.handler import Handler
from gdb_mcr.model.layout import describe
from gdb_mcr.model.place import Place, Side, Subject
from gdb_mcr.model.statement import Transfer, TypeName, VariableName

Report = Callable[[WrongError], None]


class HandlerChecker:
    """Checks transfer handlers; renames must have been."""

    def __init__(self, pair: Pair, targets: TargetResolver, report: Report) -> None:
        self._pair = pair
        self._targets = targets
        self._report = report
        self._globals = Globals(pair)
        self._words = TypeWords(pair)
        self._object_types: frozenset[int] | None = None
        self.functions: frozenset[str] | None = None
        """Those of the handler library, once it is known."""

    def check(self, one: Transfer) -> Handler | None:
        """What a handler says, as far as it is right; None if it is not known what it is for."""
        try:
            place = self._place(one)
        except WrongError as wrong:
            self._report(wrong)
            return None
        return self._body(one, place)

    def expressions(self, place: Place) -> tuple[ExpressionChecker, Scope]:
        """A checker for expressions over the old object of a place: what facts are computed from."""
        whole = self._whole(place, Side.OLD)
        scope = Scope(self._globals, self._fields(whole))
        return ExpressionChecker(self._words, scope, {Side.OLD: whole}), scope

    def _body(self, one: Transfer, place: Place) -> Handler:
        wholes = {side: self._whole(place, side) for side in Side}
        scope = Scope(self._globals, self._fields(wholes[Side.OLD]))
        expressions = ExpressionChecker(self._words, scope, wholes, self.functions)
        stores = StoreChecker(scope, expressions, self._new_type)
        steps = StepChecker(scope, expressions, stores, self._report, reassigned_names(one.body))
        body = steps.block(one.body)
        self._check_order(steps.stored)
        writes = frozenset(stored.path for stored in steps.stored)
        return Handler(place, body, tuple(scope.locals), frozenset(expressions.reads), writes, one.span)

    def _place(self, one: Transfer) -> Place:
        name = self._targets.subject(one.subject, one.certain)
        if isinstance(name, MissAt):
            raise WrongError.of(name.miss, name.span)
        place = self._type(name) if isinstance(name, TypeName) else self._variable(name)
        if not one.body:
            hint = "without a handler the types say what becomes of the object"
            raise WrongError(Label.NEVER_APPLIES, one.span, "this handler says nothing", hint)
        return place

    def _type(self, name: TypeName) -> Place:
        old = self._found(self._pair.old.type(name), name)
        one = self._pair.old.program.types[old]
        if one.kind not in AGGREGATES:
            message = f"`{name}` is `{describe(one)}`"
            raise WrongError(Label.NOT_A_STRUCT, name.span, message, "a handler is for a struct, a union or a variable")
        if not one.complete:
            raise WrongError(Label.INCOMPLETE_TYPE, name.span, f"the old program only declares `{describe(one)}`")
        if self._pair.new_type(old) is None:
            message = f"the new program has no type `{name}`"
            raise WrongError(Label.UNKNOWN_TYPE, name.span, message, "if it was renamed, `rename type` says so")
        if old not in self._types_of_objects():
            message = f"no variable, pointer or allocation of the old program leads to a `{describe(one)}`"
            raise WrongError(Label.NEVER_APPLIES, name.span, message, "this handler would never run")
        return self._pair.type_place(old, name.name, ())

    def _variable(self, name: VariableName) -> Place:
        old = self._found(self._pair.old.variable(name), name)
        if self._pair.new_variable(old) is None:
            message = f"the new program has no variable `{name}`"
            hint = "if it was renamed, `rename variable` says so; `drop` gives its value up"
            raise WrongError(Label.UNKNOWN_VARIABLE, name.span, message, hint)
        return self._pair.variable_place(old, ())

    def _found(self, found: int | Miss, name: TypeName | VariableName) -> int:
        if isinstance(found, int):
            return found
        new = self._pair.new
        there = new.types(name) if isinstance(name, TypeName) else new.variables(name)
        if there and found.label in LACKING:
            message = f"{found.message}; only the new one has it"
            raise WrongError(Label.WRONG_SIDE, name.span, message, "handlers are named as the old program names things")
        raise WrongError.of(found, name.span)

    # One store is overwritten by another; two are each computed from the other.
    def _check_order(self, stored: Sequence[Stored]) -> None:
        last: dict[tuple[tuple[str, ...], int], Stored] = {}
        for one in stored:
            for other in stored[: stored.index(one)]:
                if one.path in other.reads and other.path in one.reads and one.path != other.path:
                    names = f"`new.{'.'.join(one.path)}` and `new.{'.'.join(other.path)}`"
                    message = f"{names} are each computed from the other, in line {other.span.line} and here"
                    hint = "compute both from `old`, or keep one of them with `let` before"
                    self._report(WrongError(Label.CYCLE, one.span, message, hint))
            before = last.get((one.path, one.offset))
            if before is not None and one.always and one.path not in one.reads:
                message = f"this overwrites what line {before.span.line} stores"
                self._report(WrongError(Label.OVERLAP, one.span, message, "delete one of the two"))
            last = {key: other for key, other in last.items() if other.path not in one.reads}
            if one.always:
                last[one.path, one.offset] = one

    def _whole(self, place: Place, side: Side) -> Location:
        names = self._pair.old if side is Side.OLD else self._pair.new
        index = place.old if side is Side.OLD else place.new
        if place.subject is Subject.VARIABLE:
            index = names.program.variables[index].type
        one = names.program.types.strip(index)
        return Location(side, None, 0, (), index, one.size if one else 0)

    def _fields(self, whole: Location) -> frozenset[str]:
        one = self._pair.old.program.types.strip(whole.type)
        return frozenset(self._pair.old.field_names(one)) if one is not None else frozenset()

    def _new_type(self, old: int) -> int | None:
        return self._pair.new_type(old)

    def _types_of_objects(self) -> frozenset[int]:
        if self._object_types is None:
            self._object_types = types_of_objects(self._pair.old.program)
        return self._object_types
