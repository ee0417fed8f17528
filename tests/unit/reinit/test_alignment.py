"""Allocation logs of made-up start-ups: loops with something inserted, removed, grown, sorted otherwise."""

from __future__ import annotations

import random
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from gdb_mcr.model.placement import AllocationPair, LostPlace
from gdb_mcr.model.startup_log import Allocation, AllocationFlag, ThreadEntry, WaitKind
from gdb_mcr.reinit.alignment import Alignment, LogSide, align
from gdb_mcr.reinit.content import ContentReader, PiecewiseMemory
from gdb_mcr.reinit.plan import LiveChunks, find_lost_places, make_pairs, make_plan
from gdb_mcr.units import Range

TEXT, HEAP = 0x5555_0000_0000, 0x7000_0000_0000
LOOP, STRINGS, OTHER = 0x10, 0x20, 0x30


def thread(index: int, creation_id: int = 0, ordinal: int = 0) -> ThreadEntry:
    return ThreadEntry(index, 100 + index, creation_id, ordinal, 0, 0, 0, WaitKind.NONE, True, False, 0)


@dataclass
class Startup:
    """A process's start-up; addresses depend on `base`, as they do under ASLR."""

    base: int = HEAP
    types: dict[int, Hashable] = field(default_factory=dict)
    threads: Sequence[ThreadEntry] = (thread(0),)

    def __post_init__(self) -> None:
        self.allocations: list[Allocation] = []
        self._next = self.base
        self._nth: dict[tuple[int, int], int] = {}
        self._pieces: list[tuple[Range, bytes | memoryview]] = []

    def malloc(self, stack_id: int, data: bytes, *, thread_index: int = 0, freed: bool = False) -> int:
        """Allocates and fills; the address."""
        nth = self._nth.get((thread_index, stack_id), 0)
        self._nth[thread_index, stack_id] = nth + 1
        size, address = len(data), self._next
        self._next += -(-size // 16) * 16 + 16
        self._pieces.append((Range(address, address + size), data))
        row = Allocation(
            seq=len(self.allocations),
            thread=thread_index,
            stack_id=stack_id,
            nth=nth,
            site=0,
            address=address,
            size=size,
            first_size=size,
            base_address=address,
            base_size=size,
            flags=int(AllocationFlag.FREED) if freed else 0,
            plan=-1,
        )
        self.allocations.append(row)
        return address

    def text(self, value: str) -> int:
        """A string literal in .rodata; the address."""
        address = self.base - 0x1000_0000_0000 + 0x100 * len(self._pieces)
        data = value.encode() + b"\0"
        self._pieces.append((Range(address, address + len(data)), data))
        return address

    def side(self) -> LogSide:
        memory = PiecewiseMemory(self._pieces)
        reader = ContentReader(self.allocations, memory.read)
        return LogSide(self.allocations, self.threads, lambda one: self.types.get(one.stack_id), reader.content)

    def live(self) -> LiveChunks:
        kept = [one for one in self.allocations if not one.is_freed]
        return LiveChunks([one.address for one in kept], [-(-one.size // 16) * 16 for one in kept])


def words(*values: int) -> bytes:
    return b"".join(value.to_bytes(8, "little") for value in values)


def commands(startup: Startup, names: Sequence[str], fields: int = 3, stack_id: int = LOOP) -> None:
    """A start-up loop: a struct that points to a literal and to a copy of it on the heap."""
    for place, name in enumerate(names):
        copy = startup.malloc(STRINGS, name.encode() + b"\0")
        startup.malloc(stack_id, words(startup.text(name), copy, place, *(0,) * (fields - 3)))


def aligned(old: Startup, new: Startup) -> Alignment:
    return align(old.side(), new.side())


def names_of(startup: Startup) -> dict[int, str]:
    """By seq: what the test allocated there, told by its string."""
    return {one.seq: f"{one.stack_id}:{one.nth}" for one in startup.allocations}


NAMES = [f"command{i}" for i in range(20)]


@pytest.mark.parametrize("fields", [3, 5], ids=["same-layout", "grown"])
@pytest.mark.parametrize("at", [0, 7, 20], ids=["first", "middle", "last"])
def test_one_inserted_element_does_not_shift_the_rest(at: int, fields: int) -> None:
    """Strings and structs, also when the struct has grown. Source: DESIGN section 6, Placement."""
    old, new = Startup(types={LOOP: "command"}), Startup(base=HEAP + 0x123450, types={LOOP: "command"})
    commands(old, NAMES)
    commands(new, [*NAMES[:at], "inserted", *NAMES[at:]], fields)
    expected = {}
    for place in range(20):
        shifted = place + (place >= at)
        expected[2 * shifted], expected[2 * shifted + 1] = 2 * place, 2 * place + 1
    result = aligned(old, new)
    assert result.old_of == expected
    assert result.uncertain == ()


def test_removed_and_reordered_elements_keep_their_names() -> None:
    old, new = Startup(), Startup(base=HEAP + 0x5000)
    commands(old, NAMES)
    order = NAMES[3:]
    random.Random(5).shuffle(order)
    commands(new, order)
    wanted = {2 * i + k: 2 * NAMES.index(name) + k for i, name in enumerate(order) for k in (0, 1)}
    strings_only = {seq: old_seq for seq, old_seq in aligned(old, new).old_of.items() if not seq % 2}
    assert strings_only == {seq: old_seq for seq, old_seq in wanted.items() if not seq % 2}
    assert aligned(old, new).old_of.items() <= wanted.items()


def test_a_replaced_element_is_not_taken_for_the_old_one() -> None:
    old, new = Startup(), Startup(base=HEAP + 0x5000)
    for name in ("get", "set", "add", "del", "inc"):
        old.malloc(STRINGS, name.encode() + b"\0")
    for name in ("get", "foo", "add", "del", "inc"):
        new.malloc(STRINGS, name.encode() + b"\0")
    result = aligned(old, new)
    assert result.old_of == {0: 0, 2: 2, 3: 3, 4: 4}
    assert [(one.old, one.new) for one in result.uncertain] == [((1,), (1,))]


def test_elements_without_names_pair_only_if_their_number_agrees() -> None:
    old, new = Startup(types={LOOP: "queue"}), Startup(types={LOOP: "queue"})
    for _ in range(4):
        old.malloc(LOOP, bytes(64))
    for _ in range(4):
        new.malloc(LOOP, bytes(96))
    assert aligned(old, new).old_of == {0: 0, 1: 1, 2: 2, 3: 3}
    new.malloc(LOOP, bytes(96))
    result = aligned(old, new)
    assert result.old_of == {}
    assert result.uncertain[0].old == (0, 1, 2, 3)


def test_numbers_are_no_names() -> None:
    """Descriptor numbers that have moved up by one must not shift the pairs."""
    old, new = Startup(), Startup()
    for fd in (26, 27, 28):
        old.malloc(LOOP, words(fd))
        new.malloc(LOOP, words(fd + 1))
    assert aligned(old, new).old_of == {0: 0, 1: 1, 2: 2}


def test_sizes_tell_where_an_unnamed_element_was_inserted() -> None:
    old, new = Startup(), Startup()
    for size in (16, 32, 64, 128):
        old.malloc(LOOP, bytes(size))
    for size in (16, 48, 32, 64, 128):
        new.malloc(LOOP, bytes(size))
    assert aligned(old, new).old_of == {0: 0, 2: 1, 3: 2, 4: 3}


def test_one_alone_pairs_whatever_its_size_unless_its_type_is_another() -> None:
    old, new = Startup(types={LOOP: "conn"}), Startup(types={LOOP: "conn"})
    old.malloc(LOOP, bytes(16))
    new.malloc(LOOP, bytes(400))
    old.malloc(OTHER, b"version 1.6.18\0")
    new.malloc(OTHER, b"version 1.6.38 and more\0")
    assert aligned(old, new).old_of == {0: 0, 1: 1}
    new.types[LOOP] = "item"
    assert aligned(old, new).old_of == {1: 1}


def test_one_alone_between_two_pairs_may_have_another_size() -> None:
    """One function that allocates several things, of which the types are known in part."""
    old, new = Startup(), Startup()
    for startup, grown in ((old, 0), (new, 24)):
        startup.malloc(LOOP, bytes(16))
        startup.malloc(LOOP, bytes(100 + grown))
        startup.malloc(LOOP, bytes(48))
        startup.malloc(LOOP, bytes(200 + grown))
        startup.malloc(LOOP, bytes(201 + grown))
    assert aligned(old, new).old_of == {0: 0, 1: 1, 2: 2}

    def side(startup: Startup) -> LogSide:
        kinds = [None, "conn", None, "buffer", "buffer"]
        return replace(startup.side(), type_key=lambda one: kinds[one.nth])

    assert align(side(old), side(new)).old_of == {i: i for i in range(5)}


def test_threads_are_told_apart_by_their_creation() -> None:
    old = Startup(threads=(thread(0), thread(1, 77, 0), thread(2, 77, 1)))
    new = Startup(threads=(thread(0), thread(1, 77, 1), thread(2, 77, 0)))
    for startup in (old, new):
        startup.malloc(LOOP, bytes(8), thread_index=1)
        startup.malloc(LOOP, bytes(8), thread_index=2)
        startup.malloc(LOOP, bytes(8), thread_index=65535)
    assert aligned(old, new).old_of == {0: 1, 1: 0}


def test_freed_elements_hold_their_place_in_the_sequence() -> None:
    old, new = Startup(), Startup()
    old.malloc(LOOP, bytes(16), freed=True)
    new.malloc(LOOP, bytes(16))
    old.malloc(LOOP, bytes(32))
    new.malloc(LOOP, bytes(32), freed=True)
    old.malloc(LOOP, bytes(48))
    new.malloc(LOOP, bytes(48))
    alignment = aligned(old, new)
    assert alignment.old_of == {0: 0, 1: 1, 2: 2}
    plan = make_plan(old.side(), new.side(), alignment, old.live())
    assert [(one.nth, one.old_seq, one.address) for one in plan] == [(2, 2, old.allocations[2].address)]


def test_what_outgrows_its_place_is_paired_but_not_placed() -> None:
    old, new = Startup(types={LOOP: "t", OTHER: "t"}), Startup(types={LOOP: "t", OTHER: "t"})
    old.malloc(LOOP, bytes(20))
    new.malloc(LOOP, bytes(32))
    old.malloc(OTHER, bytes(20))
    new.malloc(OTHER, bytes(33))
    plan = make_plan(old.side(), new.side(), aligned(old, new), old.live())
    placed, free = plan
    assert (placed.address, placed.capacity, placed.size) == (HEAP, 32, 32)
    assert (free.address, free.capacity, free.size, free.old_seq) == (0, 0, 33, 1)
    assert plan == tuple(sorted(plan))


def flagged(startup: Startup, seq: int, flag: AllocationFlag, plan: int, address: int | None = None) -> None:
    one = startup.allocations[seq]
    place = one.address if address is None else address
    startup.allocations[seq] = one._replace(flags=int(flag), plan=plan, address=place)


def test_pairs_follow_what_the_new_process_did() -> None:
    old, new = Startup(), Startup(base=HEAP + 0x10000)
    for stack_id in (1, 2, 3, 4):
        old.malloc(stack_id, bytes(16))
        new.malloc(stack_id, bytes(16))
    flagged(new, 0, AllocationFlag.PLACED, 0, old.allocations[0].address)
    flagged(new, 1, AllocationFlag.PLANNED, 1)
    flagged(new, 2, AllocationFlag.DIVERGED, 2)
    old.allocations[3] = old.allocations[3]._replace(flags=int(AllocationFlag.FREED))
    flagged(new, 3, AllocationFlag.PLACED, 3, old.allocations[3].address)
    pairing = make_pairs(old.side(), new.side())
    assert pairing.diverged == ()
    assert pairing.pairs[0] == AllocationPair(HEAP, HEAP, 16, HEAP, 16)
    assert [one.new_address for one in pairing.pairs] == [HEAP, *(new.allocations[i].address for i in (1, 2))]


def test_a_place_that_the_old_process_has_reused_is_lost() -> None:
    old, new = Startup(), Startup()
    for stack_id in (1, 2):
        place = old.malloc(stack_id, bytes(16))
        new.malloc(stack_id, bytes(16))
        flagged(new, stack_id - 1, AllocationFlag.PLACED, stack_id - 1, place)
    live = old.live()
    assert find_lost_places(old.side(), new.side(), live) == ()
    old.allocations[0] = old.allocations[0]._replace(flags=int(AllocationFlag.FREED))
    assert find_lost_places(old.side(), new.side(), live) == (LostPlace(0, 0, HEAP),)
    assert find_lost_places(old.side(), new.side(), old.live()) == ()


def test_tens_of_thousands_of_allocations_are_aligned_in_a_moment() -> None:
    """The bound is ten times what it takes; 200,000 take ten times as long."""
    old, new = Startup(), Startup(base=HEAP + 0x50)
    names = [f"name number {i}" for i in range(5000)]
    commands(old, names)
    commands(new, [name for i, name in enumerate(names) for name in ([name, f"new {i}"] if i % 100 == 3 else [name])])
    sides = old.side(), new.side()
    start = time.perf_counter()
    result = align(*sides)
    assert time.perf_counter() - start < 5
    assert len(result.old_of) == 10_000


def test_bytes_of_pointers_are_no_text() -> None:
    startup = Startup(base=0x7000_0000_6250)
    target = startup.malloc(LOOP, words(1, 2))
    startup.malloc(LOOP, words(target, 3))
    side = startup.side()
    assert [side.content(one).name for one in startup.allocations] == [None, None]


def test_an_address_that_reads_as_text_is_no_text() -> None:
    startup = Startup(base=int.from_bytes(b" Aabcd", "little"))
    copy = startup.malloc(LOOP, b"get\0")
    startup.malloc(LOOP, words(copy, 3))
    startup.malloc(LOOP, words(7, copy))
    side = startup.side()
    assert [side.content(one).name for one in startup.allocations] == [b"get", b"get", b"get"]


def test_texts_behind_pointers_are_names() -> None:
    startup = Startup()
    copy = startup.malloc(LOOP, b"\x03\x03\x01get\0")
    startup.malloc(LOOP, words(7, copy + 3, startup.text("literal")))
    startup.malloc(LOOP, words(7, startup.text("literal"), 0x7FFF_0000_0000))
    side = startup.side()
    assert [side.content(one).name for one in startup.allocations] == [b"get", b"get", b"literal"]
