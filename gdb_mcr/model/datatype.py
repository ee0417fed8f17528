"""Our C type model: the seed's *data type tags*. Made from DWARF by `dwarf/`, compiled to flat tables by `tracing/`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import overload


class TypeKind(Enum):
    """What a type is. TYPEDEF keeps its name (pthread_t, pid_t and mutexes are told by it)."""

    VOID = "void"
    INTEGER = "integer"
    CHARACTER = "character"
    BOOLEAN = "boolean"
    FLOAT = "float"
    ENUM = "enum"
    POINTER = "pointer"
    ARRAY = "array"
    STRUCT = "struct"
    UNION = "union"
    FUNCTION = "function"
    TYPEDEF = "typedef"


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a struct or union. An anonymous nested aggregate has the name ""."""

    name: str
    offset: int
    """Bytes from the start of the aggregate; for a bit field, of the byte that holds its first bit."""
    type: int
    """Index in the type table."""
    bit_offset: int = 0
    """Bits from `offset` to the field's lowest bit (little-endian); 0 unless a bit field."""
    bit_size: int = 0
    """Width in bits; 0 = not a bit field."""


@dataclass(frozen=True, slots=True)
class DataType:
    """One type of one program. Identity across programs is (kind, name, decl_file), never the name alone."""

    index: int
    kind: TypeKind
    name: str
    """Tag or typedef name; "" if anonymous. An anonymous aggregate that a typedef names has the typedef's name."""
    size: int
    """sizeof, in bytes; 0 for void, functions, incomplete types and arrays of unknown length."""
    decl_file: str = ""
    """Source file (as DWARF names it, relative to the build) that declares it; "" if unknown."""
    target: int = -1
    """Pointer: pointee. Array: element. Typedef: what it names. Function: return type. -1 = void or none."""
    count: int = -1
    """Array: elements; 0 = flexible, -1 = unknown."""
    signed: bool = False
    members: tuple[Member, ...] = ()
    constants: tuple[tuple[str, int], ...] = ()
    complete: bool = True
    """False for a struct that this program only declares."""


class TypeTable(Sequence[DataType]):
    """All types of a program, by index."""

    def __init__(self, types: Sequence[DataType]) -> None:
        self._types = tuple(types)
        self._by_name: dict[str, list[int]] = {}
        for one in self._types:
            if one.name:
                self._by_name.setdefault(one.name, []).append(one.index)

    @overload
    def __getitem__(self, index: int) -> DataType: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[DataType]: ...

    def __getitem__(self, index: int | slice) -> DataType | Sequence[DataType]:
        return self._types[index]

    def __len__(self) -> int:
        return len(self._types)

    def __iter__(self) -> Iterator[DataType]:
        return iter(self._types)

    def named(self, name: str) -> list[DataType]:
        """All types of that tag or typedef name, in table order."""
        return [self._types[i] for i in self._by_name.get(name, [])]

    def strip(self, index: int) -> DataType | None:
        """The type behind typedefs; None for void (index -1)."""
        while index >= 0:
            one = self._types[index]
            if one.kind is not TypeKind.TYPEDEF:
                return one
            index = one.target
        return None
