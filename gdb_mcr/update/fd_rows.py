"""A server's file descriptors as rows: what each is, who made it, what an update does with it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from gdb_mcr.errors import TargetError
from gdb_mcr.model.inspection import FdRow
from gdb_mcr.model.process import Descriptor, Socket
from gdb_mcr.model.startup_log import LoggedOperation
from gdb_mcr.proc.descriptors import descriptors, watches
from gdb_mcr.proc.sockets import sockets
from gdb_mcr.reinit.inherit import startup_numbers
from gdb_mcr.update.code_names import CodeNames
from gdb_mcr.update.recorded import RecordedProcess

PASSED_ON = "passed on"
"""Both processes have the same open file, at the same number (unix(7), SCM_RIGHTS)."""

GIVEN = "passed on to the same call of the new start-up"
"""The new process gets it there, under the old number (DESIGN section 6, "fd numbers")."""

_MAX_SHOWN = 8  # watched descriptors

_ANONYMOUS = re.compile(r"anon_inode:\[?([^\]]*)\]?")
_PIDFD = re.compile(r"pidfd:|anon_inode:\[pidfd\]")

NOT_CARRIED = {
    "io_uring": "its queues are in the old process's memory",
    "userfaultfd": "it watches the old process's memory",
    "seccomp notify": "it belongs to the old process's filter",
}
"""Kinds of descriptors that mean nothing in another process, and why. Source: io_uring(7), userfaultfd(2)."""

_CARRIED = {
    "epoll": "rebuilt: a new instance with the same registrations",
    "pidfd": "passed on; the new server is not the parent of what it refers to",
    "signalfd": "passed on, and registered anew where an epoll instance watches it",
}


def fd_rows(server: RecordedProcess) -> tuple[FdRow, ...]:
    """The descriptors of one process by number.

    :raises TargetError: it has ended, or may not be looked at.
    """
    log, control = server.log(), server.control()
    makers = {number: log.operations[seq] for number, seq in startup_numbers(log.operations).items()}
    table = sockets(server.pid)
    names = CodeNames(server.pid, log.modules)
    found = descriptors(server.pid)
    return tuple(
        _row(server.pid, one, makers.get(number), table, names)
        for number, one in sorted(found.items())
        if number != control.channel_fd
    )


def _row(
    pid: int, one: Descriptor, maker: LoggedOperation | None, table: Mapping[int, Socket], names: CodeNames
) -> FdRow:
    end = table.get(_inode(one.target)) if one.is_socket else None
    kind = _kind(pid, one, end)
    return FdRow(
        pid=pid,
        fd=one.number,
        kind=kind,
        description=_description(pid, one, kind, end),
        origin="start-up" if maker is not None else "runtime",
        carried=_carried(kind, is_made=maker is not None and bool(maker.returns)),
        created_by=names.stack(maker.returns) if maker is not None else (),
    )


def _carried(kind: str, *, is_made: bool) -> str:
    if kind in NOT_CARRIED:
        return f"not carried: {NOT_CARRIED[kind]}"
    return _CARRIED.get(kind) or (GIVEN if is_made else PASSED_ON)


def _inode(target: str) -> int:
    return int(target.partition("[")[2].rstrip("]") or 0)


def kind_of_target(target: str) -> str:
    """What an anonymous descriptor is by its link: `io_uring`; "" for files, sockets and pipes."""
    found = _ANONYMOUS.fullmatch(target)
    return found[1] if found else ""


def _kind(pid: int, one: Descriptor, end: Socket | None) -> str:
    if one.is_socket:
        return "listener" if end is not None and end.is_listening else "socket"
    if _PIDFD.match(one.target):
        return "pidfd"
    anonymous = _ANONYMOUS.match(one.target)
    if anonymous:
        return "epoll" if anonymous[1] == "eventpoll" else anonymous[1]
    if one.target.startswith("/memfd:"):
        return "memfd"
    return "pipe" if one.target.startswith("pipe:") else _file_kind(pid, one.number)


def _file_kind(pid: int, number: int) -> str:
    try:
        mode = Path(f"/proc/{pid}/fd/{number}").stat().st_mode
    except OSError:
        return "file"
    kinds = {stat.S_IFDIR: "directory", stat.S_IFCHR: "device", stat.S_IFBLK: "device", stat.S_IFIFO: "pipe"}
    return kinds.get(stat.S_IFMT(mode), "file")


def _description(pid: int, one: Descriptor, kind: str, end: Socket | None) -> str:
    if end is not None:
        return _ends(end)
    if kind == "pipe":
        return f"{'read' if one.flags & os.O_ACCMODE == os.O_RDONLY else 'write'} end of {one.target}"
    if kind == "epoll":
        return _watched(pid, one)
    return one.target


# The local address first, the client's behind it.
def _ends(end: Socket) -> str:
    local = end.local or "unnamed"
    return f"{end.protocol} {local} - {end.remote}" if end.remote else f"{end.protocol} {local}"


def _watched(pid: int, one: Descriptor) -> str:
    try:
        numbers = [str(watch.fd) for watch in watches(pid, one.number)]
    except TargetError:
        return one.target  # closed just now
    if len(numbers) > _MAX_SHOWN:
        return f"watches {len(numbers)} descriptors"
    return f"watches {', '.join(numbers)}" if numbers else "watches nothing"
