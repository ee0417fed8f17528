"""What the names in annotations stand for in one program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from gdb_mcr.annotations.labels import Label
from gdb_mcr.model.datatype import DataType, Member, TypeKind
from gdb_mcr.model.place import Side
from gdb_mcr.model.program import Program, Variable
from gdb_mcr.model.statement import TypeName, VariableName
from gdb_mcr.source import did_you_mean

_AGGREGATES = frozenset({TypeKind.STRUCT, TypeKind.UNION})
_TAGGED = frozenset({TypeKind.STRUCT, TypeKind.UNION, TypeKind.ENUM})
_INTEGERS = frozenset({TypeKind.INTEGER, TypeKind.CHARACTER, TypeKind.BOOLEAN})


@dataclass(frozen=True, slots=True)
class Miss:
    """Why a name stands for nothing, or for too much."""

    label: Label
    message: str
    hint: str = ""
    step: int = -1
    """For a field path: the index of the name that is wrong."""


@dataclass(frozen=True, slots=True)
class Walk:
    """A field path that exists."""

    holders: tuple[int, ...]
    """For each name, the aggregate type that has the field."""
    leaf: int
    """The type of the last field, or the starting type of an empty path."""


class ProgramNames:
    """The names of one program."""

    def __init__(self, program: Program, side: Side) -> None:
        self.program = program
        self.side = side
        self._variables: dict[str, list[int]] = {}
        for index, variable in enumerate(program.variables):
            self._variables.setdefault(variable.name, []).append(index)

    def type(self, wanted: TypeName) -> int | Miss:
        """The index of the type, typedefs stripped."""
        found = self.types(wanted)
        if len(found) == 1:
            return found[0]
        if found:
            places = [self.program.types[index].decl_file or "an unknown file" for index in found]
            return _ambiguous(f"type `{wanted}`", places, wanted.name)
        hint = did_you_mean(wanted.name, self.any_type_names())
        return Miss(Label.UNKNOWN_TYPE, f"the {self.side.value} program has no type `{wanted}`", hint)

    def types(self, wanted: TypeName) -> list[int]:
        """All distinct structs, unions and enums that the name may mean; the complete ones if there are any."""
        found: dict[tuple[TypeKind, str, bool], int] = {}
        for one in self.program.types.named(wanted.name):
            stripped = self.program.types.strip(one.index)
            if stripped is None or not self._fits(one, stripped, wanted):
                continue
            found.setdefault((stripped.kind, stripped.decl_file, stripped.complete), stripped.index)
        complete = [index for (_, _, is_complete), index in found.items() if is_complete]
        return complete or list(found.values())[:1]

    def has_typedef(self, name: str) -> bool:
        """Whether an ordinary identifier of C names a type."""
        return any(one.kind is TypeKind.TYPEDEF for one in self.program.types.named(name))

    def has_type_name(self, name: str) -> bool:
        """Whether any type, declared or complete, has this name."""
        return bool(self.program.types.named(name))

    def variable(self, wanted: VariableName) -> int | Miss:
        """The index of the variable."""
        found = self.variables(wanted)
        if len(found) == 1:
            return found[0]
        if found:
            places = [self.program.variables[index].decl_file or "an unknown file" for index in found]
            return _ambiguous(f"variable `{wanted}`", places, wanted.name)
        message = f"the {self.side.value} program has no variable `{wanted}`"
        return Miss(Label.UNKNOWN_VARIABLE, message, self._variable_hint(wanted))

    def variables(self, wanted: VariableName) -> list[int]:
        """All variables that the name may mean; an external one goes before file statics."""
        found = [
            index
            for index in self._variables.get(wanted.name, [])
            if self.program.variables[index].function == wanted.function
            and _is_file(self.program.variables[index].decl_file, wanted.file)
        ]
        external = [index for index in found if self.program.variables[index].external]
        return external or found

    def same_variable(self, other: Variable) -> int | None:
        """The variable that another program's `other` is here by its key, None if there is none or no single one."""
        found = [
            index
            for index in self._variables.get(other.name, [])
            if (mine := self.program.variables[index]).function == other.function and mine.ordinal == other.ordinal
        ]
        best = [index for index in found if self.program.variables[index].external == other.external] or found
        return _of_same_file(best, [self.program.variables[index].decl_file for index in best], other.decl_file)

    def same_type(self, other: DataType, name: TypeName) -> int | None:
        """The type that another program's `other` is here; the one of the same file if there are several."""
        found = [index for index in self.types(name) if self.program.types[index].kind is other.kind]
        return _of_same_file(found, [self.program.types[index].decl_file for index in found], other.decl_file)

    def walk(self, start: int, names: Sequence[str]) -> Walk | Miss:
        """Follow field names from a type. Arrays stand for their elements; pointers are not followed."""
        holders: list[int] = []
        at = start
        for step, name in enumerate(names):
            holder = self._aggregate(at)
            if isinstance(holder, Miss):
                return Miss(holder.label, f"`{name}`: {holder.message}", holder.hint, step)
            member = self._member(holder, name)
            if member is None:
                return self.no_field(holder, name, step)
            holders.append(holder.index)
            at = member.type
        return Walk(tuple(holders), at)

    def is_integral(self, index: int) -> bool:
        """Whether the type is an integer or an array of integers."""
        element = self._element(index)
        return element is not None and element.kind in _INTEGERS

    def describe(self, index: int) -> str:
        """The type as C writes it, typedefs stripped."""
        one = self.program.types.strip(index)
        if one is None:
            return "void"
        tag = f"{one.kind.value} " if one.kind in _TAGGED else ""
        return f"{tag}{one.name}" if one.name else f"an unnamed {one.kind.value}"

    def any_names(self) -> Iterator[str]:
        """All names that a bare target may have."""
        yield from self._variables
        yield from self.any_type_names()

    def any_type_names(self) -> Iterator[str]:
        """The names of all structs, unions, enums and typedefs."""
        for one in self.program.types:
            if one.name and (one.kind in _TAGGED or one.kind is TypeKind.TYPEDEF):
                yield one.name

    # A tag that was written must be the type's own: `struct x` never means a typedef x of another struct.
    def _fits(self, one: DataType, stripped: DataType, wanted: TypeName) -> bool:
        if stripped.kind not in _TAGGED or not _is_file(stripped.decl_file, wanted.file):
            return False
        return not wanted.tag or (one.kind.value == wanted.tag)

    def _variable_hint(self, wanted: VariableName) -> str:
        if not wanted.function:
            inside = [self.program.variables[index] for index in self._variables.get(wanted.name, [])]
            functions = sorted({one.function for one in inside if one.function})
            if functions:
                return f"a static variable of a function is written `{functions[0]}::{wanted.name}`"
        hint = did_you_mean(wanted.name, self._variables)
        if self.has_type_name(wanted.name):
            return f"`{wanted.name}` is a type"
        return hint

    def _element(self, index: int) -> DataType | None:
        one = self.program.types.strip(index)
        while one is not None and one.kind is TypeKind.ARRAY:
            one = self.program.types.strip(one.target)
        return one

    def _aggregate(self, index: int) -> DataType | Miss:
        one = self._element(index)
        if one is not None and one.kind in _AGGREGATES:
            if one.complete:
                return one
            message = f"the {self.side.value} program only declares `{self.describe(one.index)}`"
            return Miss(Label.INCOMPLETE_TYPE, message, "its fields are known to whoever defines it")
        if one is not None and one.kind is TypeKind.POINTER:
            message = f"a field path does not go through a pointer (to `{self.describe(one.target)}`)"
            return Miss(Label.THROUGH_POINTER, message, "name the field by the type that the pointer points to")
        return Miss(Label.NO_FIELDS, f"`{self.describe(index)}` has no fields")

    def _member(self, holder: DataType, name: str) -> Member | None:
        for member in holder.members:
            if member.name == name:
                return member
            if not member.name:
                inner = self.program.types.strip(member.type)
                found = self._member(inner, name) if inner is not None else None
                if found is not None:
                    return found
        return None

    def no_field(self, holder: DataType, name: str, step: int = -1) -> Miss:
        """What to say of a field that is not there, and which ones are near."""
        message = f"`{self.describe(holder.index)}` has no field `{name}` in the {self.side.value} program"
        hint = did_you_mean(name, self.field_names(holder)) or _list_of_fields(list(self.field_names(holder)))
        return Miss(Label.UNKNOWN_FIELD, message, hint, step)

    def field_names(self, holder: DataType) -> Iterator[str]:
        """The fields of a struct or union, those of unnamed ones inside included."""
        for member in holder.members:
            inner = self.program.types.strip(member.type)
            if member.name:
                yield member.name
            elif inner is not None:
                yield from self.field_names(inner)


