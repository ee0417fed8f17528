"""Breakpoints over a hand-over.

Detaching takes every breakpoint out of the process; GDB keeps them in its list and sets them again by what the user
typed (their specification). What that does not cover is done here: breakpoints of one thread, which GDB deletes with
the thread, and those at a bare address, which mean nothing in another process and would keep it from continuing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import gdb


@dataclass(frozen=True, slots=True)
class NotedPoint:
    """One breakpoint, watchpoint or catchpoint as it was before the process was given up."""

    point: gdb.Breakpoint
    number: int
    text: str
    """What it stops at, in the user's words."""
    location: str | None
    """Its specification; None for watchpoints and catchpoints."""
    enabled: bool
    lwp: int
    """Of the only thread that it stops, 0 if it stops any."""
    condition: str | None
    commands: str | None


def note_points() -> Iterator[NotedPoint]:
    """All that the user has set."""
    for one in gdb.breakpoints():
        text = one.location or one.expression or "a catchpoint"
        yield NotedPoint(
            one, one.number, text, one.location, one.enabled, _lwp(one.thread), one.condition, one.commands
        )


def restore_points(noted: Iterable[NotedPoint], *, is_same_process: bool) -> Iterator[str]:
    """Set again what GDB does not; one sentence for each that is not as it was.

    :param is_same_process: False if another process, of another build, stands in the place of the one that had them.
    """
    for one in noted:
        if not _is_there(one):
            yield _recreate(one)
        elif one.location is None or not one.enabled or is_same_process:
            continue
        elif one.location.startswith("*"):
            one.point.enabled = False
            yield f"breakpoint {one.number} ({one.text}) is disabled: it is an address of the old program"
        elif one.point.pending or not one.point.enabled:
            yield f"breakpoint {one.number} ({one.text}) is disabled: the new program has no such place"


def _recreate(noted: NotedPoint) -> str:
    thread = _thread_number(noted.lwp)
    if noted.location is None or thread is None:
        return f"breakpoint {noted.number} ({noted.text}) is gone: what it belonged to no longer exists"
    if noted.point.is_valid():
        noted.point.delete()
    point = gdb.Breakpoint(noted.location)
    point.thread = thread
    point.enabled = noted.enabled
    point.condition = noted.condition
    if noted.commands:
        point.commands = noted.commands
    return f"breakpoint {noted.number} ({noted.text}) is breakpoint {point.number} now"


# GDB deletes those of one thread with the thread, but keeps the object until the next stop.
def _is_there(noted: NotedPoint) -> bool:
    return noted.point.is_valid() and not noted.lwp


def _lwp(thread: int | None) -> int:
    found = [one for inferior in gdb.inferiors() for one in inferior.threads() if one.global_num == thread]
    return found[0].ptid[1] if found else 0


def _thread_number(lwp: int) -> int | None:
    if not lwp:
        return None
    return next((one.global_num for one in gdb.selected_inferior().threads() if one.ptid[1] == lwp), None)
