"""Child processes, without a search through all of /proc. Source: proc_tid_children(5)."""

from __future__ import annotations

from contextlib import suppress

from gdb_mcr.errors import TargetError
from gdb_mcr.proc.files import numbers, opened, read_at


def children(pid: int) -> tuple[int, ...]:
    """The process's children, zombies included; none if it has ended."""
    found: list[int] = []
    with suppress(TargetError), opened(pid, "task") as directory:
        for tid in numbers(pid, "task"):
            with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
                found += map(int, read_at(directory, f"{tid}/children").split())
    return tuple(found)
