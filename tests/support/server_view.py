"""What can be seen of a server from outside, without a debugger: its sockets, descriptors and threads, from /proc.

Source: proc(5): /proc/net/tcp, /proc/PID/fd, /proc/PID/maps, /proc/PID/task/TID/syscall.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gdb_mcr.units import Range

_ESTABLISHED = 0x01
_LISTEN = 0x0A
_STACK_LIMIT = 1 << 20


class ViewError(Exception):
    """The server cannot be seen as asked: no such listener, several owners, no such thread."""


@dataclass(frozen=True, slots=True)
class TcpSocket:
    """One row of /proc/net/tcp: an end of a connection, or a listener."""

    local_port: int
    remote_port: int
    state: int
    unsent: int
    """Bytes written but not acknowledged by the other side."""
    unread: int
    """Bytes received but not read by the owner (a listener: connections not accepted)."""
    inode: int
    """0 when no descriptor refers to the socket any more."""


def parse_tcp_table(text: str) -> Iterator[TcpSocket]:
    """The rows of a /proc/net/tcp or tcp6 table."""
    for line in text.splitlines()[1:]:
        words = line.split()
        unsent, unread = (int(part, 16) for part in words[4].split(":"))
        local, remote = (int(word.rpartition(":")[2], 16) for word in words[1:3])
        yield TcpSocket(local, remote, int(words[3], 16), unsent, unread, int(words[9]))


def tcp_sockets() -> list[TcpSocket]:
    """All TCP sockets of this network namespace."""
    tables = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
    return [row for table in tables if table.exists() for row in parse_tcp_table(table.read_text())]


def server_sides(port: int) -> dict[int, TcpSocket]:
    """The server's ends of the connections to ``port``, by the client's port."""
    return {s.remote_port: s for s in tcp_sockets() if s.local_port == port and s.state == _ESTABLISHED}


def send_buffer_limit() -> int:
    """Bytes that a TCP socket's send buffer may grow to by itself: what a server can write unread. tcp(7)."""
    return int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2])


def server_fds(pid: int) -> dict[int, str]:
    """What each descriptor of a process refers to, as its link says (`socket:[1234]`, `/dev/null`).

    :raises ViewError: there is no such process, or it may not be looked into.
    """
    try:
        return dict(_links(Path(f"/proc/{pid}/fd")))
    except OSError as error:
        raise ViewError(f"cannot list the descriptors of process {pid}: {error}") from error


def listener_owners(port: int) -> list[int]:
    """The pids that hold a descriptor of a socket listening on ``port``, in ascending order."""
    wanted = {f"socket:[{s.inode}]" for s in tcp_sockets() if s.local_port == port and s.state == _LISTEN}
    return sorted(pid for pid in _pids() if wanted.intersection(_fd_targets(pid)))


def listener_owner(port: int) -> int:
    """The one pid that listens on ``port``.

    :raises ViewError: none does, or several do.
    """
    owners = listener_owners(port)
    if len(owners) != 1:
        raise ViewError(f"{len(owners)} processes listen on port {port}: {owners}")
    return owners[0]


def server_side_inodes(pid: int, client_sockets: Iterable[socket.socket]) -> dict[int, int]:
    """Client port → inode of the server's end, for those connections of which ``pid`` holds the server's end.

    A connection that is closed, or whose server's end another process holds alone, is left out.
    """
    held = set(_fd_targets(pid))
    sides: dict[int, dict[int, TcpSocket]] = {}
    found: dict[int, int] = {}
    for client in client_sockets:
        client_port, port = client.getsockname()[1], client.getpeername()[1]
        if port not in sides:
            sides[port] = server_sides(port)
        side = sides[port].get(client_port)
        if side is not None and f"socket:[{side.inode}]" in held:
            found[client_port] = side.inode
    return found


def thread_ids(pid: int) -> list[int]:
    """The ids of a process's threads."""
    try:
        return sorted(int(task.name) for task in Path(f"/proc/{pid}/task").iterdir())
    except OSError as error:
        raise ViewError(f"cannot list the threads of process {pid}: {error}") from error


@dataclass(frozen=True, slots=True)
class ThreadPlace:
    """Where a thread waits: stack pointer and program counter, both at its system call."""

    tid: int
    sp: int
    pc: int


def parse_syscall(tid: int, text: str) -> ThreadPlace | None:
    """A line of /proc/PID/task/TID/syscall; None while the thread runs."""
    words = text.split()
    if len(words) < 3:
        return None
    return ThreadPlace(tid, int(words[-2], 16), int(words[-1], 16))


def thread_places(pid: int, timeout: float = 2.0) -> list[ThreadPlace]:
    """Where every thread of a process waits; a running thread is looked at again until it waits.

    :raises ViewError: a thread was never seen waiting within ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    places: dict[int, ThreadPlace] = {}
    while missing := [tid for tid in thread_ids(pid) if tid not in places]:
        for tid in missing:
            with suppress(FileNotFoundError, ProcessLookupError):
                place = parse_syscall(tid, Path(f"/proc/{pid}/task/{tid}/syscall").read_text())
                if place is not None:
                    places[tid] = place
        if time.monotonic() > deadline:
            raise ViewError(f"threads {missing} of process {pid} were never seen waiting in {timeout} s")
        time.sleep(0.001)
    return list(places.values())


def threads_in_range(pid: int, code: Range) -> dict[int, list[int]]:
    """The threads that are in ``code`` or will return into it: tid → the words that say so.

    Those words are the program counter and every aligned word of the live stack that lies in ``code``. A server's
    thread waits in libc, so the program counter alone would never tell. A stale word in a live frame counts too: an
    empty answer is proof, a non-empty one is a reason to look.

    :raises ViewError: see `thread_places`.
    """
    found: dict[int, list[int]] = {}
    stacks = _writable_ranges(pid)
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for place in thread_places(pid):
            stack = next((area for area in stacks if place.sp in area), None)
            words = [place.pc]
            if stack is not None:
                memory.seek(place.sp)
                words += _words(memory.read(min(stack.end - place.sp, _STACK_LIMIT)))
            if hits := [word for word in words if word in code]:
                found[place.tid] = hits
    return found


def mapped_ranges(pid: int, name: str, permissions: str = "") -> list[Range]:
    """The mappings whose path ends in ``name`` and whose permissions contain ``permissions`` ("x", "w"…).

    A mapping of no file has an empty path.
    """
    found: list[Range] = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        words = line.split(maxsplit=5)
        path = words[5] if len(words) > 5 else ""
        if path.endswith(name) and permissions in words[1]:
            found.append(_range(words[0]))
    return found


def _range(text: str) -> Range:
    start, _, end = text.partition("-")
    return Range(int(start, 16), int(end, 16))


def _writable_ranges(pid: int) -> list[Range]:
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return [_range(line.split()[0]) for line in lines if line.split()[1].startswith("rw")]


def _words(data: bytes) -> tuple[int, ...]:
    count = len(data) // 8
    return struct.unpack(f"<{count}Q", data[: count * 8])


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


# Processes come and go while we look, so one that is gone has no descriptors.
def _fd_targets(pid: int) -> list[str]:
    with suppress(OSError):
        return [target for _, target in _links(Path(f"/proc/{pid}/fd"))]
    return []


def _links(folder: Path) -> Iterator[tuple[int, str]]:
    for entry in folder.iterdir():
        with suppress(FileNotFoundError):
            yield int(entry.name), str(entry.readlink())
