"""DWARF's types to one `TypeTable`: one entry for a type that many units describe, typedef names kept.

Source: DWARF 5, chapter 5; FACTS-E2E obstacle 10 (two structs of one name are two types).
"""

from __future__ import annotations

from collections.abc import Hashable

from gdb_mcr.dwarf.constants import At, Op, Tag
from gdb_mcr.dwarf.dies import DebugInfo, Die
from gdb_mcr.dwarf.files import SourceFiles
from gdb_mcr.dwarf.leb import uleb
from gdb_mcr.model.datatype import DataType, Member, TypeKind, TypeTable
from gdb_mcr.units import WORD

QUALIFIERS = frozenset({Tag.CONST, Tag.VOLATILE, Tag.RESTRICT, Tag.ATOMIC})
AGGREGATES = {
    Tag.STRUCTURE: TypeKind.STRUCT,
    Tag.CLASS: TypeKind.STRUCT,
    Tag.UNION: TypeKind.UNION,
    Tag.ENUMERATION: TypeKind.ENUM,
}
POINTERS = frozenset({Tag.POINTER, Tag.REFERENCE, Tag.RVALUE_REFERENCE})
FUNCTIONS = frozenset({Tag.SUBROUTINE_TYPE, Tag.SUBPROGRAM})

# DW_ATE_* to (kind, signed); a one-byte signed or unsigned char is a character, so is char16_t (DW_ATE_UTF).
_ENCODINGS = {
    1: (TypeKind.INTEGER, False),
    2: (TypeKind.BOOLEAN, False),
    3: (TypeKind.FLOAT, True),
    4: (TypeKind.FLOAT, True),
    5: (TypeKind.INTEGER, True),
    6: (TypeKind.CHARACTER, True),
    7: (TypeKind.INTEGER, False),
    8: (TypeKind.CHARACTER, False),
    16: (TypeKind.CHARACTER, False),
}


