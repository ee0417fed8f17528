"""Annotations: the statements of `*.mcr` files as a user wrote them, and what they mean for two given programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from gdb_mcr.model.handler import Handler, MemoryFact
from gdb_mcr.model.place import Place
from gdb_mcr.source import Span


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type: `conn`, `struct conn`, `"dict.h"::struct dict`."""

    name: str
    tag: str
    """struct, union, enum, or "" if not said."""
    file: str
    """The declaring source file or the end of its path; "" if not said."""
    span: Span

    def __str__(self) -> str:
        tag = f"{self.tag} " if self.tag else ""
        return f"{_quoted(self.file)}{tag}{self.name}"


@dataclass(frozen=True, slots=True)
class VariableName:
    """A variable with static storage: `settings`, `main::port`, `"items.c"::lru_locks`."""

    name: str
    function: str
    """For a function-level static, its function; "" otherwise."""
    file: str
    span: Span

    def __str__(self) -> str:
        function = f"{self.function}::" if self.function else ""
        return f"{_quoted(self.file)}{function}{self.name}"


@dataclass(frozen=True, slots=True)
class FieldName:
    """One name of a field path."""

    name: str
    span: Span


FieldPath: TypeAlias = tuple[FieldName, ...]
"""Names from the outermost field inwards; arrays on the way stand for all their elements."""


@dataclass(frozen=True, slots=True)
class TypeTarget:
    """A field of every object of a type."""

    type: TypeName
    path: FieldPath
    span: Span

    def __str__(self) -> str:
        return f"{self.type}{_dotted(self.path)}"


@dataclass(frozen=True, slots=True)
class VariableTarget:
    """A variable, or one field of it. ``certain`` is False for a bare name, which may yet mean a type."""

    variable: VariableName
    path: FieldPath
    certain: bool
    span: Span

    def __str__(self) -> str:
        return f"{self.variable}{_dotted(self.path)}"


Target: TypeAlias = TypeTarget | VariableTarget


@dataclass(frozen=True, slots=True)
class RenameField:
    """`rename conn.old -> new;` The new path starts in the type's new form."""

    type: TypeName
    old: FieldPath
    new: FieldPath
    span: Span

    def __str__(self) -> str:
        return f"rename {self.type}{_dotted(self.old)} -> {_dotted(self.new)[1:]};"


@dataclass(frozen=True, slots=True)
class RenameType:
    """`rename type Old -> New;`"""

    old: TypeName
    new: TypeName
    span: Span

    def __str__(self) -> str:
        return f"rename type {self.old} -> {self.new};"


@dataclass(frozen=True, slots=True)
class RenameVariable:
    """`rename variable old -> new;`"""

    old: VariableName
    new: VariableName
    span: Span

    def __str__(self) -> str:
        return f"rename variable {self.old} -> {self.new};"


class Treatment(Enum):
    """What a merge does with a field, whatever it would do by itself (DESIGN section 9)."""

    KEEP_OLD = "keep old"
    """O's value moves, even if unchanged since its start."""
    KEEP_NEW = "keep new"
    """N's value stays, even if O changed its own."""
    COUNTER = "counter"
    """theirs + ours - base."""
    DROP = "drop"
    """O's value has no home in N and needs none."""


@dataclass(frozen=True, slots=True)
class Treat:
    """`keep old|new TARGET;` `counter TARGET;` `drop TARGET;` The target is named as the old program names it."""

    treatment: Treatment
    target: Target
    span: Span

    def __str__(self) -> str:
        return f"{self.treatment.value} {self.target};"


@dataclass(frozen=True, slots=True)
class NeverMergeType:
    """`never merge type NAME;` Objects of the type stay N's own."""

    type: TypeName
    span: Span

    def __str__(self) -> str:
        return f"never merge type {self.type};"


@dataclass(frozen=True, slots=True)
class NeverMergeLibrary:
    """`never merge library "libc.so*";` The data and the chunks of matching libraries stay N's own."""

    pattern: str
    """A file name, with the wildcards of fnmatch(3)."""
    span: Span

    def __str__(self) -> str:
        return f'never merge library "{self.pattern}";'


