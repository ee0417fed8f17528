"""Which processes run under libmcr, and which of them are one server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gdb_mcr.errors import McrError
from gdb_mcr.proc.status import status
from gdb_mcr.runtime_abi.layout import Role, State
from gdb_mcr.update.recorded import LIBRARY, find_recorded

_MAPPED = f"/{LIBRARY}".encode()


def recorded_pids() -> tuple[int, ...]:
    """Processes of this user (of all, for root) into which libmcr is loaded, whatever it does there."""
    return tuple(sorted(pid for pid in _own_pids() if _has_library(pid)))


def root_pids() -> tuple[int, ...]:
    """Those of `recorded_pids` whose parent is none: the first process of each server."""
    pids = recorded_pids()
    return tuple(pid for pid in pids if _parent(pid) not in pids)


def serving_pids() -> tuple[int, ...]:
    """Roots of servers that were started by `mcr run` or by a committed update."""
    return tuple(pid for pid in root_pids() if _serves(pid))


def family(pid: int) -> tuple[int, ...]:
    """A server's processes: ``pid`` and its descendants under libmcr, the root first."""
    members = [pid]
    pending = {one: _parent(one) for one in recorded_pids() if one != pid}
    while children := [one for one, parent in pending.items() if parent in members]:
        members += sorted(children)
        for one in children:
            del pending[one]
    return tuple(members)


def _serves(pid: int) -> bool:
    try:
        control = find_recorded(pid).control()
    except McrError:
        return False
    return control.role is not Role.OFF and control.state is not State.HELD and control.role is not Role.REHEARSE


def _own_pids() -> Iterator[int]:
    user = os.geteuid()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                if user in (0, entry.stat().st_uid):
                    yield int(entry.name)


def _has_library(pid: int) -> bool:
    try:
        return _MAPPED in Path(f"/proc/{pid}/maps").read_bytes()
    except OSError:
        return False


def _parent(pid: int) -> int:
    try:
        return status(pid).parent
    except McrError:
        return 0
