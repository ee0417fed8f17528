"""Reads files under /proc/PID, and turns what can go wrong into errors a user understands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gdb_mcr.errors import TargetError

PROC = Path("/proc")


def read_text(pid: int, *names: str) -> str:
    """The text of /proc/PID/NAMES…; bytes that are no UTF-8 survive `os.fsencode`.

    :raises TargetError: there is no such process, or it may not be looked at.
    """
    with explained(pid):
        return PROC.joinpath(str(pid), *names).read_bytes().decode(errors="surrogateescape")


def read_link(pid: int, *names: str) -> str:
    """The target of the link /proc/PID/NAMES….

    :raises TargetError: there is no such process, or it may not be looked at.
    """
    with explained(pid):
        return str(PROC.joinpath(str(pid), *names).readlink())


def numbers(pid: int, name: str) -> tuple[int, ...]:
    """The entries of the directory /proc/PID/NAME, all of them numbers (``task``, ``fd``), in order.

    :raises TargetError: there is no such process, or it may not be looked at.
    """
    with explained(pid):
        return tuple(sorted(int(entry.name) for entry in (PROC / str(pid) / name).iterdir()))


@contextmanager
def opened(pid: int, name: str) -> Iterator[int]:
    """A descriptor of the directory /proc/PID/NAME: reading many files there is three times as fast through it.

    :raises TargetError: there is no such process, or it may not be looked at.
    """
    with explained(pid):
        directory = os.open(PROC / str(pid) / name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield directory
        finally:
            os.close(directory)


def read_at(directory: int, name: str) -> str:
    """The text of the file ``name`` under an open directory. :raises OSError: as open(2) and read(2)."""
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
    finally:
        os.close(descriptor)
    return b"".join(parts).decode(errors="surrogateescape")


@contextmanager
def explained(pid: int) -> Iterator[None]:
    """Turns an OSError about the process ``pid`` into a `TargetError`."""
    try:
        yield
    except (FileNotFoundError, ProcessLookupError) as error:
        raise TargetError(
            f"process {pid} does not exist, or has just ended", hint="see whether the server runs, and under which pid"
        ) from error
    except PermissionError as error:
        raise TargetError(
            f"process {pid} may not be looked at: {error.strerror}",
            hint="run gdb_mcr as root or as the user that the server runs as",
        ) from error
