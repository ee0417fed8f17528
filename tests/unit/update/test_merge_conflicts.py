"""Which allocations of two start-ups may be each other's, and which of O's have none."""

from __future__ import annotations

from gdb_mcr.model.startup_log import Allocation, LaunchFacts, StartupLog, ThreadEntry, WaitKind
from gdb_mcr.reinit.alignment import Alignment, Uncertain
from gdb_mcr.update.left_behind import elements_alone
from gdb_mcr.update.merge_conflicts import ComparedStart, Counterparts

LOOP, OTHER = 7, 8
THREAD = ThreadEntry(0, 1, 0, 0, -1, 0, 0, WaitKind.NONE, False, False, 0)
FACTS = LaunchFacts((), (), (0, 0, 0), (0, 0, 0), 0, (), (), (), 0, 0, frozenset(), b"", (), "", "", "")


def allocations(base: int, *stacks: int) -> list[Allocation]:
    """32 bytes each, 64 bytes apart."""
    rows: list[Allocation] = []
    for seq, stack in enumerate(stacks):
        nth = sum(1 for one in rows if one.stack_id == stack)
        at = base + 64 * seq
        rows.append(Allocation(seq, 0, stack, nth, 0, at, 32, 32, at, 32, 0, -1))
    return rows


def log(rows: list[Allocation]) -> StartupLog:
    return StartupLog((), tuple(rows), (THREAD,), (), (), FACTS)


def counterparts(alignment: Alignment) -> Counterparts:
    """O allocates twice in a loop, N three times; the rehearsal stood elsewhere than N stands now."""
    start = ComparedStart(allocations(0x9000, LOOP, LOOP, LOOP), [THREAD], alignment, [])
    return Counterparts(log(allocations(0x1000, LOOP, LOOP)), log(allocations(0x5000, LOOP, LOOP, LOOP)), start)


def may_be_same(known: Counterparts, base: int, ours: int) -> bool:
    mine = known.new_at(ours)
    assert mine is not None
    return known.may_be_same(base, mine)


def test_aligned_elements_are_each_others_wherever_the_second_start_put_them() -> None:
    known = counterparts(Alignment({0: 0, 2: 1}, ()))
    assert may_be_same(known, 0x1000, 0x5000)
    assert may_be_same(known, 0x1048, 0x5088)
    assert not may_be_same(known, 0x1000, 0x5080)
    assert not may_be_same(known, 0x1000, 0x5040)
    assert not may_be_same(known, 0, 0x5040)


def test_uncertain_elements_may_be_any_of_theirs() -> None:
    known = counterparts(Alignment({0: 0}, (Uncertain(0, LOOP, (1,), (1, 2)),)))
    assert may_be_same(known, 0x1040, 0x5040)
    assert may_be_same(known, 0x1040, 0x5080)
    assert not may_be_same(known, 0x1000, 0x5040)


def test_an_element_is_alone_only_if_others_of_its_loop_are_not() -> None:
    old = allocations(0x1000, LOOP, OTHER, LOOP, OTHER)
    assert elements_alone(old, Alignment({0: 0}, ())) == [2]
    assert elements_alone(old, Alignment({0: 0}, (Uncertain(0, OTHER, (3,), (1,)),))) == [2, 3]
