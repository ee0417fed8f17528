"""Events that one thread of a server has sent to another, and that nobody has taken yet.

A server whose threads all wait is not at rest while such an event lies in a pipe, an eventfd or a pair of sockets of
its own, or is a pending signal: the sender has done its part, and a thread that is held would take it. What comes from
outside may lie there: it is the next event, and the new server takes it.
Source: DESIGN section 5; pipe(7), eventfd(2), unix(7), proc_pid_task_tid_status(5).
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterable, Iterator, Mapping

from gdb_mcr.errors import TargetError
from gdb_mcr.model.process import Descriptor
from gdb_mcr.proc.files import read_text
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.proc.unix_peers import unix_peers

_EVENTFD = "anon_inode:[eventfd]"
_PIPE, _SOCKET = "pipe:", "socket:"


def events_in_flight(handle: Pidfd, descriptors: Mapping[int, Descriptor]) -> Iterator[str]:
    """Where such an event lies, one phrase each.

    :param handle: the process, which stands still.
    :param descriptors: what it has open.
    """
    for number, name in _own_channels(descriptors):
        if _is_readable(handle, number):
            yield f"an event of the server's own lies in its {name} (descriptor {number})"


def has_pending_signal(pid: int, tid: int) -> bool:
    """Whether a signal that was sent to this very thread waits for it."""
    try:
        status = read_text(pid, "task", str(tid), "status")
    except TargetError:
        return False
    return any(line.startswith("SigPnd:") and int(line.split()[1], 16) for line in status.splitlines())


# Each once, however many descriptors lead to it: those whose other end the process has as well.
def _own_channels(descriptors: Mapping[int, Descriptor]) -> Iterator[tuple[int, str]]:
    targets = {one.target for one in descriptors.values()}
    writable = {one.target for one in descriptors.values() if one.flags & os.O_ACCMODE != os.O_RDONLY}
    peers = _peers(targets)
    seen: set[str] = set()
    for number, one in descriptors.items():
        if one.target in seen or one.flags & os.O_ACCMODE == os.O_WRONLY:
            continue
        if one.target == _EVENTFD:
            yield number, "eventfd"
        elif one.target.startswith(_PIPE) and one.target in writable:
            seen.add(one.target)
            yield number, "pipe"
        elif peers.get(one.target) in targets:
            seen.add(one.target)
            yield number, "socket pair"


def _peers(targets: Iterable[str]) -> Mapping[str, str]:
    if not any(one.startswith(_SOCKET) for one in targets):
        return {}
    return {f"{_SOCKET}[{inode}]": f"{_SOCKET}[{peer}]" for inode, peer in unix_peers().items()}


def _is_readable(handle: Pidfd, number: int) -> bool:
    copy = handle.getfd(number)
    try:
        poller = select.poll()
        poller.register(copy, select.POLLIN)
        return any(event & select.POLLIN for _, event in poller.poll(0))
    finally:
        os.close(copy)
