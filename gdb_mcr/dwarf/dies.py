"""All of .debug_info, read once: units and their entries (DIEs), found by offset and by tag.

elftools decodes 60,000 entries a second, which is too slow for ANALYZE's budget (DESIGN section 16); this reader makes
one `struct` call for most entries. Source: DWARF 5, section 7.5; DWARF 4 likewise.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from gdb_mcr.dwarf.constants import At, Form, Tag
from gdb_mcr.dwarf.elf import ElfImage
from gdb_mcr.dwarf.forms import Abbreviation, Value, plan
from gdb_mcr.dwarf.leb import sleb, text, uleb
from gdb_mcr.errors import AnalysisError

DW_UT_TYPE, DW_UT_SKELETON, DW_UT_SPLIT_COMPILE, DW_UT_SPLIT_TYPE = 2, 4, 5, 6

_NOT_SPLIT = "build without -gsplit-dwarf"

_REFERENCES = frozenset({Form.REF1, Form.REF2, Form.REF4, Form.REF8, Form.REF_UDATA})
_INDEXED_STRINGS = frozenset({Form.STRX, Form.STRX1, Form.STRX2, Form.STRX4})
_INDEXED_ADDRESSES = frozenset({Form.ADDRX, Form.ADDRX1, Form.ADDRX2, Form.ADDRX4})


class Die:
    """One entry. `attributes` holds what constants.At names; references are absolute offsets, strings decoded."""

    __slots__ = ("attributes", "children", "offset", "parent", "tag", "unit")

    def __init__(self, offset: int, tag: int, attributes: dict[int, Value], parent: Die | None, unit: Unit) -> None:
        self.offset = offset
        self.tag = tag
        self.attributes = attributes
        self.parent = parent
        self.unit = unit
        self.children: list[Die] = []

    @property
    def name(self) -> str:
        """DW_AT_name, "" if anonymous."""
        value = self.attributes.get(At.NAME, "")
        return value if isinstance(value, str) else ""

    def integer(self, attribute: int, default: int = 0) -> int:
        """An attribute's number; `default` if it is absent or an expression."""
        value = self.attributes.get(attribute)
        return value if isinstance(value, int) else default

    def ancestors(self) -> Iterator[Die]:
        """Its parent, the parent's parent, ... up to the unit's own entry."""
        one = self.parent
        while one is not None:
            yield one
            one = one.parent


@dataclass(slots=True)
class Unit:
    """A unit of .debug_info and what its values are relative to."""

    offset: int
    version: int
    end: int
    abbreviations: dict[int, Abbreviation]
    start: int
    """Offset of its first entry."""
    by_tag: dict[int, list[Die]] = field(default_factory=dict)
    """Entries of each tag in file order."""
    top: Die | None = None
    low_pc: int = 0
    string_base: int = 8
    address_base: int = 8
    location_base: int = 12
    range_base: int = 12


