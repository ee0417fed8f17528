"""Reads files under /proc/PID, and turns what can go wrong into errors a user understands."""

from __future__ import annotations

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
