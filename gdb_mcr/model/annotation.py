"""What the statements of `*.mcr` files mean for two given programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gdb_mcr.model.handler import Handler, MemoryFact
from gdb_mcr.model.place import Place
from gdb_mcr.model.statement import InputState, Statement, Treatment
from gdb_mcr.source import Span


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
class InputRule:
    """An `InputFile` that checked."""

    pattern: str
    state: InputState


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

    library: Path | None = None
    """Where the functions that handlers call are."""
    inputs: tuple[InputRule, ...] = ()

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
