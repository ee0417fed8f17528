"""Whether a type is laid out in N as it is in O. What a pointer points to does not matter: it is eight bytes."""

from __future__ import annotations

from collections.abc import Mapping

from gdb_mcr.model.datatype import DataType, Member, TypeKind, TypeTable

AGGREGATES = frozenset({TypeKind.STRUCT, TypeKind.UNION})


class LayoutComparer:
    """Compares types of two programs member by member; sizes alone lie (SERVERS.md, "Sizes lie")."""

    def __init__(
        self,
        old: TypeTable,
        new: TypeTable,
        *,
        by_constants: bool = True,
        matched: Mapping[int, int] | None = None,
        handled: frozenset[int] = frozenset(),
    ) -> None:
        """:param by_constants: whether an enum with renumbered constants is another type.
        :param matched: which aggregates continue as which; None if nobody knows, then pointers to any are alike.
        :param handled: types of O that are never the same, since a transfer handler changes what they hold.
        """
        self._by_constants = by_constants
        self._matched = matched
        self._handled = handled
        self._old = old
        self._new = new
        self._known: dict[tuple[int, int], bool] = {}

    def same(self, old_index: int, new_index: int) -> bool:
        """Whether bytes of the old type can be used as the new type without any change but pointers' values."""
        key = (old_index, new_index)
        if key not in self._known:
            self._known[key] = self._compare(old_index, new_index)
        return self._known[key]

    def _compare(self, old_index: int, new_index: int) -> bool:
        old, new = self._old.strip(old_index), self._new.strip(new_index)
        if old is None or new is None:
            return old is new
        if old.index in self._handled:
            return False
        by_constants = self._by_constants and TypeKind.ENUM in (old.kind, new.kind)
        if is_integral(old) and is_integral(new) and not by_constants:
            return old.size == new.size and (old.signed == new.signed or are_bytes(old, new)) and not narrows(old, new)
        if old.kind is not new.kind or old.size != new.size:
            return False
        if old.kind is TypeKind.ARRAY:
            return old.count == new.count and self.same(old.target, new.target)
        if old.kind in (TypeKind.STRUCT, TypeKind.UNION):
            return self._same_members(old, new)
        if old.kind is TypeKind.ENUM:
            return enum_changes(old, new) == {}
        if old.kind is TypeKind.POINTER:
            return self.same_pointee(old.target, new.target)
        return True

    def is_kept(self, old_index: int) -> bool:
        """Whether objects of an old type stay as they are, whoever uses them: of an aggregate, if it is matched."""
        one = element(self._old, old_index)
        if one is None or one.kind not in AGGREGATES:
            return True
        twin = (self._matched or {}).get(one.index)
        return twin is not None and self.same(one.index, twin)

    def same_pointee(self, old_index: int, new_index: int) -> bool:
        """Whether what a pointer leads to is, by the pointer's type, what it was; only aggregates may change inside."""
        old, new = self._old.strip(old_index), self._new.strip(new_index)
        if old is None or new is None or not old.complete or not new.complete:
            return True
        if (old.kind is TypeKind.FUNCTION) != (new.kind is TypeKind.FUNCTION):
            return False
        if is_integral(old) and is_integral(new):
            return old.size == new.size
        if old.kind is TypeKind.POINTER and new.kind is TypeKind.POINTER:
            return self.same_pointee(old.target, new.target)
        if old.kind is TypeKind.ARRAY or new.kind is TypeKind.ARRAY:
            return self._same_element(old, new)
        if old.kind in AGGREGATES and new.kind in AGGREGATES:
            return self._same_aggregate(old, new)
        return old.kind is new.kind and old.size == new.size

    # A pointer to an array and one to its first element lead to the same.
    def _same_element(self, old: DataType, new: DataType) -> bool:
        before = old.target if old.kind is TypeKind.ARRAY else old.index
        after = new.target if new.kind is TypeKind.ARRAY else new.index
        return self.same_pointee(before, after)

    def _same_aggregate(self, old: DataType, new: DataType) -> bool:
        if self._matched is None or not old.name or not new.name or old.name == new.name:
            return old.kind is new.kind or self._matched is None
        return self._matched.get(old.index) == new.index

    def _same_members(self, old: DataType, new: DataType) -> bool:
        old_members, new_members = flat_members(self._old, old), flat_members(self._new, new)
        return len(old_members) == len(new_members) and all(
            self._same_member(one, other) for one, other in zip(old_members, new_members, strict=True)
        )

    def _same_member(self, old: Member, new: Member) -> bool:
        where_old = (old.name, old.offset, old.bit_offset, old.bit_size)
        where_new = (new.name, new.offset, new.bit_offset, new.bit_size)
        return where_old == where_new and self.same(old.type, new.type)


