"""Values of an object's fields as C programmers write them."""

from __future__ import annotations

import struct
from collections.abc import Callable

from gdb_mcr.model.datatype import DataType, TypeKind, TypeTable
from gdb_mcr.units import WORD

MAX_TEXT = 40
"""Characters of a text that are shown."""

MAX_HEX = 16
"""Bytes of anything else that are shown."""

_FLOATS = {4: "<f", 8: "<d"}


class ValueWriter:
    """Writes values of one program's types."""

    def __init__(self, types: TypeTable, name_of: Callable[[int], str]) -> None:
        """:param name_of: what stands at an address, "" if that is not known."""
        self._types = types
        self._name_of = name_of

    def write(self, index: int, data: bytes) -> str:
        """The bytes of one value of a type; -1 = of no known type."""
        one = self._types.strip(index)
        if one is None:
            return _bytes(data)
        match one.kind:
            case TypeKind.POINTER if len(data) == WORD:
                return self._pointer(data)
            case TypeKind.ENUM:
                return _enum(one, data)
            case TypeKind.BOOLEAN:
                return {0: "false", 1: "true"}.get(_integer(data), str(_integer(data)))
            case TypeKind.INTEGER | TypeKind.CHARACTER:
                return str(_integer(data, one.signed))
            case TypeKind.FLOAT if one.size in _FLOATS and one.size == len(data):
                return f"{struct.unpack(_FLOATS[one.size], data)[0]:g}"
            case TypeKind.ARRAY if self._is_text(one):
                return _text(data)
            case _:
                return _bytes(data)

    def _pointer(self, data: bytes) -> str:
        address = _integer(data)
        if not address:
            return "NULL"
        name = self._name_of(address)
        return f"{address:#x} ({name})" if name else f"{address:#x}"

    def _is_text(self, one: DataType) -> bool:
        element = self._types.strip(one.target)
        return element is not None and element.kind is TypeKind.CHARACTER and element.size == 1


def _integer(data: bytes, signed: bool = False) -> int:
    return int.from_bytes(data, "little", signed=signed)


def _enum(one: DataType, data: bytes) -> str:
    value = _integer(data, signed=any(number < 0 for _, number in one.constants))
    return next((name for name, number in one.constants if number == value), str(value))


def _text(data: bytes) -> str:
    text, _, rest = data.partition(b"\0")
    if rest.strip(b"\0") or any(not 0x20 <= one < 0x7F for one in text):
        return _bytes(data)
    shown = text.decode("ascii")
    return f'"{shown}"' if len(shown) <= MAX_TEXT else f'"{shown[:MAX_TEXT]}"…'


def _bytes(data: bytes) -> str:
    if not any(data):
        return f"{len(data)} zero bytes"
    return data[:MAX_HEX].hex(" ") + (" …" if len(data) > MAX_HEX else "")
