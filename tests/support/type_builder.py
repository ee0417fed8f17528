"""Small type tables by hand, so that tracing and conversion are tested without any compiler."""

from __future__ import annotations

from gdb_mcr.model.datatype import DataType, Member, TypeKind, TypeTable


class Types:
    """Builds a `TypeTable`; every method returns the new type's index."""

    def __init__(self) -> None:
        self._types: list[DataType] = []
        self.char = self._add(kind=TypeKind.CHARACTER, name="char", size=1, signed=True)
        self.int = self._add(kind=TypeKind.INTEGER, name="int", size=4, signed=True)
        self.short = self._add(kind=TypeKind.INTEGER, name="short", size=2, signed=True)
        self.long = self._add(kind=TypeKind.INTEGER, name="long", size=8, signed=True)
        self.unsigned = self._add(kind=TypeKind.INTEGER, name="unsigned int", size=4)
        self.function = self._add(kind=TypeKind.FUNCTION, name="")

    def _add(
        self,
        *,
        kind: TypeKind,
        name: str = "",
        size: int = 0,
        target: int = -1,
        count: int = -1,
        signed: bool = False,
        members: tuple[Member, ...] = (),
        constants: tuple[tuple[str, int], ...] = (),
    ) -> int:
        index = len(self._types)
        self._types.append(DataType(index, kind, name, size, "t.c", target, count, signed, members, constants))
        return index

    def floating(self, name: str, size: int) -> int:
        return self._add(kind=TypeKind.FLOAT, name=name, size=size)

    def pointer(self, target: int) -> int:
        return self._add(kind=TypeKind.POINTER, size=8, target=target)

    def array(self, element: int, count: int) -> int:
        return self._add(
            kind=TypeKind.ARRAY, size=self._types[element].size * max(count, 0), target=element, count=count
        )

    def typedef(self, name: str, target: int) -> int:
        return self._add(kind=TypeKind.TYPEDEF, name=name, size=self._types[target].size, target=target)

    def enum(self, name: str, **constants: int) -> int:
        return self._add(kind=TypeKind.ENUM, name=name, size=4, constants=tuple(constants.items()))

    def reserve(self) -> int:
        """An index for a struct that refers to itself; fill it with `struct(..., at=index)`."""
        return self._add(kind=TypeKind.VOID)

    def struct(
        self,
        name: str,
        size: int,
        *members: tuple[str, int, int],
        at: int | None = None,
        kind: TypeKind = TypeKind.STRUCT,
    ) -> int:
        """Members as (name, offset, type)."""
        rows = tuple(Member(member, offset, one) for member, offset, one in members)
        if at is None:
            return self._add(kind=kind, name=name, size=size, members=rows)
        self._types[at] = DataType(at, kind, name, size, "t.c", members=rows)
        return at

    def bit_struct(self, name: str, size: int, *fields: tuple[str, int, int]) -> int:
        """Bit fields of int as (name, first bit, width)."""
        rows = tuple(Member(field, bit // 8, self.int, bit % 8, width) for field, bit, width in fields)
        return self._add(kind=TypeKind.STRUCT, name=name, size=size, members=rows)

    def union(self, name: str, size: int, *members: tuple[str, int, int]) -> int:
        return self.struct(name, size, *members, kind=TypeKind.UNION)

    def table(self) -> TypeTable:
        return TypeTable(self._types)