class TypeBuilder:
    """Gives every type entry its index; `table` makes the table when all are known."""

    def __init__(self, debug: DebugInfo, files: SourceFiles) -> None:
        self._debug = debug
        self._files = files
        self._by_offset: dict[int, int] = {}
        self._by_key: dict[Hashable, int] = {}
        self._rows: list[DataType | None] = []
        self._unfinished: list[tuple[int, Die]] = []
        self._spelled: dict[int, str] = {}
        self._typedef_names = self._names_by_typedef()
        self._complete: dict[tuple[TypeKind, str], set[int]] = {}
        self._take_complete_aggregates()
        for tag in (*AGGREGATES, Tag.TYPEDEF, Tag.BASE):
            for die in debug.tagged(tag):
                self.index(die)

    def index(self, die: Die | None) -> int:
        """The table index of a type entry, qualifiers left out; -1 for void (`die` None)."""
        while die is not None and (die.tag in QUALIFIERS or At.SIGNATURE in die.attributes):
            die = self._debug.at(die, At.SIGNATURE) or self._debug.type_of(die)
        if die is None:
            return -1
        known = self._by_offset.get(die.offset)
        if known is None:
            known = self._by_offset[die.offset] = self._enter(die)
        return known

    def table(self) -> TypeTable:
        """Finishes members, which may refer to anything, and hands out the table."""
        while self._unfinished:
            index, die = self._unfinished.pop()
            row = self._rows[index]
            assert row is not None, "only aggregates that have a row wait for their members"
            members = tuple(self._iter_members(die))
            self._rows[index] = _with_members(row, members)
        return TypeTable([one for one in self._rows if one is not None])

    def size(self, index: int) -> int:
        """sizeof, behind typedefs."""
        row = self._rows[index] if index >= 0 else None
        return row.size if row is not None else 0

    def stripped(self, index: int) -> DataType | None:
        """The type behind typedefs as far as it is known now (an aggregate may still lack its members)."""
        while index >= 0:
            row = self._rows[index]
            if row is None or row.kind is not TypeKind.TYPEDEF:
                return row
            index = row.target
        return None

    # ---- one entry a type

    def _enter(self, die: Die) -> int:
        if die.tag in AGGREGATES:
            return self._declared(die)
        if die.tag == Tag.BASE:
            return self._base(die)
        if die.tag in POINTERS:
            target = self.index(self._debug.type_of(die))
            return self._add(("pointer", target), TypeKind.POINTER, size=WORD, target=target)
        if die.tag == Tag.TYPEDEF:
            return self._typedef(die)
        if die.tag == Tag.ARRAY:
            return self._array(die)
        if die.tag in FUNCTIONS:
            return self._function(die)
        return self._add(("other", die.tag, die.name), TypeKind.VOID, die.name)

    def _add(
        self,
        key: Hashable,
        kind: TypeKind,
        name: str = "",
        *,
        size: int = 0,
        decl_file: str = "",
        target: int = -1,
        count: int = -1,
        signed: bool = False,
        constants: tuple[tuple[str, int], ...] = (),
        complete: bool = True,
    ) -> int:
        known = self._by_key.get(key)
        if known is None:
            known = self._by_key[key] = len(self._rows)
            row = DataType(known, kind, name, size, decl_file, target, count, signed, (), constants, complete)
            self._rows.append(row)
        return known

    def _base(self, die: Die) -> int:
        encoding, size = die.integer(At.ENCODING), die.integer(At.BYTE_SIZE)
        kind, signed = _ENCODINGS.get(encoding, (TypeKind.INTEGER, False))
        return self._add(("base", die.name, size, encoding), kind, die.name, size=size, signed=signed)

    def _typedef(self, die: Die) -> int:
        target = self.index(self._debug.type_of(die))
        file = self._files.declaring(die)
        key = ("typedef", die.name, file, target)
        return self._add(key, TypeKind.TYPEDEF, die.name, size=self.size(target), decl_file=file, target=target)

    # An array of several dimensions is an array of arrays.
    def _array(self, die: Die) -> int:
        target = self.index(self._debug.type_of(die))
        for one in reversed([child for child in die.children if child.tag in (Tag.SUBRANGE, Tag.ENUMERATION)]):
            count = element_count(one)
            size = self.size(target) * max(count, 0)
            target = self._add(("array", target, count), TypeKind.ARRAY, size=size, target=target, count=count)
        return target

    def _function(self, die: Die) -> int:
        result = self.index(self._debug.type_of(die))
        parameters = tuple(
            self.index(self._debug.type_of(one)) for one in die.children if one.tag == Tag.FORMAL_PARAMETER
        )
        return self._add(("function", result, parameters), TypeKind.FUNCTION, target=result)

    # ---- structs, unions, enums

    def _take_complete_aggregates(self) -> None:
        for tag, kind in AGGREGATES.items():
            for die in self._debug.tagged(tag):
                if At.DECLARATION not in die.attributes:
                    index = self._by_offset[die.offset] = self._aggregate(die, kind)
                    if self._name(die):
                        self._complete.setdefault((kind, self._name(die)), set()).add(index)

    def _aggregate(self, die: Die, kind: TypeKind) -> int:
        name, file = self._name(die), self._files.declaring(die)
        size = die.integer(At.BYTE_SIZE)
        key = (kind, name, file, size, self._structure(die))
        count = len(self._rows)
        if kind is TypeKind.ENUM:
            constants = tuple(
                (one.name, _signed(one.integer(At.CONST_VALUE))) for one in die.children if one.tag == Tag.ENUMERATOR
            )
            signed = any(value < 0 for _, value in constants)
            return self._add(key, kind, name, size=size, decl_file=file, signed=signed, constants=constants)
        index = self._add(key, kind, name, size=size, decl_file=file)
        if index == count:
            self._unfinished.append((index, die))
        return index

    # A declaration stands for the complete type of that name if the program has exactly one.
    def _declared(self, die: Die) -> int:
        kind, name = AGGREGATES[die.tag], self._name(die)
        candidates = self._complete.get((kind, name), set())
        if len(candidates) == 1:
            return next(iter(candidates))
        return self._add(("declared", kind, name), kind, name, decl_file=self._files.declaring(die), complete=False)

    def _iter_members(self, die: Die) -> list[Member]:
        return [self._member(one) for one in die.children if is_data_member(one, die)]

    def _member(self, die: Die) -> Member:
        index = self.index(self._debug.type_of(die))
        offset = member_offset(die)
        bit_size = die.integer(At.BIT_SIZE)
        if not bit_size:
            return Member(die.name, offset, index)
        bits = 8 * offset
        if At.DATA_BIT_OFFSET in die.attributes:
            bits += die.integer(At.DATA_BIT_OFFSET)
        elif At.BIT_OFFSET in die.attributes:
            # DWARF 2 and 3 count from the storage unit's most significant bit.
            storage = die.integer(At.BYTE_SIZE) or self.size(index)
            bits += 8 * storage - _signed(die.integer(At.BIT_OFFSET)) - bit_size
        return Member(die.name, bits // 8, index, bits % 8, bit_size)

    def _names_by_typedef(self) -> dict[int, str]:
        names: dict[int, str] = {}
        for die in self._debug.tagged(Tag.TYPEDEF):
            target = self._debug.type_of(die)
            if target is not None:
                target = self._debug.at(target, At.SIGNATURE) or target
            if target is not None and target.tag in AGGREGATES and not target.name:
                names.setdefault(target.offset, die.name)
        return names

    def _name(self, die: Die) -> str:
        return die.name or self._typedef_names.get(die.offset, "")

    # ---- structure as text: the same for one header read by two units

    def _structure(self, die: Die) -> str:
        return ";".join(
            f"{one.name}={one.attributes.get(At.CONST_VALUE)!r}"
            if one.tag == Tag.ENUMERATOR
            else f"{one.name}@{self._place(one)}:{self._spell(self._debug.type_of(one))}"
            for one in die.children
            if one.tag == Tag.ENUMERATOR or is_data_member(one, die)
        )

    @staticmethod
    def _place(die: Die) -> str:
        wanted = (At.DATA_BIT_OFFSET, At.BIT_OFFSET, At.BIT_SIZE)
        return f"{member_offset(die)}," + ",".join(str(die.attributes.get(one, "")) for one in wanted)

    # Ends at names, so it ends: in C only a named type can contain a way back to itself.
    def _spell(self, die: Die | None) -> str:
        if die is None:
            return "void"
        known = self._spelled.get(die.offset)
        if known is None:
            known = self._spelled[die.offset] = self._spell_anew(die)
        return known

    def _spell_anew(self, die: Die) -> str:
        die = self._debug.at(die, At.SIGNATURE) or die
        inner = self._debug.type_of(die)
        if die.tag in QUALIFIERS:
            return self._spell(inner)
        if die.tag in AGGREGATES:
            name = self._name(die)
            return f"{die.tag} {name}" if name else f"{die.tag}{{{self._structure(die)}}}"
        if die.tag in POINTERS:
            return "*" + self._spell(inner)
        if die.tag == Tag.ARRAY:
            dimensions = (str(element_count(one)) for one in die.children)
            return f"[{','.join(dimensions)}]{self._spell(inner)}"
        if die.tag in FUNCTIONS:
            parameters = (self._spell(self._debug.type_of(one)) for one in die.children)
            return f"{self._spell(inner)}({','.join(parameters)})"
        return f"{die.tag} {die.name} {die.attributes.get(At.BYTE_SIZE)!r}"


def is_data_member(die: Die, owner: Die) -> bool:
    """Whether `die` takes room in its aggregate (C++ static members do not)."""
    if die.tag != Tag.MEMBER or At.EXTERNAL in die.attributes or At.DECLARATION in die.attributes:
        return False
    is_placed = At.DATA_MEMBER_LOCATION in die.attributes or At.DATA_BIT_OFFSET in die.attributes
    return is_placed or owner.tag == Tag.UNION or At.BIT_SIZE in die.attributes


def member_offset(die: Die) -> int:
    """DW_AT_data_member_location in bytes; DWARF 2 writes it as an expression."""
    value = die.attributes.get(At.DATA_MEMBER_LOCATION, 0)
    if isinstance(value, bytes) and value[:1] == bytes([Op.PLUS_UCONST]):
        return uleb(value, 1)[0]
    return value if isinstance(value, int) else 0


def element_count(die: Die) -> int:
    """Elements of one array dimension: 0 for a flexible one, -1 if only the running program knows."""
    for attribute, extra in ((At.COUNT, 0), (At.UPPER_BOUND, 1)):
        value = die.attributes.get(attribute)
        if isinstance(value, int) and At.BOUND_IS_REFERENCE not in die.attributes:
            return max(_signed(value) + extra, 0)
        if value is not None:
            return -1
    return 0


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _with_members(row: DataType, members: tuple[Member, ...]) -> DataType:
    return DataType(row.index, row.kind, row.name, row.size, row.decl_file, members=members)
