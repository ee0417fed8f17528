"""Process ids in variables, by their types."""

from __future__ import annotations

import pytest

from gdb_mcr.model.datatype import DataType, Member, TypeKind, TypeTable
from gdb_mcr.update.process_ids import IdPlaces

_INT = DataType(0, TypeKind.INTEGER, "int", 4, signed=True)
_PID = DataType(1, TypeKind.TYPEDEF, "__pid_t", 4, target=0)
_OWN = DataType(2, TypeKind.TYPEDEF, "ngx_pid_t", 4, target=1)
_SLOT = DataType(
    3, TypeKind.STRUCT, "slot", 12, members=(Member("pid", 0, 2), Member("n", 4, 0), Member("parent", 8, 1))
)
_SLOTS = DataType(4, TypeKind.ARRAY, "", 24, target=3, count=2)
_EITHER = DataType(5, TypeKind.UNION, "either", 4, members=(Member("pid", 0, 1), Member("n", 0, 0)))
_TYPES = TypeTable((_INT, _PID, _OWN, _SLOT, _SLOTS, _EITHER))


@pytest.mark.parametrize(
    ("index", "offsets"), [(0, ()), (2, (0,)), (3, (0, 8)), (4, (0, 8, 12, 20)), (5, ()), (-1, ())]
)
def test_places_of_ids_follow_typedefs_members_and_elements_but_no_union(index: int, offsets: tuple[int, ...]) -> None:
    assert IdPlaces(_TYPES).of(index) == offsets
