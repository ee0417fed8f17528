"""The integer promotions: what C calculates with."""

from __future__ import annotations

import pytest

from gdb_mcr.annotations.arithmetic import promote
from gdb_mcr.annotations.operands import Value
from gdb_mcr.model.expression import INT, LONG, UNSIGNED, Load, Location, Number
from gdb_mcr.model.place import Side
from tests.support.handler_text import SPAN


@pytest.mark.parametrize(
    ("declared", "bits", "promoted"),
    [
        (UNSIGNED, 5, INT),
        (UNSIGNED, 31, INT),
        (UNSIGNED, 32, UNSIGNED),
        (UNSIGNED, 0, UNSIGNED),
        (Number(2, signed=False), 0, INT),
        (Number(1, signed=False, boolean=True), 0, INT),
        (LONG, 0, LONG),
    ],
)
def test_of_a_bit_field_its_width_counts(declared: Number, bits: int, promoted: Number) -> None:
    """C11 6.3.1.1."""
    place = Location(Side.OLD, None, 0, (), 0, declared.size, 0, bits)
    assert promote(Value(Load(place, declared), declared, SPAN)).type == promoted
