"""Address ranges of entries and location lists of variables. Source: DWARF 5, 2.6.2, 2.17.3, 7.28 and 7.29."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from gdb_mcr.dwarf.constants import At
from gdb_mcr.dwarf.dies import DebugInfo, Die, Unit
from gdb_mcr.dwarf.leb import uleb
from gdb_mcr.units import Range

# DW_RLE_*; DW_LLE_* has the same numbers up to 4, then a default location, then these again.
_END, _BASE_X, _START_X_END_X, _START_X_LENGTH, _OFFSETS, _BASE, _START_END = 0, 1, 2, 3, 4, 5, 6
_DEFAULT_LOCATION = 5
_GNU_VIEW_PAIR = 9
_ALL_ONES = 0xFFFFFFFFFFFFFFFF

_PAIR = struct.Struct("<QQ")
_ADDRESS = struct.Struct("<Q")


class Lists:
    """The list sections of one file."""

    def __init__(self, debug: DebugInfo) -> None:
        self._debug = debug
        image = debug.image
        self._ranges_5, self._ranges_4 = image.section(".debug_rnglists"), image.section(".debug_ranges")
        self._locations_5, self._locations_4 = image.section(".debug_loclists"), image.section(".debug_loc")

    def ranges(self, die: Die) -> list[Range]:
        """Non-empty code ranges of a function, block or inlined call; the one with the entry point first."""
        low, high = die.attributes.get(At.LOW_PC), die.attributes.get(At.HIGH_PC)
        if isinstance(low, int) and isinstance(high, int):
            end = high if At.HIGH_IS_ADDRESS in die.attributes else low + high
            return [Range(low, end)] if low < end else []
        offset = die.attributes.get(At.RANGES)
        if not isinstance(offset, int):
            return []
        if die.unit.version >= 5:
            pairs = [(low, high) for low, high, _ in self._iter_5(die.unit, self._ranges_5, offset, False)]
        else:
            pairs = list(self._iter_4(die.unit, self._ranges_4, offset))
        return [Range(low, high) for low, high in pairs if low < high]

    def locations(self, die: Die) -> Iterator[tuple[int, int, bytes]]:
        """(start, end, expression) of the location list of a variable; nothing if its location is no list."""
        offset = die.attributes.get(At.LOCATION)
        if not isinstance(offset, int):
            return
        if die.unit.version >= 5:
            yield from self._iter_5(die.unit, self._locations_5, offset, True)
        else:
            yield from self._iter_4_locations(die.unit, offset)

    def _base(self, unit: Unit) -> int:
        return unit.top.integer(At.LOW_PC) if unit.top is not None else 0

    # Yields (start, end, expression); range lists have no expressions.
    def _iter_5(self, unit: Unit, data: bytes, at: int, has_expressions: bool) -> Iterator[tuple[int, int, bytes]]:
        base = self._base(unit)
        while True:
            kind = data[at]
            at += 1
            if kind == _OFFSETS:
                low, at = uleb(data, at)
                high, at = uleb(data, at)
                low, high = low + base, high + base
            elif kind == _END:
                return
            elif kind == _BASE_X:
                index, at = uleb(data, at)
                base = self._debug.indexed_address(unit, index)
                continue
            elif kind == _GNU_VIEW_PAIR and has_expressions:
                at = uleb(data, uleb(data, at)[1])[1]
                continue
            elif kind == _BASE + has_expressions:
                (base,) = _ADDRESS.unpack_from(data, at)
                at += _ADDRESS.size
                continue
            else:
                low, high, at = self._whole_pair(unit, data, at, kind, has_expressions)
            expression = b""
            if has_expressions:
                size, at = uleb(data, at)
                expression = data[at : at + size]
                at += size
            yield low, high, expression

    # The rarer kinds of entries: clang writes indexes, the linker's relaxation whole addresses.
    def _whole_pair(self, unit: Unit, data: bytes, at: int, kind: int, has_expressions: bool) -> tuple[int, int, int]:
        if kind in (_START_X_END_X, _START_X_LENGTH):
            return self._indexed_pair(unit, data, at, kind)
        if has_expressions and kind == _DEFAULT_LOCATION:
            return 0, 0, at
        if kind - has_expressions == _START_END:
            low, high = _PAIR.unpack_from(data, at)
            return low, high, at + _PAIR.size
        (low,) = _ADDRESS.unpack_from(data, at)
        size, at = uleb(data, at + _ADDRESS.size)
        return low, low + size, at

    def _indexed_pair(self, unit: Unit, data: bytes, at: int, kind: int) -> tuple[int, int, int]:
        first, at = uleb(data, at)
        second, at = uleb(data, at)
        low = self._debug.indexed_address(unit, first)
        high = self._debug.indexed_address(unit, second) if kind == _START_X_END_X else low + second
        return low, high, at

    def _iter_4(self, unit: Unit, data: bytes, at: int) -> Iterator[tuple[int, int]]:
        base = self._base(unit)
        while True:
            low, high = _PAIR.unpack_from(data, at)
            at += 16
            if low == _ALL_ONES:
                base = high
            elif not low and not high:
                return
            else:
                yield low + base, high + base

    def _iter_4_locations(self, unit: Unit, at: int) -> Iterator[tuple[int, int, bytes]]:
        base, data = self._base(unit), self._locations_4
        while True:
            low, high = _PAIR.unpack_from(data, at)
            at += 16
            if low == _ALL_ONES:
                base = high
            elif not low and not high:
                return
            else:
                (size,) = struct.unpack_from("<H", data, at)
                yield low + base, high + base, data[at + 2 : at + 2 + size]
                at += 2 + size
