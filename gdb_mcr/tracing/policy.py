"""What annotations and built-in rules say about fields, types and libraries, in the form the compiler asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from gdb_mcr.engine.records import OpFlag, ShapeFlag
from gdb_mcr.model.datatype import DataType

DROP = "drop"


@dataclass(frozen=True, slots=True)
class Policy:
    """Names are as the user writes them: `Type.field.path`, `variable`, or `variable.field.path`."""

    field_flags: dict[str, OpFlag] = field(default_factory=dict)
    """keep old, keep new, counter."""
    dropped: frozenset[str] = frozenset()
    """Fields and variables of O that need no home."""
    renamed_fields: dict[str, str] = field(default_factory=dict)
    """`Type.old.path` to the new path inside the new type."""
    renamed_types: dict[str, str] = field(default_factory=dict)
    renamed_variables: dict[str, str] = field(default_factory=dict)
    never_types: frozenset[str] = frozenset()
    never_libraries: tuple[str, ...] = ()
    """File name patterns (fnmatch) of libraries whose data and chunks stay N's own."""
    ruled_libraries: dict[str, str] = field(default_factory=dict)
    """Library pattern to the tag of the struct that its opaque memory may point into."""

    def shape_flags(self, one: DataType) -> ShapeFlag:
        """Flags of one type."""
        flags = ShapeFlag(0)
        if one.name in self.never_types:
            flags |= ShapeFlag.NEVER
        if one.name in self.ruled_libraries.values():
            flags |= ShapeFlag.RULED
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

    def ruled_type(self, file_name: str) -> str | None:
        """The struct that opaque memory of this library may point into."""
        return next((tag for pattern, tag in self.ruled_libraries.items() if fnmatchcase(file_name, pattern)), None)
