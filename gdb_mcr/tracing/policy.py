"""What annotations and built-in rules say about fields, types and libraries, in the form the compiler asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from gdb_mcr.engine.records import OpFlag, ShapeFlag
from gdb_mcr.model.annotation import Annotations
from gdb_mcr.model.datatype import DataType
from gdb_mcr.model.handler import Handler, MemoryFact
from gdb_mcr.model.statement import Treatment

_FLAGS = {
    Treatment.KEEP_OLD: OpFlag.KEEP_OLD,
    Treatment.KEEP_NEW: OpFlag.KEEP_NEW,
    Treatment.COUNTER: OpFlag.COUNTER,
}


@dataclass(frozen=True, slots=True)
class Policy:
    """Names are as the user writes them: `Type.field.path`, `variable`, or `variable.field.path`."""

    field_flags: dict[str, OpFlag] = field(default_factory=dict)
    """keep old, keep new, counter."""
    dropped: frozenset[str] = frozenset()
    """Fields and variables of O that need no home."""
    renamed_fields: dict[str, str] = field(default_factory=dict)
    """`Type.old.path` to the new path inside the new type."""
    never_types: frozenset[str] = frozenset()
    never_libraries: tuple[str, ...] = ()
    """File name patterns (fnmatch) of libraries whose data and chunks stay N's own."""
    ruled_libraries: tuple[tuple[str, str], ...] = ()
    """Library pattern, and the tag of a struct that its opaque memory may point into."""

    free_types: frozenset[int] = frozenset()
    """Types of O whose chunks are free memory: only the object itself is state."""
    plain_fields: frozenset[str] = frozenset()
    """Pointers of O to memory that never holds pointers: `Type.field`, `variable`."""
    handlers: tuple[Handler, ...] = ()
    facts: tuple[MemoryFact, ...] = ()
    library: Path | None = None
    """Where the functions that handlers call are."""

    @staticmethod
    def of(annotations: Annotations) -> Policy:
        """What checked annotations and built-in rules say."""
        return Policy(
            field_flags={
                rule.place.key: _FLAGS[rule.treatment] for rule in annotations.rules if rule.treatment in _FLAGS
            },
            dropped=frozenset(place.key for place in annotations.places(Treatment.DROP)),
            renamed_fields=annotations.new_field_paths,
            never_types=annotations.never_merge_types,
            never_libraries=annotations.never_merge_libraries,
            ruled_libraries=tuple((rule.pattern, rule.type_name) for rule in annotations.libraries),
            free_types=frozenset(annotations.free_types),
            plain_fields=frozenset(place.key for place in annotations.plain_pointers),
            handlers=annotations.handlers,
            facts=annotations.facts,
            library=annotations.library,
        )

    def shape_flags(self, one: DataType) -> ShapeFlag:
        """Flags of one type."""
        flags = ShapeFlag(0)
        if one.name in self.never_types:
            flags |= ShapeFlag.NEVER
        if any(one.name == tag for _, tag in self.ruled_libraries):
            flags |= ShapeFlag.RULED
        if one.index in self.free_types:
            flags |= ShapeFlag.FREE
        return flags

    def op_flags(self, *names: str) -> OpFlag:
        """Merge flags for a field known by any of these names."""
        flags = OpFlag.NONE
        for name in names:
            flags |= self.field_flags.get(name, OpFlag.NONE)
        return flags

    def is_never_library(self, file_name: str) -> bool:
        """Whether the library keeps its own state in N."""
        return any(fnmatchcase(file_name, pattern) for pattern in self.never_libraries)

    def is_ruled_library(self, file_name: str) -> bool:
        """Whether opaque memory of this library may point into objects of the ruled structs."""
        return any(fnmatchcase(file_name, pattern) for pattern, _ in self.ruled_libraries)
