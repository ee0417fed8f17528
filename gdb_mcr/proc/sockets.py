"""The sockets of a process's network namespace. Source: proc(5), "/proc/pid/net"."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

from gdb_mcr.errors import TargetError
from gdb_mcr.model.process import Socket
from gdb_mcr.proc.files import read_text

_LISTEN = "0A"  # TCP_LISTEN
_ACCEPTS = 0x10000  # __SO_ACCEPTCON in the flags of a unix socket
_INET_FILES = ("tcp", "tcp6", "udp", "udp6")


def sockets(pid: int) -> dict[int, Socket]:
    """All TCP, UDP and unix sockets that the process's network namespace has, by inode.

    :raises TargetError: there is no such process.
    """
    found = [one for name in _INET_FILES for one in parse_inet(_table(pid, name), name[:3])]
    found += parse_unix(_table(pid, "unix"))
    return {one.inode: one for one in found}


def parse_inet(text: str, protocol: str) -> Iterator[Socket]:
    """The rows of /proc/net/tcp, tcp6, udp or udp6. A socket that no process holds has inode 0 and is left out."""
    for line in text.splitlines()[1:]:
        words = line.split()
        inode = int(words[9])
        if inode:
            remote = words[2] if words[2].rpartition(":")[2] != "0000" else ""
            yield Socket(inode, protocol, _inet(words[1]), _inet(remote), protocol == "tcp" and words[3] == _LISTEN)


def parse_unix(text: str) -> Iterator[Socket]:
    """The rows of /proc/net/unix."""
    for line in text.splitlines()[1:]:
        words = line.split(maxsplit=7)
        path = words[7] if len(words) > 7 else ""
        yield Socket(int(words[6]), "unix", path, "", bool(int(words[3], 16) & _ACCEPTS))


# A kernel without IPv6 has no tcp6.
def _table(pid: int, name: str) -> str:
    try:
        return read_text(pid, "net", name)
    except TargetError:
        if name in ("tcp6", "udp6"):
            return ""
        raise


# Four-byte words in the byte order of the machine, in hexadecimal.
def _inet(text: str) -> str:
    if not text:
        return ""
    address, _, port = text.rpartition(":")
    packed = b"".join(struct.pack("<I", int(address[i : i + 8], 16)) for i in range(0, len(address), 8))
    if len(packed) == 4:
        return f"{socket.inet_ntop(socket.AF_INET, packed)}:{int(port, 16)}"
    return f"[{socket.inet_ntop(socket.AF_INET6, packed)}]:{int(port, 16)}"
