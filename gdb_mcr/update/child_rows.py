"""Child processes of a server, as what stands in the way of its rest. Source: DESIGN section 11, R9.

A child is a part of the server that nobody holds: one that was born while the rest came to rest is waited for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress

from gdb_mcr.errors import TargetError
from gdb_mcr.model.stop_point import TaskState, WaitKind
from gdb_mcr.proc.children import children
from gdb_mcr.proc.status import status

_DEAD = ("Z", "X")


def live_children(pid: int) -> frozenset[int]:
    """Those that have not ended."""
    return frozenset(child for child, _ in _living(children(pid)))


def ended_children(pid: int) -> frozenset[int]:
    """Those that have ended, which nobody has been told yet."""
    living = live_children(pid)
    return frozenset(child for child in children(pid) if child not in living)


def child_tasks(pid: int, accepted: Collection[int]) -> Iterator[TaskState]:
    """A row for each child that is not among the ``accepted`` ones, with what speaks against it."""
    for child, name in _living(one for one in children(pid) if one not in accepted):
        why = "it is a child process that was born meanwhile, which an update would leave behind"
        yield TaskState(child, True, -1, 0, WaitKind.NONE, name, why)


def _living(pids: Collection[int] | Iterator[int]) -> Iterator[tuple[int, str]]:
    for pid in pids:
        with suppress(TargetError):
            facts = status(pid)
            if facts.state not in _DEAD:
                yield pid, facts.name
