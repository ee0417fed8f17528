"""Numbers that get another type: they keep their value, or it is told that they cannot."""

from __future__ import annotations

import struct

import pytest

from gdb_mcr.engine.records import EventKind
from gdb_mcr.tracing.policy import Policy
from tests.support.transfer_rig import Outcome, Rig
from tests.support.type_builder import Types


def run(old: str, new: str, value: bytes, policy: Policy | None = None) -> Outcome:
    """A struct of one field."""
    rig = Rig(Types(), Types(), policy or Policy())
    one, other = _struct(rig.old, old), _struct(rig.new, new)
    rig.variable(0, one, 0, other)
    rig.theirs[0 : len(value)] = value
    return rig.run()


def _struct(types: Types, name: str) -> int:
    kinds = {"float": types.floating("float", 4), "double": types.floating("double", 8), "int": types.int}
    one = {**kinds, "short": types.short, "long": types.long, "unsigned": types.unsigned, "char": types.char}[name]
    return types.struct("s", 8, ("x", 0, one))


def kinds(outcome: Outcome) -> list[int]:
    return [event[0] for event in outcome.events]


@pytest.mark.parametrize(
    ("old", "new", "value", "wanted"),
    [
        ("int", "unsigned", struct.pack("<i", 7), struct.pack("<I", 7)),
        ("short", "long", struct.pack("<h", -3), struct.pack("<q", -3)),
        ("unsigned", "long", struct.pack("<I", 1 << 31), struct.pack("<q", 1 << 31)),
        ("float", "double", struct.pack("<f", 2.5), struct.pack("<d", 2.5)),
        ("double", "float", struct.pack("<d", -0.25), struct.pack("<f", -0.25)),
        ("long", "double", struct.pack("<q", -9), struct.pack("<d", -9.0)),
    ],
)
def test_a_value_that_fits_is_kept(old: str, new: str, value: bytes, wanted: bytes) -> None:
    outcome = run(old, new, value)
    assert outcome.new[: len(wanted)] == wanted
    assert kinds(outcome) == []


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("int", "unsigned", struct.pack("<i", -1)),
        ("unsigned", "int", struct.pack("<I", 1 << 31)),
        ("int", "short", struct.pack("<i", 40000)),
        ("double", "float", struct.pack("<d", 1e300)),
    ],
)
def test_a_value_that_has_no_equal_is_told(old: str, new: str, value: bytes) -> None:
    assert kinds(run(old, new, value)) == [EventKind.OUT_OF_RANGE]


def _signed_bits(width: int) -> int:
    rig = Rig(Types(), Types())
    rig.variable(0, rig.old.bit_struct("b", 4, ("a", 0, 4)), 0, rig.new.bit_struct("b", 4, ("a", 3, width)))
    rig.theirs[0:4] = struct.pack("<I", 0b1011)  # -5
    return int(struct.unpack_from("<I", rig.run().new)[0])


def test_a_signed_bit_field_keeps_its_sign() -> None:
    assert _signed_bits(6) == (-5 & 0b111111) << 3


def _enum(types: Types, **constants: int) -> int:
    return types.struct("s", 8, ("state", 0, types.enum("state", **constants)))


@pytest.mark.parametrize(("value", "told"), [(1, []), (2, [EventKind.UNKNOWN_ENUM]), (0, [])])
def test_a_constant_that_is_gone_is_told_where_it_is_in_use(value: int, told: list[EventKind]) -> None:
    rig = Rig(Types(), Types())
    rig.variable(0, _enum(rig.old, IDLE=0, BUSY=1, GONE=2), 0, _enum(rig.new, IDLE=0, NEW=1, BUSY=5))
    rig.theirs[0:4] = struct.pack("<I", value)
    outcome = rig.run()
    assert kinds(outcome) == told
    assert told or struct.unpack_from("<I", outcome.new) == ({0: 0, 1: 5}[value],)


def test_a_pointer_to_numbers_of_another_size_is_lost() -> None:
    rig = Rig(Types(), Types())
    old = rig.old.struct("s", 8, ("at", 0, rig.old.pointer(rig.old.int)))
    new = rig.new.struct("s", 8, ("at", 0, rig.new.pointer(rig.new.long)))
    rig.variable(0, old, 0, new)
    struct.pack_into("<Q", rig.theirs, 0, rig.chunk(0, 32))
    assert kinds(rig.run()) == [EventKind.DROPPED_FIELD]
