"""Types inside expressions: what `(unsigned long)`, `sizeof(struct conn)` and `(dict *)` name."""

from __future__ import annotations

from dataclasses import dataclass

from gdb_mcr.annotations.labels import Label
from gdb_mcr.annotations.names import ProgramNames
from gdb_mcr.annotations.numbers import FIXED_TYPES, basic_number, number_of
from gdb_mcr.annotations.pairs import Pair
from gdb_mcr.annotations.wrong import WrongError
from gdb_mcr.model.datatype import DataType, TypeKind
from gdb_mcr.model.expression import Number, Pointer, ValueType
from gdb_mcr.model.place import Side
from gdb_mcr.model.statement import TypeName
from gdb_mcr.model.written import WrittenType
from gdb_mcr.source import did_you_mean

_TAGS = ("struct", "union", "enum")


@dataclass(frozen=True, slots=True)
class NamedType:
    """A type that an expression names."""

    value: ValueType | None
    """None for structs, unions and arrays."""
    size: int


class TypeWords:
    """Looks types up in both programs."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair

    def find(self, wanted: WrittenType) -> NamedType:
        """The type.

        :raises WrongError: there is no such type, or both programs have one and they differ.
        """
        if not wanted.words:
            hint = "an operator is missing, or the parentheses have to hold a type"
            raise WrongError(Label.UNEXPECTED, wanted.span, "a value follows a value", hint)
        if wanted.pointers:
            return NamedType(Pointer(Side.OLD, self._pointed(wanted)), 8)
        number = self._number(wanted.words)
        return NamedType(number, number.size) if number else self._of_programs(wanted)

    def is_type(self, name: str) -> bool:
        """Whether a name alone is a type's."""
        known = any(one.has_typedef(name) for one in (self._pair.old, self._pair.new))
        return known or name in FIXED_TYPES

    def _number(self, words: tuple[str, ...]) -> Number | None:
        if words == ("void",):
            return None
        return basic_number(words) or (FIXED_TYPES.get(words[0]) if len(words) == 1 else None)

    def _of_programs(self, wanted: WrittenType) -> NamedType:
        sides = [wanted.side] if wanted.side else [Side.OLD, Side.NEW]
        found = [one for side in sides if (one := self._in(side, wanted)) is not None]
        if not found:
            raise self._unknown(wanted)
        if any((one.size, one.value) != (found[0].size, found[0].value) for one in found[1:]):
            text = " ".join(wanted.words)
            message = f"`{text}` has {found[0].size} bytes in the old program and {found[1].size} in the new one"
            raise WrongError(Label.AMBIGUOUS, wanted.span, message, f"write `old::{text}` or `new::{text}`")
        return found[0]

    def _in(self, side: Side, wanted: WrittenType) -> NamedType | None:
        names = self._names(side)
        index = self._index(names, wanted)
        one = names.program.types.strip(index) if index is not None else None
        if one is None:
            return None
        if not one.complete:
            message = f"the {side.value} program only declares `{' '.join(wanted.words)}`"
            raise WrongError(Label.INCOMPLETE_TYPE, wanted.span, message)
        value: ValueType | None = number_of(one)
        if one.kind is TypeKind.POINTER:
            value = Pointer(side, one.target)
        return NamedType(value, one.size)

    # What a written `T *` points to: an index in the old program's types.
    def _pointed(self, wanted: WrittenType) -> int:
        if wanted.side is Side.NEW:
            message = "a pointer of the new program's is only copied and compared"
            raise WrongError(Label.TYPE_MISMATCH, wanted.span, message, "a cast makes an address of the old program's")
        names = self._pair.old
        index: int | None = -1
        if wanted.words != ("void",):
            number = basic_number(wanted.words)
            index = self._basic(names, number) if number else self._index(names, wanted)
        for _ in range(wanted.pointers - 1):
            index = self._pointer_to(names, index) if index is not None else None
        if index is None:
            raise self._unknown(wanted)
        return index

    @staticmethod
    def _basic(names: ProgramNames, number: Number) -> int | None:
        plain = (TypeKind.INTEGER, TypeKind.CHARACTER, TypeKind.FLOAT, TypeKind.BOOLEAN)
        return next((one.index for one in names.program.types if one.kind in plain and number_of(one) == number), None)

    @staticmethod
    def _pointer_to(names: ProgramNames, target: int) -> int | None:
        wanted = names.program.types.strip(target)
        for one in names.program.types:
            if one.kind is TypeKind.POINTER and names.program.types.strip(one.target) == wanted:
                return one.index
        return None

    # Typedefs of anything, and what has a tag. A tag alone is no type name in C, but what else would be meant?
    def _index(self, names: ProgramNames, wanted: WrittenType) -> int | None:
        tag = wanted.words[0] if wanted.words[0] in _TAGS else ""
        name = wanted.words[-1]
        found = names.type(TypeName(name, tag, "", wanted.span))
        if isinstance(found, int):
            return found
        if found.label is Label.AMBIGUOUS:
            raise WrongError.of(found, wanted.span)
        return None if tag else self._typedef(names.program.types.named(name))

    @staticmethod
    def _typedef(found: list[DataType]) -> int | None:
        return next((one.index for one in found if one.kind is TypeKind.TYPEDEF), None)

    def _unknown(self, wanted: WrittenType) -> WrongError:
        text = " ".join(wanted.words) + (" " + "*" * wanted.pointers if wanted.pointers else "")
        side = wanted.side or (Side.OLD if wanted.pointers else None)
        where = f"the {side.value} program has no" if side else "neither program has a"
        names = [name for one in Side for name in self._names(one).any_type_names()]
        hint = did_you_mean(wanted.words[-1], [*names, *FIXED_TYPES])
        return WrongError(Label.UNKNOWN_TYPE, wanted.span, f"{where} type `{text}`", hint)

    def _names(self, side: Side) -> ProgramNames:
        return self._pair.old if side is Side.OLD else self._pair.new