def _list_of_fields(names: list[str]) -> str:
    shown = ", ".join(f"`{one}`" for one in names[:12])
    return f"its fields: {shown}{'…' if len(names) > 12 else ''}" if names else "it has no fields"


def _ambiguous(what: str, places: Sequence[str], name: str) -> Miss:
    example = f'"{_distinct_end(places[0], places[1:])}"::{name}'
    return Miss(Label.AMBIGUOUS, f"{what} is declared in {' and in '.join(places)}", f"say which: `{example}`")


# The shortest end of a path, in whole parts, that the other paths do not have.
def _distinct_end(path: str, others: Sequence[str]) -> str:
    parts = PurePosixPath(path).parts
    ends = ["/".join(parts[-count:]) for count in range(1, len(parts) + 1)]
    return next((end for end in ends if not any(_is_file(other, end) for other in others)), path)


# Releases move files: the whole path decides, then its last part, then being the only one.
def _of_same_file(found: Sequence[int], files: Sequence[str], wanted: str) -> int | None:
    bases = [PurePosixPath(file).name for file in files]
    for names, name in ((files, wanted), (bases, PurePosixPath(wanted).name)):
        same = [index for index, file in zip(found, names, strict=True) if file == name]
        if len(same) == 1:
            return same[0]
    return found[0] if len(found) == 1 else None


# `wanted` is the end of the declaring file's path, in whole parts; "" fits all.
def _is_file(declared: str, wanted: str) -> bool:
    if not wanted:
        return True
    parts = PurePosixPath(wanted).parts
    return PurePosixPath(declared).parts[-len(parts) :] == parts
