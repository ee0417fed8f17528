"""The processes below this one, orphans included: nothing that an update started may be left over.

While `adopting()` lasts, a process whose parent has died becomes a child of this one. Source: PR_SET_CHILD_SUBREAPER in
prctl(2), and the field ppid in proc_pid_stat(5).
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def adopting() -> Iterator[None]:
    """Orphans below this process become its children."""
    _set_subreaper(True)
    try:
        yield
    finally:
        _set_subreaper(False)


def descendants() -> dict[int, str]:
    """Pid → name of every process below this one. Zombies count."""
    parents, names = _everybody()
    found: dict[int, str] = {}
    fresh = {os.getpid()}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh and pid not in found}
        found |= {pid: names[pid] for pid in fresh}
    return found


def wait_for_leftovers(known: Collection[int], timeout: float) -> tuple[dict[int, str], float]:
    """Waits until no process but the ``known`` ones is below this one, and reaps those that ended.

    :param timeout: seconds.
    :returns: what is left after them, and the seconds that it took.
    """
    began = time.monotonic()
    while True:
        left = {pid: name for pid, name in descendants().items() if pid not in known}
        for pid in left:
            reap(pid)
        took = time.monotonic() - began
        if not left or took > timeout:
            return left, took
        time.sleep(0.01)  # nobody announces the end of a grandchild


def reap(pid: int) -> None:
    """Takes the status of a child that has ended; nothing if it has not, or is none."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _everybody() -> tuple[dict[int, int], dict[int, str]]:
    parents, names = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                before, _, after = (entry / "stat").read_text().rpartition(")")
                parents[int(entry.name)] = int(after.split()[1])
                names[int(entry.name)] = before.partition("(")[2]
    return parents, names


def _set_subreaper(wanted: bool) -> None:
    if _libc.prctl(_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
