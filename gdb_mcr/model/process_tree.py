"""The processes of one server, by how each was forked. Source: seed, "mutable reinitialization"; DESIGN section 6."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gdb_mcr.model.startup_log import LoggedOperation, OperationKind


class BirthKey(NamedTuple):
    """Which child of its parent a process is: the same for the counterpart in N, whatever the process ids are."""

    stack_id: int
    """Call stack ID of the fork in the parent."""
    ordinal: int
    """0-based count among the parent's forks with this call stack ID."""


Lineage = tuple[BirthKey, ...]
"""The births that lead from the first process to a process; () is the first process."""


@dataclass(frozen=True, slots=True)
class TreeMember:
    """One process of a server."""

    pid: int
    parent: int
    """0 for the first process."""
    lineage: Lineage


@dataclass(frozen=True, slots=True)
class ProcessTree:
    """The processes of one server, parents before their children, the first process first."""

    members: tuple[TreeMember, ...]
    strangers: Mapping[int, int] = field(default_factory=dict)
    """Pid → parent of living children that no start-up log tells of: born later, or by other means than fork."""
    ended: tuple[Lineage, ...] = ()
    """Children of start-up that do not live any more."""

    @property
    def pids(self) -> tuple[int, ...]:
        """All members' process ids, as `members`."""
        return tuple(one.pid for one in self.members)


def births(operations: Iterable[LoggedOperation]) -> Mapping[int, BirthKey]:
    """Pid → key of the children that a process forked in its start-up, by its log.

    A forked process's log begins with its parent's, up to the fork that returned 0 in it.
    """
    found: dict[int, BirthKey] = {}
    counts: dict[int, int] = defaultdict(int)
    for one in operations:
        if one.kind is not OperationKind.FORK or one.error:
            continue
        if one.result == 0:
            found.clear()
            counts.clear()
            continue
        found[one.result] = BirthKey(one.stack_id, counts[one.stack_id])
        counts[one.stack_id] += 1
    return found
