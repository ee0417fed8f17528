"""Which start-up allocation of N is which of O, by both allocation logs (DESIGN section 6, Placement).

Allocations are compared within one thread and one call stack ID only, so that a start-up loop is one sequence on either
side. Within it, four looks follow one another, each at what the one before left between its pairs:

1. content: type, size and bytes agree, if the bytes tell the elements of this sequence apart;
2. name: type and the first text in or behind it agree (an object that has grown still has its name);
3. shape: type, size and name agree, in this order;
4. place: as many elements on either side, of the same types and names as far as they are known; of unknown types,
   one alone on both.

A look pairs only what has no alternative. What stays over is not paired: see `Alignment.uncertain`.
Source: FACTS-E2E obstacles 3 and 4.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from gdb_mcr.model.startup_log import Allocation, ThreadEntry
from gdb_mcr.reinit.sequences import Pair, certain_pairs, iter_gaps, longest_ascending, unique_pairs


class Content(NamedTuple):
    """What the bytes of an allocation say of its identity, comparable between O and N; None = nothing."""

    whole: Hashable = None
    """The bytes, pointers replaced by what does not depend on the address space; only if they have a name."""
    name: Hashable = None
    """The first text in it or behind a pointer of it. Numbers are no names: they are equal by chance."""


@dataclass(frozen=True, slots=True)
class LogSide:
    """One side of the comparison."""

    allocations: Sequence[Allocation]
    """The whole log; index = seq."""
    threads: Sequence[ThreadEntry]
    """The thread table; index = ThreadEntry.index."""
    type_key: Callable[[Allocation], Hashable]
    """The type that its site tells, by name and declaring file; None = unknown. Equal on both sides if the same."""
    content: Callable[[Allocation], Content]
    """Asked only where sequences are longer than one."""


@dataclass(frozen=True, slots=True)
class Uncertain:
    """Allocations of one thread and call stack that found no certain counterpart although both sides have some."""

    thread_key: int
    stack_id: int
    old: tuple[int, ...]
    """seqs in O's log."""
    new: tuple[int, ...]
    """seqs in N's log."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """The counterpart of each allocation of N that has one."""

    old_of: dict[int, int]
    """seq in N's log to seq in O's log."""
    uncertain: tuple[Uncertain, ...]


GroupKey = tuple[int, int]
"""Thread key, call stack ID."""

_Key = TypeVar("_Key", bound=Hashable)
_Place = tuple[Hashable, Hashable]  # type, name


def align(old: LogSide, new: LogSide) -> Alignment:
    """Aligns the logs, each side's sequences in the order of `nth`. Near-linear in their length."""
    old_of: dict[int, int] = {}
    uncertain: list[Uncertain] = []
    theirs = group(old)
    for key, mine in group(new).items():
        counterparts = theirs.get(key)
        if counterparts is None:
            continue
        pairs = _align_group(_Sequence(old, counterparts), _Sequence(new, mine))
        old_of.update((mine[j].seq, counterparts[i].seq) for i, j in pairs)
        uncertain += _left_over(key, counterparts, mine, pairs)
    return Alignment(old_of, tuple(uncertain))


def group(side: LogSide) -> dict[GroupKey, list[Allocation]]:
    """The allocations of each thread and call stack, in the order of `nth`. Those of unknown threads are left out."""
    keys = [thread.key for thread in side.threads]
    groups: dict[GroupKey, list[Allocation]] = {}
    for one in side.allocations:
        if one.thread < len(keys):
            groups.setdefault((keys[one.thread], one.stack_id), []).append(one)
    for members in groups.values():
        members.sort(key=lambda one: one.nth)
    return groups


