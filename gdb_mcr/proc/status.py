"""The process as a whole: /proc/PID/status, stat, exe. Source: proc(5)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from gdb_mcr.errors import TargetError
from gdb_mcr.model.process import ProcessStatus, SignalSets
from gdb_mcr.proc.files import PROC, read_link, read_text
from gdb_mcr.proc.tasks import split_stat

_FLAGS, _START_TIME = 9, 22  # field numbers in stat
_PF_EXITING = 4
_FIRST_AFTER_NAME = 3
_DEAD = ("Z", "X")


def status(pid: int) -> ProcessStatus:
    """:raises TargetError: there is no such process."""
    return parse_status(read_text(pid, "status"))


def parse_status(text: str) -> ProcessStatus:
    """The value of the file's text. A field that the kernel leaves out counts as 0."""
    fields = dict(line.split(":\t", 1) for line in text.split("\n") if ":\t" in line)
    return ProcessStatus(
        name=fields["Name"],
        state=fields["State"][0],
        parent=int(fields["PPid"]),
        tracer=int(fields["TracerPid"]),
        uids=_four(fields["Uid"]),
        gids=_four(fields["Gid"]),
        umask=int(fields.get("Umask", "0"), 8),
        threads=int(fields["Threads"]),
        signals=SignalSets(
            pending=_set(fields, "ShdPnd"),
            blocked=_set(fields, "SigBlk"),
            ignored=_set(fields, "SigIgn"),
            caught=_set(fields, "SigCgt"),
        ),
        seccomp=int(fields.get("Seccomp", "0")),
    )


def executable(pid: int) -> Path:
    """The file that the process executes; ends in " (deleted)" if it has no name any more.

    :raises TargetError: there is no such process, or it may not be looked at.
    """
    return Path(read_link(pid, "exe"))


def title(pid: int) -> str:
    """The process's command line as it is now, which many servers overwrite; "" if it has none.

    :raises TargetError: there is no such process.
    """
    return " ".join(read_text(pid, "cmdline").replace("\0", " ").split())


def start_time(pid: int) -> int:
    """Clock ticks from boot to the process's start: with the pid, its identity.

    :raises TargetError: there is no such process.
    """
    _, rest = split_stat(read_text(pid, "stat"))
    return int(rest[_START_TIME - _FIRST_AFTER_NAME])


def is_alive(pid: int) -> bool:
    """Whether the process runs or could: a zombie is dead."""
    try:
        stat = (PROC / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return split_stat(os.fsdecode(stat))[1][0] not in _DEAD


def is_doomed(pid: int) -> bool:
    """Whether it is dead, or is dying and nothing can keep it alive: SIGKILL waits for it, or it is being taken down.

    A large process takes a while for that: its memory is given back first.
    """
    try:
        return not is_alive(pid) or tells_end(read_text(pid, "stat"), read_text(pid, "status"))
    except TargetError:
        return True


def tells_end(stat: str, status_text: str) -> bool:
    """Whether these texts of /proc/PID/stat and status say so. Source: proc(5); PF_EXITING in the kernel's sched.h."""
    fields = dict(line.split(":\t", 1) for line in status_text.split("\n") if ":\t" in line)
    pending = _set(fields, "SigPnd") | _set(fields, "ShdPnd")
    flags = int(split_stat(stat)[1][_FLAGS - _FIRST_AFTER_NAME])
    return bool(pending >> (signal.SIGKILL - 1) & 1 or flags & _PF_EXITING)


def _four(text: str) -> tuple[int, int, int, int]:
    real, effective, saved, file_system = map(int, text.split())
    return real, effective, saved, file_system


def _set(fields: dict[str, str], name: str) -> int:
    return int(fields.get(name, "0"), 16)