def is_integral(one: DataType) -> bool:
    """Integers, characters, booleans and enums: C's integer types."""
    return one.kind in (TypeKind.INTEGER, TypeKind.CHARACTER, TypeKind.BOOLEAN, TypeKind.ENUM)


def are_bytes(old: DataType, new: DataType) -> bool:
    """Whether they are characters of which one is plain `char`: its sign means nothing."""
    return old.kind is new.kind is TypeKind.CHARACTER and old.size == new.size == 1 and "char" in (old.name, new.name)


def narrows(old: DataType, new: DataType) -> bool:
    """Whether a `_Bool` takes over what was a number."""
    return new.kind is TypeKind.BOOLEAN and old.kind is not TypeKind.BOOLEAN


def enum_changes(old: DataType, new: DataType) -> dict[int, int | None]:
    """Old value to new value where they differ, by constant name; None where N has no such constant."""
    now = dict(new.constants)
    return {value: now.get(name) for name, value in old.constants if now.get(name) != value}


def flat_members(types: TypeTable, one: DataType, offset: int = 0) -> list[Member]:
    """Members of an aggregate with those of anonymous inner aggregates lifted to its level (C11 6.7.2.1)."""
    lifted: list[Member] = []
    for member in one.members:
        inner = types.strip(member.type)
        if not member.name and inner is not None and inner.kind is TypeKind.STRUCT:
            lifted.extend(flat_members(types, inner, offset + member.offset))
        else:
            lifted.append(Member(member.name, offset + member.offset, member.type, member.bit_offset, member.bit_size))
    return lifted


def element(types: TypeTable, index: int) -> DataType | None:
    """What an array of any depth is made of; any other type itself, typedefs stripped. None for void."""
    one = types.strip(index)
    while one is not None and one.kind is TypeKind.ARRAY:
        one = types.strip(one.target)
    return one


def holds_pointers(types: TypeTable, index: int) -> bool:
    """Whether objects of a type hold pointers by that type. Aggregates nest in finite depth (C11 6.7.2.1)."""
    one = element(types, index)
    if one is None:
        return False
    return one.kind is TypeKind.POINTER or any(holds_pointers(types, member.type) for member in one.members)


def describe(one: DataType) -> str:
    """A type in the user's words: `struct conn`, `int[16]`, `char *`."""
    match one.kind:
        case TypeKind.STRUCT | TypeKind.UNION | TypeKind.ENUM:
            return f"{one.kind.value} {one.name}".rstrip()
        case TypeKind.POINTER:
            return "a pointer"
        case TypeKind.ARRAY:
            return f"an array of {one.count}"
        case _:
            return one.name or one.kind.value


def type_text(types: TypeTable, index: int) -> str:
    """A type as C writes it, typedefs by their names: `struct conn *[16]`, `conn_states`."""
    if index < 0:
        return "void"
    one = types[index]
    match one.kind:
        case TypeKind.TYPEDEF:
            return one.name
        case TypeKind.POINTER:
            return f"{type_text(types, one.target)} *".replace("* *", "**")
        case TypeKind.ARRAY:
            return _array_text(types, one)
        case TypeKind.FUNCTION:
            return "function"
        case _:
            return describe(one)


# C writes the outermost dimension first.
def _array_text(types: TypeTable, one: DataType) -> str:
    dimensions = ""
    element: DataType | None = one
    while element is not None and element.kind is TypeKind.ARRAY:
        dimensions += f"[{max(element.count, 0) or ''}]"
        index = element.target
        element = types[index] if index >= 0 else None
    return f"{type_text(types, index)}{dimensions}"