class _Sequence:
    """One group of one side and the keys of its elements."""

    def __init__(self, side: LogSide, members: Sequence[Allocation]) -> None:
        self.members = members
        self.types: list[Hashable] = [side.type_key(one) for one in members]
        self.names: list[Hashable] = [None] * len(members)
        self.wholes: list[Hashable] = [None] * len(members)
        self._content = side.content

    def __len__(self) -> int:
        return len(self.members)

    def forget_types(self) -> None:
        self.types = [None] * len(self.members)

    def read(self) -> None:
        contents = [self._content(one) for one in self.members]
        self.names = [one.name for one in contents]
        self.wholes = [
            None if content.whole is None else (kind, one.base_size, content.whole)
            for kind, one, content in zip(self.types, self.members, contents, strict=True)
        ]

    def forget_names(self) -> None:
        self.names = [None] * len(self.members)

    def named_types(self) -> list[Hashable]:
        return [None if name is None else (kind, name) for kind, name in zip(self.types, self.names, strict=True)]

    def shapes(self) -> list[Hashable]:
        return [
            (kind, name, one.first_size) for kind, name, one in zip(self.types, self.names, self.members, strict=True)
        ]

    def places(self) -> list[_Place]:
        return list(zip(self.types, self.names, strict=True))


def _align_group(old: _Sequence, new: _Sequence) -> list[Pair]:
    if not (any(old.types) and any(new.types)):  # one side knows no types here: they cannot be compared
        old.forget_types()
        new.forget_types()
    if len(old) == len(new) == 1:
        return _by_place(old.places(), new.places())
    old.read()
    new.read()
    if not (_is_telling(old.names) and _is_telling(new.names)):
        old.forget_names()
        new.forget_names()
    pairs = _by_identity(old.wholes, new.wholes)
    pairs = _fill(pairs, _by_identity, old.named_types(), new.named_types())
    pairs = _fill(pairs, certain_pairs, old.shapes(), new.shapes())
    return _fill(pairs, _by_place, old.places(), new.places())


# Keys that tell the elements apart pair whatever their order: a table may be sorted otherwise.
def _by_identity(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Pair]:
    if not (_is_telling(old) and _is_telling(new)):
        return []
    return sorted({*unique_pairs(old, new), *certain_pairs(old, new)})


def _is_telling(keys: Sequence[Hashable]) -> bool:
    known = [key for key in keys if key is not None]
    distinct = len(set(known))
    return distinct == len(known) > 0 or (len(known) >= _FEW and 2 * distinct > len(known))


_FEW = 4  # so many keys may repeat now and then and tell their elements apart all the same


# Equal counts between two pairs, nothing known that differs; where types are not known, one element alone.
def _by_place(old: Sequence[_Place], new: Sequence[_Place]) -> list[Pair]:
    if len(old) != len(new):
        return []
    rows = list(zip(old, new, strict=True))
    fits = all(_agree(one, other) for one, other in rows)
    certain = len(rows) == 1 or all(kind is not None for (kind, _), (_, _) in rows)
    return [(i, i) for i in range(len(rows))] if fits and certain else []


def _agree(one: _Place, other: _Place) -> bool:
    return all(a == b or a is None or b is None for a, b in zip(one, other, strict=True))


# Pairs that cross others (reordered tables) count as pairs, but only the ascending ones bound the gaps.
def _fill(
    pairs: list[Pair],
    look: Callable[[Sequence[_Key], Sequence[_Key]], list[Pair]],
    old: Sequence[_Key],
    new: Sequence[_Key],
) -> list[Pair]:
    taken_old, taken_new = {i for i, _ in pairs}, {j for _, j in pairs}
    more: list[Pair] = []
    for left, right in iter_gaps(longest_ascending(pairs), len(old), len(new)):
        rows = [i for i in left if i not in taken_old]
        columns = [j for j in right if j not in taken_new]
        found = look([old[i] for i in rows], [new[j] for j in columns])
        more += [(rows[i], columns[j]) for i, j in found]
    return sorted(pairs + more)


def _left_over(
    key: GroupKey, old: Sequence[Allocation], new: Sequence[Allocation], pairs: Sequence[Pair]
) -> Iterator[Uncertain]:
    taken_old, taken_new = {i for i, _ in pairs}, {j for _, j in pairs}
    left_old = tuple(one.seq for i, one in enumerate(old) if i not in taken_old)
    left_new = tuple(one.seq for j, one in enumerate(new) if j not in taken_new)
    if left_old and left_new:
        yield Uncertain(*key, left_old, left_new)
