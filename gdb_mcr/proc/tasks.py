"""/proc/PID/task/*: what each thread does, seen without stopping it. Source: proc(5)."""

from __future__ import annotations

from gdb_mcr.model.process import Task
from gdb_mcr.proc.files import numbers, opened, read_at

_FILES = ("schedstat", "stat", "syscall")
"""In this order: a thread that is blocked in both of two looks with equal `switches` was so from one to the other."""


def tasks(pid: int) -> dict[int, Task]:
    """The process's threads by tid. One that ends meanwhile is left out.

    :raises TargetError: there is no such process, or it may not be looked at.
    """
    found = {}
    with opened(pid, "task") as directory:
        for tid in numbers(pid, "task"):
            try:
                schedstat, stat, syscall = (read_at(directory, f"{tid}/{name}") for name in _FILES)
            except (FileNotFoundError, ProcessLookupError):
                continue
            found[tid] = parse_task(tid, stat, syscall, schedstat)
        if not found:
            raise ProcessLookupError  # a zombie, whose directory is still there
    return found


def parse_task(tid: int, stat: str, syscall: str, schedstat: str) -> Task:
    """The value of the three files' texts.

    ``syscall`` is ``running``, ``-1 SP PC`` for a thread that is blocked outside of a call, or ``NR ARG*6 SP PC``.
    """
    name, rest = split_stat(stat)
    number, arguments, stack_pointer, pc = _parse_syscall(syscall.split())
    return Task(tid, name, rest[0], number, arguments, stack_pointer, pc, int(schedstat.split()[2]))


def split_stat(stat: str) -> tuple[str, list[str]]:
    """(comm, the fields from the third on): comm stands in parentheses and may contain any character."""
    before, _, after = stat.rpartition(")")
    return before.partition("(")[2], after.split()


def _parse_syscall(words: list[str]) -> tuple[int, tuple[int, ...], int, int]:
    if words == ["running"]:
        return -1, (), 0, 0
    number, *values = words
    *arguments, stack_pointer, pc = (int(word, 16) for word in values)
    return int(number), tuple(arguments), stack_pointer, pc
