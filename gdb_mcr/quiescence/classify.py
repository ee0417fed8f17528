"""From what was seen of single threads to classes of threads and their stop points.

A class's quiescent points are the places where its threads wait for their next work: where they waited before the load
began, and where some thread spent most of its life. Only classes that live across requests have any. Every other place
is a blocking point, or a cancellation point if its call may fail at any time anyway.
Source: seed, "quiescence point identification"; DESIGN section 5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from gdb_mcr.model.profile import EventOrigin, ProcessClass, ProfiledLoop, ProfiledStop, Stability, ThreadClass
from gdb_mcr.model.stop_point import StopPointKind, ThreadRole
from gdb_mcr.quiescence.blocking_calls import may_fail_after_signal, origin_of
from gdb_mcr.quiescence.observations import SeenStack, Stall, ThreadOrigin, ThreadRecord

ACROSS_REQUESTS_S = 1.0
"""Seconds after which a thread that was born under load counts as living across requests, if it loops."""


def classify(records: Iterable[ThreadRecord], end_s: float) -> tuple[ProcessClass, ...]:
    """The classes, the first process's first and in each the initial thread's first.

    :param end_s: when the last look was taken; threads not seen then have ended.
    """
    ordered = sorted(records, key=lambda one: _process_key(one.origin))
    groups = groupby(ordered, key=lambda one: _process_key(one.origin))
    return tuple(_process_class(list(members), end_s) for _, members in groups)


def _process_key(origin: ThreadOrigin) -> tuple[bool, tuple[str, ...]]:
    return (not origin.is_first_process, origin.process)


def _process_class(records: Sequence[ThreadRecord], end_s: float) -> ProcessClass:
    kinds: dict[tuple[int, str], list[ThreadRecord]] = {}
    for one in sorted(records, key=lambda one: (one.origin.creation_id != 0, one.first_s)):
        kinds.setdefault((one.origin.creation_id, one.origin.start), []).append(one)
    return ProcessClass(
        created_by=records[0].origin.process,
        processes=len({one.pid for one in records}),
        stability=_stability(records),
        threads=tuple(_thread_class(members, end_s) for members in kinds.values()),
    )


def _stability(records: Iterable[ThreadRecord]) -> Stability:
    return Stability.STABLE if any(one.is_from_startup for one in records) else Stability.VOLATILE


def _thread_class(records: Sequence[ThreadRecord], end_s: float) -> ThreadClass:
    stacks = sum((one.stacks for one in records), Counter[SeenStack]())
    is_long_lived = any(_lives_across_requests(one, end_s) for one in records)
    places = _quiescent_places(records) if is_long_lived else set()
    stops = sorted(_stops(records, stacks, places), key=lambda one: (-one.seconds, one.call, one.stack))
    origin = records[0].origin
    return ThreadClass(
        start=origin.start,
        created_by=next((one.origin.created_by for one in records if one.origin.created_by), ()),
        creation_id=origin.creation_id,
        threads=len(records),
        role=_role(stops),
        stability=_stability(records),
        is_long_lived=is_long_lived,
        loop=_loop(stops, stacks, records) if is_long_lived else None,
        stops=tuple(stops),
    )


def _lives_across_requests(one: ThreadRecord, end_s: float) -> bool:
    if one.is_from_startup:
        return one.last_s >= end_s
    return one.last_s - one.first_s >= ACROSS_REQUESTS_S and any(stack.loops for stack in one.stacks)


def _quiescent_places(records: Sequence[ThreadRecord]) -> set[int]:
    lasting = [one for one in records if one.last_s - one.first_s >= ACROSS_REQUESTS_S]
    favourites = {one.favourite for one in lasting} - {None}
    return {pc for pc in favourites if pc is not None}.union(*(one.idle for one in records))


@dataclass(slots=True)
class _Place:
    """Waits at stacks with the same names."""

    stall: Stall
    is_quiescent: bool
    origin: EventOrigin


# Looks know a wait by its return address, stacks say what that is; the time of one address is shared out among its
# stacks. A wait of which no stack was taken was so rare that it is left out.
def _stops(records: Sequence[ThreadRecord], stacks: Counter[SeenStack], places: set[int]) -> list[ProfiledStop]:
    found: dict[tuple[str, tuple[str, ...]], _Place] = {}
    shares = Counter[int]()
    for stack, count in stacks.items():
        shares[stack.wait_pc] += count
    for stack, count in stacks.items():
        if not stack.call:
            continue
        place = found.setdefault((stack.call, stack.names), _Place(Stall(), False, origin_of(stack.call, stack.wait)))
        place.is_quiescent |= stack.wait_pc in places
        _add(place.stall, [one.stalls.get(stack.wait_pc) for one in records], count / shares[stack.wait_pc])
    return [_stop(call, names, place) for (call, names), place in found.items()]


def _add(total: Stall, stalls: Iterable[Stall | None], share: float) -> None:
    for one in stalls:
        if one is not None:
            total.seconds += one.seconds * share
            total.count += round(one.count * share)
            total.longest_s = max(total.longest_s, one.longest_s)


def _stop(call: str, names: tuple[str, ...], place: _Place) -> ProfiledStop:
    kind = StopPointKind.CANCELLATION if may_fail_after_signal(call) else StopPointKind.BLOCKING
    if place.is_quiescent:
        kind = StopPointKind.QUIESCENT
    stall = place.stall
    return ProfiledStop(call, names, kind, place.origin, stall.count, stall.seconds, stall.longest_s)


def _role(stops: Sequence[ProfiledStop]) -> ThreadRole:
    waits = [one for one in stops if one.kind is StopPointKind.QUIESCENT] or stops
    if not waits:
        return ThreadRole.UNKNOWN
    is_internal = all(one.origin is EventOrigin.INTERNAL for one in waits)
    return ThreadRole.INTERNAL if is_internal else ThreadRole.INITIATOR


# The outermost loop that was seen to go round; where none was, or nothing was counted, the outermost.
def _loop(
    stops: Sequence[ProfiledStop], stacks: Counter[SeenStack], records: Sequence[ThreadRecord]
) -> ProfiledLoop | None:
    main = next((one for one in stops if one.kind is StopPointKind.QUIESCENT), None)
    if main is None:
        return None
    stack = next(one for one, _ in stacks.most_common() if (one.call, one.names) == (main.call, main.stack))
    counted = [(one.function, _turns(one.call_site, records)) for one in stack.loops]
    turning = [ProfiledLoop(function, turns) for function, turns in counted if turns]
    return turning[0] if turning else next((ProfiledLoop(*one) for one in counted), None)


def _turns(call_site: int, records: Iterable[ThreadRecord]) -> int | None:
    counts = [one.turns[call_site] for one in records if call_site in one.turns]
    return sum(counts) if counts else None