class DebugInfo:
    """Every entry of a file's debug information.

    :raises AnalysisError: 64-bit, split, or otherwise foreign DWARF.
    """

    def __init__(self, image: ElfImage) -> None:
        self.image = image
        self.addresses = image.section(".debug_addr")
        self._strings = image.section(".debug_str")
        self._line_strings = image.section(".debug_line_str")
        self._string_offsets = image.section(".debug_str_offsets")
        self._info = image.section(".debug_info")
        self._abbreviation_bytes = image.section(".debug_abbrev")
        self._plans: dict[int, dict[int, Abbreviation]] = {}
        self._texts: dict[tuple[int, int], str] = {}
        self._signatures: dict[int, int] = {}
        self.by_offset: dict[int, Die] = {}
        self.units = list(self._iter_headers())
        for unit in self.units:
            self._read_entries(unit)

    def tagged(self, tag: int) -> Iterator[Die]:
        """All entries of a tag, unit by unit in file order."""
        for unit in self.units:
            yield from unit.by_tag.get(tag, ())

    def at(self, die: Die, attribute: int) -> Die | None:
        """The entry that a reference attribute of `die` names, None if absent or in another file."""
        offset = die.attributes.get(attribute)
        return self.by_offset.get(offset) if isinstance(offset, int) else None

    def origin(self, die: Die) -> Die:
        """The entry that says most of a function or variable: behind abstract origins, then specifications."""
        for attribute in (At.ABSTRACT_ORIGIN, At.SPECIFICATION):
            while (above := self.at(die, attribute)) is not None:
                die = above
        return die

    def find(self, die: Die, attribute: int) -> Value | None:
        """An attribute of `die`, or of its abstract origin or specification."""
        one: Die | None = die
        while one is not None:
            if attribute in one.attributes:
                return one.attributes[attribute]
            one = self.at(one, At.ABSTRACT_ORIGIN) or self.at(one, At.SPECIFICATION)
        return None

    def name(self, die: Die) -> str:
        """The name of `die` or of what it is an instance of."""
        value = self.find(die, At.NAME)
        return value if isinstance(value, str) else ""

    def type_of(self, die: Die) -> Die | None:
        """The entry of the type of `die` or of what it is an instance of; None for void."""
        offset = self.find(die, At.TYPE)
        return self.by_offset.get(offset) if isinstance(offset, int) else None

    def indexed_address(self, unit: Unit, index: int) -> int:
        """Entry `index` of the unit's part of .debug_addr."""
        return int(struct.unpack_from("<Q", self.addresses, unit.address_base + 8 * index)[0])

    # ---- units

    def _iter_headers(self) -> Iterator[Unit]:
        at, info = 0, self._info
        while at < len(info):
            length, version = struct.unpack_from("<IH", info, at)
            if length >= 0xFFFFFFF0 or version not in (2, 3, 4, 5):
                raise AnalysisError(
                    f"{self.image.path}: its debug information is not 32-bit DWARF 2 to 5", hint="build with -gdwarf-5"
                )
            yield self._header(at, length, version)
            at += 4 + length

    def _header(self, at: int, length: int, version: int) -> Unit:
        start, signature, kind = at + 11, 0, 1
        if version >= 5:
            kind, _, abbreviations = struct.unpack_from("<BBI", self._info, at + 6)
            start = at + 12
            if kind == DW_UT_TYPE:
                signature, type_offset = struct.unpack_from("<QI", self._info, start)
                self._signatures[signature] = at + type_offset
                start += 12
        else:
            (abbreviations,) = struct.unpack_from("<I", self._info, at + 6)
        if kind in (DW_UT_SKELETON, DW_UT_SPLIT_COMPILE, DW_UT_SPLIT_TYPE):
            raise AnalysisError(f"{self.image.path}: its debug information is split off", hint=_NOT_SPLIT)
        return Unit(at, version, at + 4 + length, self._abbreviations(abbreviations), start)

    def _abbreviations(self, start: int) -> dict[int, Abbreviation]:
        if start not in self._plans:
            self._plans[start] = dict(_iter_abbreviations(self._abbreviation_bytes, start))
        return self._plans[start]

    # ---- entries

    # The hot loop: it runs once for each entry of the file, so everything is a local name.
    def _read_entries(self, unit: Unit) -> None:
        info, plans, by_offset, by_tag = self._info, unit.abbreviations, self.by_offset, unit.by_tag
        at, end = unit.start, unit.end
        parent: Die | None = None
        while at < end:
            offset = at
            code, at = uleb(info, at) if info[at] >= 0x80 else (info[at], at + 1)
            if not code:
                if parent is None or parent.parent is None:
                    break
                parent = parent.parent
                continue
            one = plans[code]
            attributes = one.constants.copy()
            for read, names, size in one.steps:
                if size < 0:
                    attributes[names[0]], at = read(info, at)  # type: ignore[assignment]
                else:
                    attributes.update(zip(names, read(info, at), strict=True))
                    at += size
            if one.is_skipped and (not one.has_children or At.SIBLING in attributes):
                at = unit.offset + attributes[At.SIBLING] if one.has_children else at  # type: ignore[operator]
                continue
            die = Die(offset, one.tag, attributes, parent, unit)
            if parent is None:
                self._start_unit(unit, die)
            else:
                parent.children.append(die)
            for attribute, form in one.fixes:
                attributes[attribute] = self._fixed(unit, form, attributes[attribute])
            by_offset[offset] = die
            by_tag.setdefault(one.tag, []).append(die)
            if one.has_children:
                parent = die

    # What the unit's other values are relative to stands in its first entry, unfixed so far.
    def _start_unit(self, unit: Unit, die: Die) -> None:
        unit.top = die
        if At.DWO_NAME in die.attributes or At.GNU_DWO_NAME in die.attributes:
            raise AnalysisError(f"{self.image.path}: its debug information is split off", hint=_NOT_SPLIT)
        unit.string_base = die.integer(At.STR_OFFSETS_BASE, unit.string_base)
        unit.address_base = die.integer(At.ADDR_BASE, unit.address_base)
        unit.location_base = die.integer(At.LOCLISTS_BASE, unit.location_base)
        unit.range_base = die.integer(At.RNGLISTS_BASE, unit.range_base)

    def _fixed(self, unit: Unit, form: int, value: Value) -> Value:
        if not isinstance(value, int):
            return value
        if form in _REFERENCES:
            return unit.offset + value
        if form == Form.STRP or form == Form.LINE_STRP or form in _INDEXED_STRINGS:
            return self._text(unit, form, value)
        if form in _INDEXED_ADDRESSES:
            return self.indexed_address(unit, value)
        if form in (Form.LOCLISTX, Form.RNGLISTX):
            return self._list_offset(unit, form, value)
        if form == Form.REF_SIG8:
            return self._signatures.get(value, -1)
        raise AnalysisError(
            f"{self.image.path}: part of its debug information stands in another file (dwz)", hint="build it yourself"
        )

    def _text(self, unit: Unit, form: int, value: int) -> str:
        if form in _INDEXED_STRINGS:
            (value,) = struct.unpack_from("<I", self._string_offsets, unit.string_base + 4 * value)
            form = Form.STRP
        known = self._texts.get((form, value))
        if known is None:
            known = text(self._strings if form == Form.STRP else self._line_strings, value)
            self._texts[form, value] = known
        return known

    def _list_offset(self, unit: Unit, form: int, index: int) -> int:
        name, base = (
            (".debug_loclists", unit.location_base) if form == Form.LOCLISTX else (".debug_rnglists", unit.range_base)
        )
        return base + int(struct.unpack_from("<I", self.image.section(name), base + 4 * index)[0])


def _iter_abbreviations(data: bytes, at: int) -> Iterator[tuple[int, Abbreviation]]:
    while True:
        code, at = uleb(data, at)
        if not code:
            return
        tag, at = uleb(data, at)
        has_children = bool(data[at])
        at += 1
        specs = []
        while True:
            attribute, at = uleb(data, at)
            form, at = uleb(data, at)
            constant = 0
            if form == Form.IMPLICIT_CONST:
                constant, at = sleb(data, at)
            if not attribute and not form:
                break
            specs.append((attribute, form, constant))
        yield code, plan(tag, has_children, specs)


def is_code_unit(unit: Unit) -> bool:
    """Whether the unit is one compiled source file."""
    return unit.top is not None and unit.top.tag == Tag.COMPILE_UNIT
