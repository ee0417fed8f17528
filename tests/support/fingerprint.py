"""What an update that did not take place must leave as it was in the old server, seen without stopping it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gdb_mcr.model.process import Mapping
from gdb_mcr.proc.descriptors import EPOLL, targets, watches
from gdb_mcr.proc.mappings import mappings
from gdb_mcr.proc.status import status
from gdb_mcr.proc.tasks import tasks
from gdb_mcr.update.recorded import find_recorded


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One look at a server that runs under libmcr."""

    descriptors: dict[int, str]
    watches: dict[int, tuple[tuple[int, int, int], ...]]
    """Epoll instance → (descriptor, events, data word) of each registration."""
    threads: frozenset[int]
    mappings: frozenset[tuple[int, int, str]]
    """(start, end, file or name)."""

    def changes(self, later: Fingerprint) -> Iterator[str]:
        """What is not as it was."""
        for name in ("descriptors", "watches", "threads", "mappings"):
            before, after = getattr(self, name), getattr(later, name)
            if before != after:
                yield f"its {name} changed: {_difference(before, after)}"


def take_fingerprint(pid: int) -> Fingerprint:
    """Of a process that serves nothing but a steady load meanwhile."""
    found = targets(pid)
    registered = {
        number: tuple((one.fd, one.events, one.data) for one in watches(pid, number))
        for number, target in found.items()
        if target == EPOLL
    }
    maps = frozenset((one.range.start, one.range.end, one.path) for one in mappings(pid))
    return Fingerprint(found, registered, frozenset(tasks(pid)), maps)


def debugger_traces(pid: int) -> Iterator[str]:
    """What a debugger or a controller has left in a process: one sentence each."""
    if tracer := status(pid).tracer:
        yield f"process {tracer} still traces it"
    stopped = {tid: one.state for tid, one in tasks(pid).items() if one.state in "tT"}
    if stopped:
        yield f"threads still stand in a stop: {stopped}"
    control = find_recorded(pid).control()
    if control.hold and time.monotonic_ns() < control.hold_deadline_ns:  # behind its deadline it holds nobody
        yield "its hold is still in force"
    if control.error_text:
        yield f"its libmcr says: {control.error_text}"
    yield from text_changes(pid)


def text_changes(pid: int) -> Iterator[str]:
    """Executable mappings that are not as their files are: a breakpoint left behind, say."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for one in mappings(pid):
            if one.executable and one.is_file and not one.is_deleted:
                memory.seek(one.range.start)
                there = memory.read(one.range.size)
                if there != _file_part(one)[: len(there)]:
                    yield f"its code differs from the file {one.path}"


def _file_part(one: Mapping) -> bytes:
    with Path(one.path).open("rb") as file:
        file.seek(one.offset)
        return file.read(one.range.size).ljust(one.range.size, b"\0")


def _difference(before: object, after: object) -> str:
    if isinstance(before, dict) and isinstance(after, dict):
        before, after = set(before.items()), set(after.items())
    assert isinstance(before, (set, frozenset))
    assert isinstance(after, (set, frozenset))
    return f"gone {sorted(before - after)}, new {sorted(after - before)}"
