"""The report of `profile`: a table of the classes, and the sums that papers on the subject give."""

from __future__ import annotations

from collections.abc import Iterator

from gdb_mcr.model.profile import EventOrigin, ProcessClass, ProfiledStop, ProfileResult, Stability, ThreadClass
from gdb_mcr.model.stop_point import StopPointKind
from gdb_mcr.render.inspections import stack
from gdb_mcr.render.pieces import duration, number, plural, table

_HEAD = ("threads", "starts in", "lives", "loop", "stop point", "waits in", "woken by", "stalls", "time", "stack")


def profile_lines(result: ProfileResult) -> Iterator[str]:
    """All classes, the sums, the file."""
    found = result.profile
    yield f"{found.program.path}  {found.program.build_id}"
    yield f"    {plural(found.looks, 'look')} and {plural(found.stops, 'stop')} in {duration(found.seconds)}" + (
        f" under `{found.load}`" if found.load else ""
    )
    for one in found.processes:
        yield _process(one)
        yield from table([_HEAD, *(row for kind in one.threads for row in _rows(kind))], right=(0, 7, 8))
    yield from _sums(result)
    yield from (f"warning: {one}" for one in result.warnings)
    yield f"written to {result.file}"


def _process(one: ProcessClass) -> str:
    count = f"{number(one.processes)} process{'es' if one.processes != 1 else ''}"
    if one.created_by:
        return f"{count} ({one.stability.value}), forked by {stack(one.created_by)}"
    return f"{count} ({one.stability.value})"


# The class stands in the line of its first stop point.
def _rows(one: ThreadClass) -> Iterator[tuple[str, ...]]:
    loop = one.loop.function if one.loop is not None else "-"
    lives = f"{'long' if one.is_long_lived else 'short'}, {one.stability.value}"
    first = (number(one.threads), one.start, lives, loop)
    stops = [_stop(stop) for stop in one.stops] or [("-", "-", "-", "-", "-", "-")]
    for place, cells in enumerate(stops):
        yield (*(first if place == 0 else ("", "", "", "")), *cells)


def _stop(one: ProfiledStop) -> tuple[str, ...]:
    where = stack(one.stack)
    return (one.kind.value, one.call, one.origin.value, number(one.stalls), duration(one.seconds), where)


def _sums(result: ProfileResult) -> Iterator[str]:
    classes = list(result.profile.thread_classes())
    long_lived = [one for one in classes if one.is_long_lived]
    points = [(one.stability, stop) for one in classes for stop in one.stops]
    quiescent = [stability for stability, stop in points if stop.kind is StopPointKind.QUIESCENT]
    calls = {origin: {stop.call for _, stop in points if stop.origin is origin} for origin in EventOrigin}
    rows = [
        ("thread classes", f"{len(classes)}, of them {len(long_lived)} long-lived"),
        (
            "quiescent points",
            f"{len(quiescent)}: {quiescent.count(Stability.STABLE)} stable, "
            f"{quiescent.count(Stability.VOLATILE)} volatile",
        ),
        *((f"{origin.value} blocking calls", ", ".join(sorted(names)) or "none") for origin, names in calls.items()),
    ]
    yield from table(rows)
