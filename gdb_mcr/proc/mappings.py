"""/proc/PID/maps. Source: proc(5)."""

from __future__ import annotations

import os
from collections.abc import Iterator

from gdb_mcr.model.process import Mapping
from gdb_mcr.proc.files import read_text
from gdb_mcr.units import Range


def mappings(pid: int) -> tuple[Mapping, ...]:
    """The process's mappings, by address.

    :raises TargetError: there is no such process, or it may not be looked at.
    """
    return tuple(parse_mappings(read_text(pid, "maps")))


def parse_mappings(text: str) -> Iterator[Mapping]:
    """One value a line. A newline in a path stands there as ``\\012``."""
    for line in text.split("\n"):
        if line:
            yield _parse_line(line)


def _parse_line(line: str) -> Mapping:
    addresses, permissions, offset, device, inode, *path = line.split(maxsplit=5)
    start, _, end = addresses.partition("-")
    major, _, minor = device.partition(":")
    return Mapping(
        range=Range(int(start, 16), int(end, 16)),
        readable=permissions[0] == "r",
        writable=permissions[1] == "w",
        executable=permissions[2] == "x",
        private=permissions[3] == "p",
        offset=int(offset, 16),
        device=os.makedev(int(major, 16), int(minor, 16)),
        inode=int(inode),
        path=path[0].replace("\\012", "\n") if path else "",
    )