@dataclass(frozen=True, slots=True)
class LibraryPointsTo:
    """`library "libevent*" points to struct event;`

    Chunks that such a library owns may hold pointers to or into objects of the type; words that could be such
    pointers are.
    """

    pattern: str
    type: TypeName
    span: Span

    def __str__(self) -> str:
        return f'library "{self.pattern}" points to {self.type};'


@dataclass(frozen=True, slots=True)
class FreeType:
    """`free struct cache_free_s;` A chunk that begins with an object of this type is free memory that the old program
    keeps for itself: only the object is state. What follows it in the chunk is dead; whatever else points there is
    stale."""

    type: TypeName
    span: Span

    def __str__(self) -> str:
        return f"free {self.type};"


@dataclass(frozen=True, slots=True)
class PlainBytes:
    """`bytes conn.rbuf;` Where this pointer leads are plain bytes and never pointers, whatever stale words stand there.

    The target is a pointer, or an array of pointers, of the old program.
    """

    target: Target
    span: Span

    def __str__(self) -> str:
        return f"bytes {self.target};"


Statement: TypeAlias = (
    RenameField
    | RenameType
    | RenameVariable
    | Treat
    | NeverMergeType
    | NeverMergeLibrary
    | LibraryPointsTo
    | FreeType
    | PlainBytes
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A `Treat` that checked."""

    treatment: Treatment
    place: Place
    span: Span


@dataclass(frozen=True, slots=True)
class LibraryRule:
    """A `LibraryPointsTo` that checked."""

    pattern: str
    type_name: str
    old_types: tuple[int, ...]
    """Indices in the old program's `types`; empty if it has no such type."""
    new_types: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Annotations:
    """What the files and the built-in rules say about two given programs. A rule on an inner field beats one on an
    outer field, and one on a variable beats one on its type."""

    statements: tuple[Statement, ...] = ()
    """The user's, not those of the built-in rules."""
    types: tuple[Place, ...] = ()
    """Renamed types; the paths are empty."""
    fields: tuple[Place, ...] = ()
    """Renamed fields."""
    variables: tuple[Place, ...] = ()
    """Renamed variables; the paths are empty."""
    rules: tuple[Rule, ...] = ()
    new_type_names: Mapping[str, str] = field(default_factory=dict)
    """Renamed types: old name to new name, without tags."""
    new_variable_names: Mapping[str, str] = field(default_factory=dict)
    """Renamed variables: old name to new name; `function::name` for function-level statics."""
    never_merge_types: frozenset[str] = frozenset()
    """Names of tags and typedefs."""
    never_merge_libraries: tuple[str, ...] = ()
    """Patterns for file names (fnmatch)."""
    libraries: tuple[LibraryRule, ...] = ()
    free_types: tuple[int, ...] = ()
    """Indices in the old program's `types` (structs and unions, typedefs stripped): objects that begin a free chunk."""
    plain_pointers: tuple[Place, ...] = ()
    """Pointers, or arrays of pointers, of the old program that lead to plain bytes; the new program may lack them."""

    handlers: tuple[Handler, ...] = ()
    """Transfer handlers, at most one of a type or variable."""
    facts: tuple[MemoryFact, ...] = ()
    """What the types do not say of O's memory, in the order of the files; at most one of a kind for a place."""

    def places(self, treatment: Treatment) -> Iterator[Place]:
        """Where ``treatment`` applies."""
        return (rule.place for rule in self.rules if rule.treatment is treatment)

    @property
    def new_field_paths(self) -> dict[str, str]:
        """Renamed fields: `conn.old.path` to the path in the new type, `new.path`."""
        return {place.key: ".".join(place.new_path) for place in self.fields}


def _quoted(file: str) -> str:
    if not file:
        return ""
    escaped = file.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"::'


def _dotted(path: FieldPath) -> str:
    return "".join(f".{one.name}" for one in path)
