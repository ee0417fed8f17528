"""What is known of a new process that did not come through its start-up, in one sentence for the user.

Only a rehearsal is listened to: it is thrown away, so what it writes is nobody's and must not stand in the server's
own log, and its launcher stays its parent. The real N writes where O does; what is wrong with its start-up has mostly
shown in the rehearsal.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from gdb_mcr.errors import McrError, TargetError, UpdateFailed
from gdb_mcr.reinit.launcher import Launch
from gdb_mcr.runtime_abi.channel import NewProcessEnded, NewProcessSilent

TAIL_LINES = 3
TAIL_BYTES = 600

_END_S = 1.0  # in which a process whose channel is closed becomes a zombie


class StartUpOutput:
    """A file that takes the place of N's standard output and error. A context manager."""

    def __init__(self) -> None:
        self._file = os.memfd_create("mcr-output", os.MFD_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def fileno(self) -> int:
        """Its descriptor."""
        return self._file

    def tail(self) -> str:
        """The end of what was written."""
        size = os.fstat(self._file).st_size
        return last_lines(os.pread(self._file, TAIL_BYTES, max(0, size - TAIL_BYTES)))


def last_lines(output: bytes) -> str:
    """The last lines of an output in one line, control characters replaced."""
    lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
    text = " / ".join(line.strip() for line in lines[-TAIL_LINES:])
    return "".join(one if one.isprintable() else "?" for one in text)


def explain(error: McrError, launch: Launch, output: StartUpOutput, timeout_s: float) -> McrError:
    """A better error for a start-up that failed with this one, if more is known."""
    said = f'; it said "{tail}"' if (tail := output.tail()) else ""
    if isinstance(error, NewProcessSilent):
        return UpdateFailed(
            f"the new server did not become ready within {timeout_s:g} s{said}",
            hint="start it by hand with the same arguments and see what it waits for, or allow more with --timeout",
        )
    # It may have ended while we looked into its memory.
    if not isinstance(error, NewProcessEnded | TargetError):
        return error
    ending = launch.ending(_END_S)
    if not ending:
        return error
    return UpdateFailed(
        f"the new server ended in its start-up with {ending}{said}",
        hint="start it by hand with the same arguments; --args gives it others than the old server has",
    )
