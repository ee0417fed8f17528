"""Names of source files. Source: DWARF 5, section 6.2.4; DWARF 4 likewise.

Names are made relative to the directory that holds the whole build, so that the same header has the same name in every
unit of a program and in both versions of it: "src/dict.h" and "deps/hiredis/dict.h".
"""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Iterator

from gdb_mcr.dwarf.constants import At, Form
from gdb_mcr.dwarf.dies import DebugInfo, Die, Unit
from gdb_mcr.dwarf.forms import FIXED, VARIABLE, Value
from gdb_mcr.dwarf.leb import text, uleb

_PATH, _DIRECTORY_INDEX = 1, 2  # DW_LNCT_*


class SourceFiles:
    """File names by unit and number."""

    def __init__(self, debug: DebugInfo) -> None:
        self._debug = debug
        image = debug.image
        self._line = image.section(".debug_line")
        self._texts = {Form.STRP: image.section(".debug_str"), Form.LINE_STRP: image.section(".debug_line_str")}
        self._by_program: dict[int, list[str]] = {}
        directories = [_text_of(unit.top, At.COMP_DIR) for unit in debug.units]
        self._root = build_root([one for one in directories if posixpath.isabs(one)])

    def declaring(self, die: Die) -> str:
        """The file that declares what `die` (or what it is an instance of) describes, "" if unknown."""
        one: Die | None = die
        while one is not None:
            if At.DECL_FILE in one.attributes:
                return self.name(one.unit, one.integer(At.DECL_FILE))
            one = self._debug.at(one, At.ABSTRACT_ORIGIN) or self._debug.at(one, At.SPECIFICATION)
        return ""

    def name(self, unit: Unit, number: int) -> str:
        """File `number` of the unit's line table, "" if there is none."""
        offset = unit.top.attributes.get(At.STMT_LIST) if unit.top is not None else None
        if not isinstance(offset, int) or offset >= len(self._line):
            return ""
        if offset not in self._by_program:
            self._by_program[offset] = [self._relative(one) for one in self._read(unit, offset)]
        names = self._by_program[offset]
        return names[number] if number < len(names) else ""

    def _relative(self, path: str) -> str:
        path = posixpath.normpath(path) if path else ""
        return path.removeprefix(self._root + "/") if self._root else path

    def _read(self, unit: Unit, offset: int) -> list[str]:
        home = _text_of(unit.top, At.COMP_DIR)
        (version,) = struct.unpack_from("<H", self._line, offset + 4)
        if version >= 5:
            return list(self._iter_names_5(offset + 12, home))
        # One byte further in version 4: maximum_operations_per_instruction is new there.
        return list(self._iter_names_4(offset + (11 if version >= 4 else 10), home, _text_of(unit.top, At.NAME)))

    # `at` is where minimum_instruction_length stands, five bytes before the number of standard opcodes.
    def _iter_names_5(self, at: int, home: str) -> Iterator[str]:
        directories, at = self._entries(at + 5 + self._line[at + 5])
        files, at = self._entries(at)
        paths = [posixpath.join(home, str(one.get(_PATH, ""))) for one in directories]
        for one in files:
            index = one.get(_DIRECTORY_INDEX, 0)
            directory = paths[index] if isinstance(index, int) and index < len(paths) else home
            yield posixpath.join(directory, str(one.get(_PATH, "")))

    def _entries(self, at: int) -> tuple[list[dict[int, Value]], int]:
        line, formats = self._line, []
        count, at = line[at], at + 1
        for _ in range(count):
            content, at = uleb(line, at)
            form, at = uleb(line, at)
            formats.append((content, form))
        rows, at = uleb(line, at)
        entries = []
        for _ in range(rows):
            entry: dict[int, Value] = {}
            for content, form in formats:
                entry[content], at = self._value(form, at)
            entries.append(entry)
        return entries, at

    def _value(self, form: int, at: int) -> tuple[Value, int]:
        if form in VARIABLE:
            return VARIABLE[form](self._line, at)
        layout = struct.Struct("<" + FIXED[form])
        (value,) = layout.unpack_from(self._line, at)
        if form in self._texts:
            value = text(self._texts[form], value)
        return value, at + layout.size

    def _iter_names_4(self, at: int, home: str, unit_name: str) -> Iterator[str]:
        line = self._line
        at += 4 + line[at + 4]
        directories = [home]
        while line[at]:
            directory = text(line, at)
            directories.append(posixpath.join(home, directory))
            at = line.index(0, at) + 1
        at += 1
        yield posixpath.join(home, unit_name)
        while line[at]:
            name = text(line, at)
            index, at = uleb(line, line.index(0, at) + 1)
            at = uleb(line, uleb(line, at)[1])[1]
            yield posixpath.join(directories[index] if index < len(directories) else home, name)


def build_root(directories: list[str]) -> str:
    """The deepest directory that holds all of these, "" if that is the root or there are none."""
    if not directories:
        return ""
    common = posixpath.commonpath([posixpath.normpath(one) for one in directories])
    return "" if common == "/" else common


def _text_of(die: Die | None, attribute: int) -> str:
    value = die.attributes.get(attribute) if die is not None else None
    return value if isinstance(value, str) else ""
