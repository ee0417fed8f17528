"""Process ids in memory: where O's state says which process it means, N's has to name the counterpart.

What N's start-up has written and O has not changed since is N's own and right already. Looked at are the program's
variables where their type says pid_t; ids in memory of other types are not found.
Source: DESIGN section 6, "Ids".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from gdb_mcr.debugger.base import Memory
from gdb_mcr.model.datatype import DataType, TypeKind, TypeTable
from gdb_mcr.tracing.sides import LoadedModule

_ID = struct.Struct("<i")
_NAMES = frozenset({"pid_t", "__pid_t"})


def translate_process_ids(memory: Memory, module: LoadedModule, ids: Mapping[int, int]) -> int:
    """Writes the counterpart's id wherever a variable holds one of a process of O. Answers how many there were.

    :param memory: N's; `module`: its executable; `ids`: O's process ids to N's.
    """
    places = IdPlaces(module.program.types)
    count = 0
    for one in module.program.variables:
        offsets = places.of(one.type) if one.writable and not one.thread_local else ()
        count += _translate(memory, module.bias + one.address, offsets, ids) if offsets else 0
    return count


class IdPlaces:
    """Where objects of a type hold process ids. Remembers what it has found."""

    def __init__(self, types: TypeTable) -> None:
        self._types = types
        self._known: dict[int, tuple[int, ...]] = {}

    def of(self, index: int) -> tuple[int, ...]:
        """Offsets in bytes, ascending. Unions are left out: nothing tells which member is meant."""
        if index not in self._known:
            self._known[index] = tuple(self._find(self._types[index])) if index >= 0 else ()
        return self._known[index]

    def _find(self, one: DataType) -> Iterator[int]:
        match one.kind:
            case TypeKind.TYPEDEF if one.name in _NAMES:
                yield 0
            case TypeKind.TYPEDEF:
                yield from self.of(one.target)
            case TypeKind.STRUCT:
                for member in one.members:
                    if not member.bit_size:
                        yield from (member.offset + inside for inside in self.of(member.type))
            case TypeKind.ARRAY if one.count > 0 and (inside := self.of(one.target)):
                step = one.size // one.count
                yield from (number * step + offset for number in range(one.count) for offset in inside)
            case _:
                pass


def _translate(memory: Memory, address: int, offsets: tuple[int, ...], ids: Mapping[int, int]) -> int:
    data = memory.read(address, offsets[-1] + _ID.size)
    found = [(offset, ids.get(_ID.unpack_from(data, offset)[0])) for offset in offsets]
    changed = [(offset, new) for offset, new in found if new is not None]
    for offset, new in changed:
        memory.write(address + offset, _ID.pack(new))
    return len(changed)
