"""Which unix socket is connected to which. Source: sock_diag(7), "Unix domain sockets"."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_ALL, _SHOW_PEER, _NO_COOKIE = 0xFFFFFFFF, 4, 0xFFFFFFFF
_PEER = 2  # UNIX_DIAG_PEER
_HEADER, _REQUEST, _MESSAGE, _ATTRIBUTE = (struct.Struct(one) for one in ("<IHHII", "<BBHIIIII", "<BBBBIII", "<HHI"))


def unix_peers() -> dict[int, int]:
    """Inode → inode of the other end, of all connected unix sockets of our own network namespace.

    Empty where the kernel does not tell.
    """
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as link:
            body = _REQUEST.pack(socket.AF_UNIX, 0, 0, _ALL, 0, _SHOW_PEER, _NO_COOKIE, _NO_COOKIE)
            link.send(_HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _DUMP, 1, 0) + body)
            return dict(_answers(link))
    except OSError:
        return {}


def _answers(link: socket.socket) -> Iterator[tuple[int, int]]:
    while True:
        data, at = link.recv(1 << 16), 0
        while at + _HEADER.size <= len(data):
            length, kind, *_ = _HEADER.unpack_from(data, at)
            if kind != _SOCK_DIAG_BY_FAMILY:  # the end, or an error
                return
            yield from parse_message(data[at + _HEADER.size : at + length])
            at += (length + 3) & ~3


def parse_message(message: bytes) -> Iterator[tuple[int, int]]:
    """(inode, inode of the peer) of a struct unix_diag_msg and its attributes; nothing if there is no peer."""
    *_, inode, _, _ = _MESSAGE.unpack_from(message)
    at = _MESSAGE.size
    while at + _ATTRIBUTE.size <= len(message):
        length, kind, value = _ATTRIBUTE.unpack_from(message, at)
        if kind == _PEER:
            yield inode, value
        at += max((length + 3) & ~3, 4)
