"""Statements against the two programs: every name is resolved, and every error is reported, not just the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gdb_mcr.annotations.contents import free_type, not_plain
from gdb_mcr.annotations.facts import FactChecker, FactStatement
from gdb_mcr.annotations.handlers import HandlerChecker
from gdb_mcr.annotations.labels import LACKING, Label
from gdb_mcr.annotations.library import find_library
from gdb_mcr.annotations.names import Miss, ProgramNames
from gdb_mcr.annotations.pairs import Pair, variable_text
from gdb_mcr.annotations.targets import TargetResolver
from gdb_mcr.annotations.wrong import WrongError
from gdb_mcr.model.annotation import Annotations, InputRule, LibraryRule, Rule
from gdb_mcr.model.handler import Handler, MemoryFact, PointsTo, Precision, TaggedPointer
from gdb_mcr.model.place import Place, Side, Subject
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
from gdb_mcr.model.written import FieldPath
from gdb_mcr.source import Problem, Span, did_you_mean

Sources = Mapping[str, Sequence[str]]
"""The lines of each file, for messages."""


class Checker:
    """Checks statements in the order that they depend on each other in, and collects what they mean.

    :param lenient: skip statements that name what a program lacks, as built-in rules may.
    """

    def __init__(self, old: Program, new: Program, sources: Sources, *, lenient: bool = False) -> None:
        self._pair = Pair(old, new)
        self._sources = sources
        self._lenient = lenient
        self._targets = TargetResolver(self._pair)
        self._taken: dict[tuple[object, ...], tuple[str, Span]] = {}
        self.problems: list[Problem] = []
        self._rules: list[Rule] = []
        self._libraries: list[LibraryRule] = []
        self._never_types: list[str] = []
        self._never_libraries: list[str] = []
        self._free_types: list[int] = []
        self._plain_pointers: list[Place] = []
        self._checked_handlers: list[Handler] = []
        self._facts: list[MemoryFact] = []
        self._library_path: Path | None = None
        self._handlers = HandlerChecker(self._pair, self._targets, self._wrong)
        self._fact_checker = FactChecker(self._pair, self._targets, self._handlers)
        self._inputs: list[InputRule] = []

    def check(self, statements: Sequence[Statement]) -> Annotations:
        """What the statements mean. `problems` then has what is wrong; the answer leaves that out."""
        for one in statements:
            if isinstance(one, RenameType):
                self._rename_type(one)
            elif isinstance(one, RenameVariable):
                self._rename_variable(one)
            elif isinstance(one, Use):
                self._use(one)
        for one in statements:
            if isinstance(one, RenameField):
                self._rename_field(one)
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

    def _rename_type(self, one: RenameType) -> None:
        old = self._found(self._pair.old.type(one.old), one.old.span, self._also(one.old, self._pair.new))
        new = self._found(self._pair.new.type(one.new), one.new.span, self._also(one.new, self._pair.old))
        if old is None or new is None:
            return
        place = Place(Subject.TYPE, one.old.name, old, new, (), ())
        if self._takes(one, (Subject.TYPE, old), str(new)) and self._takes(one, ("new", Subject.TYPE, new), str(old)):
            self._pair.renames.types[old] = place

    def _rename_variable(self, one: RenameVariable) -> None:
        is_new = bool(self._pair.new.variables(one.old))
        is_old = bool(self._pair.old.variables(one.new))
        old = self._found(self._pair.old.variable(one.old), one.old.span, is_new)
        new = self._found(self._pair.new.variable(one.new), one.new.span, is_old)
        if old is None or new is None:
            return
        place = Place(Subject.VARIABLE, variable_text(one.old), old, new, (), ())
        key = (Subject.VARIABLE, old)
        if self._takes(one, key, str(new)) and self._takes(one, ("new", Subject.VARIABLE, new), str(old)):
            self._pair.renames.variables[old] = place

    def _rename_field(self, one: RenameField) -> None:
        old = self._found(self._pair.old.type(one.type), one.type.span, self._also(one.type, self._pair.new))
        if old is None:
            return
        new = self._pair.new_type(old)
        if new is None:
            message = f"the new program has no type `{one.type}`"
            self._problem(Label.UNKNOWN_TYPE, one.type.span, message, "if it was renamed, `rename type` says so")
            return
        if self._has_fields(Side.OLD, old, one.old, new) and self._has_fields(Side.NEW, new, one.new, old):
            old_path, new_path = _names(one.old), _names(one.new)
            name = self._pair.old.program.types[old].name or one.type.name
            place = Place(Subject.TYPE, name, old, new, old_path, new_path)
            new_key = ("new", new, new_path)
            if self._takes(one, (old, old_path), str(new_key)) and self._takes(one, new_key, str((old, old_path))):
                self._pair.renames.fields[old, old_path] = place

    def _has_fields(self, side: Side, start: int, path: FieldPath, other: int) -> bool:
        here, there = (self._pair.old, self._pair.new) if side is Side.OLD else (self._pair.new, self._pair.old)
        walk = here.walk(start, _names(path))
        if not isinstance(walk, Miss):
            return True
        elsewhere = not isinstance(there.walk(other, _names(path)), Miss)
        self._found(walk, path[walk.step].span, elsewhere)
        return False

    def _treat(self, one: Treat) -> None:
        place = self._place(one.target, lambda place: self._targets.fits(one.treatment, place))
        if place is not None and self._takes(one, (place.subject, place.old, place.old_path), one.treatment.value):
            self._contradicts_rename(one, place)
            self._rules.append(Rule(one.treatment, place, one.span))

    def _use(self, one: Use) -> None:
        try:
            library = find_library(one)
        except WrongError as wrong:
            self._wrong(wrong)
            # What it would have is not known.
            self._handlers.functions = None
            return
        if self._takes(one, ("use",), str(library.path)):
            self._library_path, self._handlers.functions = library.path, library.functions

    def _fact(self, one: FactStatement) -> None:
        word = type(one).__name__.lower()
        try:
            fact = self._fact_checker.check(one)
        except WrongError as wrong:
            self._wrong(wrong)
            return
        place = fact.place
        kind = "precision" if isinstance(fact, Precision) else word
        if self._takes(one, (kind, place.subject, place.old, place.old_path), str(one)):
            self._facts.append(fact)

    def _handler(self, one: Transfer) -> None:
        handler = self._handlers.check(one)
        if handler is None:
            return
        place = handler.place
        other = self._taken.setdefault(("handler", place.subject, place.old), ("", one.span))
        if other[1] != one.span:
            message = f"`{place.name}` has a handler already, in {_where(other[1], one.span)}"
            self._problem(Label.OVERLAP, one.subject.span, message, "write all steps into one")
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
        said += [(place, self._taken[place.old, place.old_path][1]) for place in renames]
        for handler in self._checked_handlers:
            for place, span in said:
                same = (place.subject, place.new) == (handler.place.subject, handler.place.new)
                if same and place.new_path and any(_overlap(place.new_path, path) for path in handler.writes):
                    field = ".".join(place.new_path)
                    message = f"the handler of `{handler.place.name}` in {_where(handler.span, span)} stores `{field}`"
                    self._problem(Label.OVERLAP, span, message, "delete this statement, or the step of the handler")

    def _wrong(self, wrong: WrongError) -> None:
        self._problem(wrong.label, wrong.span, wrong.message, wrong.hint)

    # A target that is there and that `unfit` has nothing against.
    def _place(self, target: Target, unfit: Callable[[Place], Miss | None]) -> Place | None:
        place = self._targets.resolve(target)
        if not isinstance(place, Place):
            self._found(place.miss, place.span, on_the_other_side=False)
            return None
        miss = unfit(place)
        self._found(miss, target.span, on_the_other_side=False)
        return place if miss is None else None

    def _plain(self, one: PlainBytes) -> None:
        place = self._place(one.target, lambda place: not_plain(self._pair, place))
        if place is not None and self._takes(one, ("bytes", place.subject, place.old, place.old_path), "bytes"):
            self._plain_pointers.append(place)

    def _free(self, one: FreeType) -> None:
        old = self._found(free_type(self._pair.old, one.type), one.type.span, self._also(one.type, self._pair.new))
        if old is not None and self._takes(one, ("free", old), "free"):
            self._free_types.append(old)

    def _input(self, one: InputFile) -> None:
        if not one.pattern or one.pattern.endswith("/"):
            self._problem(Label.BAD_PATTERN, one.span, f'"{one.pattern}" names no file')
        elif self._takes(one, ("input", one.pattern), one.state.value):
            self._inputs.append(InputRule(one.pattern, one.state))

    def _never_type(self, one: NeverMergeType) -> None:
        if not self._some_type(one.type):
            return
        free = [self._taken[key][1] for old in self._pair.old.types(one.type) if (key := ("free", old)) in self._taken]
        if free:
            message = f"objects of `{one.type}` are free memory in {_where(free[0], one.span)}"
            hint = "free memory of the old server has nothing to merge; delete one of the two"
            self._problem(Label.CONTRADICTION, one.span, message, hint)
        else:
            self._never_types.append(one.type.name)

    # A field that got a new name has a home; dropping it as well cannot be meant.
    def _contradicts_rename(self, one: Treat, place: Place) -> None:
        if one.treatment is Treatment.DROP and place.subject is Subject.TYPE:
            taken = self._taken.get((place.old, place.old_path))
            if taken is not None:
                message = f"`{place.key}` was renamed in {_where(taken[1], one.span)}"
                self._problem(Label.CONTRADICTION, one.span, message, "`keep new` leaves it as the new program starts")

    def _some_type(self, wanted: TypeName) -> bool:
        names = (self._pair.old, self._pair.new)
        if any(one.has_type_name(wanted.name) for one in names):
            return True
        hint = did_you_mean(wanted.name, {name for one in names for name in one.any_names()})
        self._problem(Label.UNKNOWN_TYPE, wanted.span, f"neither program has a type `{wanted}`", hint)
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
        self._problem(Label.BAD_PATTERN, span, message, 'give a file name without directories: "libc.so*"')
        return False

    @staticmethod
    def _also(wanted: TypeName, other: ProgramNames) -> bool:
        return bool(other.types(wanted))

    # Reports a miss; `on_the_other_side`: the other program has what this one lacks.
    def _found(self, found: int | Miss | object, span: Span, on_the_other_side: bool) -> int | None:
        if isinstance(found, int):
            return found
        if isinstance(found, Miss):
            if on_the_other_side and found.label in LACKING:
                hint = "old names stand on the left and in targets, new names behind `->`"
                self._problem(Label.WRONG_SIDE, span, f"{found.message}; only the other one has it", hint)
            else:
                self._problem(found.label, span, found.message, found.hint)
        return None

    # False, with a problem, if another statement already says something about `key`.
    def _takes(self, one: Statement, key: tuple[object, ...], says: str) -> bool:
        before = self._taken.setdefault(key, (says, one.span))
        if before[1] == one.span:
            return True
        where = _where(before[1], one.span)
        if before[0] == says:
            self._problem(Label.DUPLICATE, one.span, f"this was said in {where}", "delete one of the two")
        else:
            self._problem(Label.CONTRADICTION, one.span, f"this contradicts {where}", "delete one of the two")
        return False

    def _problem(self, label: Label, span: Span, message: str, hint: str = "") -> None:
        if self._lenient and label in LACKING:
            return
        lines = self._sources.get(span.file, ())
        source = lines[span.line - 1] if 0 < span.line <= len(lines) else ""
        self.problems.append(Problem(label.value, span, message, hint, source))


def _names(path: FieldPath) -> tuple[str, ...]:
    return tuple(one.name for one in path)


def _where(span: Span, seen_from: Span) -> str:
    return f"line {span.line}" if span.file == seen_from.file else f"{span.file}:{span.line}"


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
