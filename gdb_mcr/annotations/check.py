"""Statements against the two programs: every name is resolved, and every error is reported, not just the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from gdb_mcr.annotations.claims import Claims, Sources, place_text
from gdb_mcr.annotations.contents import free_type, not_plain
from gdb_mcr.annotations.facts import FactChecker, FactStatement
from gdb_mcr.annotations.handlers import HandlerChecker
from gdb_mcr.annotations.labels import Label
from gdb_mcr.annotations.library import find_library
from gdb_mcr.annotations.names import Miss
from gdb_mcr.annotations.pairs import Pair
from gdb_mcr.annotations.renames import RenameChecker
from gdb_mcr.annotations.targets import TargetResolver
from gdb_mcr.annotations.wrong import WrongError
from gdb_mcr.model.annotation import Annotations, InputRule, LibraryRule, Rule
from gdb_mcr.model.handler import Handler, MemoryFact, PointsTo, Precision, TaggedPointer
from gdb_mcr.model.place import Place, Subject
from gdb_mcr.model.program import Program
from gdb_mcr.model.statement import (
    Active,
    FreeType,
    InputFile,
    Length,
    LibraryPointsTo,
    NeverMergeLibrary,
    NeverMergeType,
    Opaque,
    PlainBytes,
    Points,
    Precise,
    RenameField,
    RenameType,
    RenameVariable,
    Statement,
    Tagged,
    Target,
    Transfer,
    Treat,
    Treatment,
    TypeName,
    Use,
)
from gdb_mcr.source import Problem, Span, did_you_mean


class Checker:
    """Checks statements in the order that they depend on each other in, and collects what they mean.

    :param lenient: skip statements that name what a program lacks, as built-in rules may.
    """

    def __init__(self, old: Program, new: Program, sources: Sources, *, lenient: bool = False) -> None:
        self._pair = Pair(old, new)
        self._targets = TargetResolver(self._pair)
        self._claims = Claims(sources, lenient=lenient)
        self._renames = RenameChecker(self._pair, self._claims)
        self._rules: list[Rule] = []
        self._libraries: list[LibraryRule] = []
        self._never_types: list[str] = []
        self._never_libraries: list[str] = []
        self._free_types: list[int] = []
        self._plain_pointers: list[Place] = []
        self._checked_handlers: list[Handler] = []
        self._facts: list[MemoryFact] = []
        self._library_path: Path | None = None
        self._handlers = HandlerChecker(self._pair, self._targets, self._claims.wrong)
        self._fact_checker = FactChecker(self._pair, self._targets, self._handlers)
        self._inputs: list[InputRule] = []

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with the statements that were checked."""
        return self._claims.problems

    def check(self, statements: Sequence[Statement]) -> Annotations:
        """What the statements mean. `problems` then has what is wrong; the answer leaves that out."""
        for one in statements:
            if isinstance(one, RenameType):
                self._renames.type(one)
            elif isinstance(one, RenameVariable):
                self._renames.variable(one)
            elif isinstance(one, Use):
                self._use(one)
        for one in statements:
            if isinstance(one, RenameField):
                self._renames.field(one)
            elif isinstance(one, FreeType):
                self._free(one)
        for one in statements:
            self._other(one)
        self._check_overlaps()
        return self._annotations(statements)

    def _other(self, one: Statement) -> None:
        match one:
            case Treat():
                self._treat(one)
            case NeverMergeType():
                self._never_type(one)
            case NeverMergeLibrary():
                if self._pattern(one.pattern, one.span):
                    self._never_libraries.append(one.pattern)
            case LibraryPointsTo():
                self._library(one)
            case PlainBytes():
                self._plain(one)
            case InputFile():
                self._input(one)
            case RenameField() | RenameType() | RenameVariable() | FreeType() | Use():
                pass
            case Tagged() | Length() | Points() | Active() | Opaque() | Precise():
                self._fact(one)
            case Transfer():
                self._handler(one)

    def _annotations(self, statements: Sequence[Statement]) -> Annotations:
        renames = self._pair.renames
        new_types, new_variables = self._pair.new.program.types, self._pair.new.program.variables
        return Annotations(
            statements=tuple(statements),
            types=tuple(renames.types.values()),
            fields=tuple(renames.fields.values()),
            variables=tuple(renames.variables.values()),
            rules=tuple(self._rules),
            new_type_names={place.name: new_types[place.new].name for place in renames.types.values()},
            new_variable_names={
                place.name: "::".join(filter(None, (new_variables[place.new].function, new_variables[place.new].name)))
                for place in renames.variables.values()
            },
            never_merge_types=frozenset(self._never_types),
            never_merge_libraries=tuple(self._never_libraries),
            libraries=tuple(self._libraries),
            free_types=tuple(self._free_types),
            plain_pointers=tuple(self._plain_pointers),
            library=self._library_path,
            handlers=tuple(self._checked_handlers),
            facts=self._facts_with_targets(),
            inputs=tuple(self._inputs),
        )

    def _treat(self, one: Treat) -> None:
        place = self._place(one.target, lambda place: self._targets.fits(one.treatment, place))
        if place is not None and self._claims.take(
            one, (place.subject, place.old, place.old_path), one.treatment.value
        ):
            self._contradicts_rename(one, place)
            self._rules.append(Rule(one.treatment, place, one.span))

    def _use(self, one: Use) -> None:
        try:
            library = find_library(one)
        except WrongError as wrong:
            self._claims.wrong(wrong)
            # What it would have is not known.
            self._handlers.functions = None
            return
        if self._claims.take(one, ("use",), str(library.path)):
            self._library_path, self._handlers.functions = library.path, library.functions

    def _fact(self, one: FactStatement) -> None:
        word = type(one).__name__.lower()
        try:
            fact = self._fact_checker.check(one)
        except WrongError as wrong:
            self._claims.wrong(wrong)
            return
        place = fact.place
        kind = "precision" if isinstance(fact, Precision) else word
        if self._claims.take(one, (kind, place.subject, place.old, place.old_path), str(one)):
            self._facts.append(fact)

    def _handler(self, one: Transfer) -> None:
        handler = self._handlers.check(one)
        if handler is None:
            return
        place = handler.place
        other = self._claims.first(("handler", place.subject, place.old), one.span)
        if other != one.span:
            message = f"`{place.name}` has a handler already, in {place_text(other, one.span)}"
            self._claims.problem(Label.OVERLAP, one.subject.span, message, "write all steps into one")
            return
        self._checked_handlers.append(handler)

    # A tagged word leads to what `points` says of the same place.
    def _facts_with_targets(self) -> tuple[MemoryFact, ...]:
        targets = {one.place: one.old_type for one in self._facts if isinstance(one, PointsTo)}
        return tuple(
            replace(one, target=targets.get(one.place, -1)) if isinstance(one, TaggedPointer) else one
            for one in self._facts
        )

    # What a handler stores, and what another statement says of the same field.
    def _check_overlaps(self) -> None:
        renames = self._pair.renames.fields.values()
        said = [(one.place, one.span) for one in self._rules]
        said += [(place, span) for place in renames if (span := self._claims.where((place.old, place.old_path)))]
        for handler in self._checked_handlers:
            for place, span in said:
                same = (place.subject, place.new) == (handler.place.subject, handler.place.new)
                if same and place.new_path and any(_overlap(place.new_path, path) for path in handler.writes):
                    field = ".".join(place.new_path)
                    message = (
                        f"the handler of `{handler.place.name}` in {place_text(handler.span, span)} stores `{field}`"
                    )
                    self._claims.problem(
                        Label.OVERLAP, span, message, "delete this statement, or the step of the handler"
                    )

    # A target that is there and that `unfit` has nothing against.
    def _place(self, target: Target, unfit: Callable[[Place], Miss | None]) -> Place | None:
        place = self._targets.resolve(target)
        if not isinstance(place, Place):
            self._claims.found(place.miss, place.span, on_the_other_side=False)
            return None
        miss = unfit(place)
        self._claims.found(miss, target.span, on_the_other_side=False)
        return place if miss is None else None

    def _plain(self, one: PlainBytes) -> None:
        place = self._place(one.target, lambda place: not_plain(self._pair, place))
        if place is not None and self._claims.take(one, ("bytes", place.subject, place.old, place.old_path), "bytes"):
            self._plain_pointers.append(place)

    def _free(self, one: FreeType) -> None:
        old = self._claims.found(
            free_type(self._pair.old, one.type), one.type.span, bool(self._pair.new.types(one.type))
        )
        if old is not None and self._claims.take(one, ("free", old), "free"):
            self._free_types.append(old)

    def _input(self, one: InputFile) -> None:
        if not one.pattern or one.pattern.endswith("/"):
            self._claims.problem(Label.BAD_PATTERN, one.span, f'"{one.pattern}" names no file')
        elif self._claims.take(one, ("input", one.pattern), one.state.value):
            self._inputs.append(InputRule(one.pattern, one.state))

    def _never_type(self, one: NeverMergeType) -> None:
        if not self._some_type(one.type):
            return
        free = [span for old in self._pair.old.types(one.type) if (span := self._claims.where(("free", old)))]
        if free:
            message = f"objects of `{one.type}` are free memory in {place_text(free[0], one.span)}"
            hint = "free memory of the old server has nothing to merge; delete one of the two"
            self._claims.problem(Label.CONTRADICTION, one.span, message, hint)
        else:
            self._never_types.append(one.type.name)

    # A field that got a new name has a home; dropping it as well cannot be meant.
    def _contradicts_rename(self, one: Treat, place: Place) -> None:
        if one.treatment is Treatment.DROP and place.subject is Subject.TYPE:
            taken = self._claims.where((place.old, place.old_path))
            if taken is not None:
                message = f"`{place.key}` was renamed in {place_text(taken, one.span)}"
                self._claims.problem(
                    Label.CONTRADICTION, one.span, message, "`keep new` leaves it as the new program starts"
                )

    def _some_type(self, wanted: TypeName) -> bool:
        names = (self._pair.old, self._pair.new)
        if any(one.has_type_name(wanted.name) for one in names):
            return True
        hint = did_you_mean(wanted.name, {name for one in names for name in one.any_names()})
        self._claims.problem(Label.UNKNOWN_TYPE, wanted.span, f"neither program has a type `{wanted}`", hint)
        return False

    def _library(self, one: LibraryPointsTo) -> None:
        if not self._pattern(one.pattern, one.span) or not self._some_type(one.type):
            return
        old, new = self._pair.old.types(one.type), self._pair.new.types(one.type)
        self._libraries.append(LibraryRule(one.pattern, one.type.name, tuple(old), tuple(new)))

    def _pattern(self, pattern: str, span: Span) -> bool:
        if pattern and "/" not in pattern:
            return True
        message = f'"{pattern}" matches no library' if pattern else "this pattern is empty"
        self._claims.problem(Label.BAD_PATTERN, span, message, 'give a file name without directories: "libc.so*"')
        return False


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
