"""Starts N through `mcr_launch`, N's first tracer (native/launch/).

N may have to be served on its channel before it comes to its entry, so a launch is started and waited for in two steps:
`Launch.fileno()` becomes readable when there is an answer.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from types import TracebackType
from typing import IO, NoReturn

from gdb_mcr.errors import McrError, TargetError, UpdateFailed, UsageError
from gdb_mcr.model.launch import Launched, LaunchPlan
from gdb_mcr.paths import native_library
from gdb_mcr.runtime_abi.launch_plan import launch_plan

NONE = -1
"""No settings or no channel."""

TRIES = 8
"""Starts until the kernel's random choices leave O's ranges free."""

_LONGEST_ANSWER = 4096
_GRACE_S = 1.0  # by which mcr_launch is given up later than it should give up itself

_HINTS: dict[str, tuple[type[McrError], str]] = {
    "exec": (UsageError, "name an executable ELF file that the server's user may execute"),
    "permission": (TargetError, "run gdb_mcr as root or as the user that started the server"),
    "clash": (UpdateFailed, "build the new version as a position-independent program (-pie), keep ASLR on, try again"),
    "exited": (UpdateFailed, "start the new version by hand with the same arguments and see what it says"),
    "signal": (UpdateFailed, "start the new version by hand with the same arguments and see where it fails"),
    "timeout": (UpdateFailed, "the machine may be overloaded: allow more time with --timeout"),
    "plan": (UpdateFailed, "gdb_mcr's parts do not fit each other: run make -C native, or install it again"),
    "trace": (UpdateFailed, "see whether the system forbids ptrace (seccomp, Yama)"),
}


class Launch:
    """A start of N under way. A context manager: what has not ended well at its end is ended, N included."""

    def __init__(self, executable: str, process: subprocess.Popen[bytes], deadline: float) -> None:
        self._executable = executable
        self._process = process
        self._deadline = deadline
        self._is_watching = process.stdin is not None
        self._has_answered = False
        self._end = ""

    def __enter__(self) -> Launch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def fileno(self) -> int:
        """A descriptor that is readable once `wait` will not block."""
        return self._stdout.fileno()

    def wait(self, timeout_s: float | None = None) -> Launched:
        """N at its entry, running.

        :param timeout_s: seconds; None = as given to `start`.
        :raises UpdateFailed: N ended, or time is over; nothing of N is left.
        :raises UsageError: the executable cannot be executed.
        :raises TargetError: the launcher may not give N what O had.
        """
        left = self._deadline - time.monotonic()
        is_ready = self._is_readable(left if timeout_s is None else timeout_s)
        answer = (
            os.read(self.fileno(), _LONGEST_ANSWER).decode(errors="replace") if is_ready else "error timeout no answer"
        )
        word, *rest = answer.partition("\n")[0].strip().split(" ", 2)
        if word == "ok":
            self._has_answered = True
            self._end = answer.partition("\n")[2]
            if not self._is_watching:
                self.close()
            return Launched(int(rest[0]), int(rest[1]))
        self.close()
        self._fail(rest)

    def ending(self, timeout_s: float) -> str:
        """How N ended behind its entry, such as "exit status 1"; "" if it runs, or is not watched.

        :param timeout_s: seconds in which it must end.
        """
        if not self._is_watching or self._stdout.closed:
            return ""
        if not self._end and self._is_readable(timeout_s):
            self._end = os.read(self.fileno(), _LONGEST_ANSWER).decode()
        return describe_end(self._end)

    def close(self) -> None:
        """Ends the launcher if it still runs, and N with it unless `wait` has answered."""
        if self._process.poll() is None and not self._has_answered:
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()  # it waits for this
        self._process.wait()
        self._stdout.close()

    # Not by select(2), which knows no number above 1023: copies of all that O has open may stand before ours.
    def _is_readable(self, timeout_s: float) -> bool:
        poller = select.poll()
        poller.register(self, select.POLLIN)
        return bool(poller.poll(max(0.0, timeout_s) * 1000))

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _fail(self, answer: list[str]) -> NoReturn:
        status = self._process.returncode
        if len(answer) != 2:
            cause = signal_name(-status) if status < 0 else f"exit status {status}"
            raise UpdateFailed(
                f"mcr_launch ended without an answer: {cause}", hint="this is a bug of gdb_mcr: report it"
            )
        kind, text = answer
        error, hint = _HINTS[kind]
        raise error(f"{self._executable} could not be started as the new process: {text}", hint=hint)


def describe_end(line: str) -> str:
    """The launcher's second line in words: "exit 1" is "exit status 1", "signal 11" is "SIGSEGV"."""
    kind, _, number = line.strip().partition(" ")
    match kind:
        case "exit":
            return f"exit status {number}"
        case "signal":
            return signal_name(int(number))
        case _:
            return ""


def signal_name(number: int) -> str:
    """Its name; a number for a realtime signal, which has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def start(plan: LaunchPlan, settings_fd: int, channel_fd: int, timeout_s: float, *, is_watched: bool = False) -> Launch:
    """Begins to start N. The caller keeps its descriptors; N has its own copies when `Launch.wait` returns.

    :param settings_fd: N's settings memfd, `NONE` for none; `channel_fd`: N's end of the channel, `NONE` for none.
    :param timeout_s: seconds until N must have come to its entry.
    :param is_watched: the launcher stays N's parent until `Launch.close`, so that `Launch.ending` tells how N ended.
        Not for an N that is to stay: its parent's end may reach it as a signal. Source: PR_SET_PDEATHSIG of prctl(2).
    :raises UsageError: the plan cannot be carried out as it is.
    :raises InstallationError: `mcr_launch` was not built.
    """
    launcher = native_library("mcr_launch")
    plan_fd = launch_plan(plan, settings_fd, channel_fd, TRIES, round(timeout_s * 1000))
    try:
        process = subprocess.Popen(
            [launcher, str(plan_fd)],
            stdin=subprocess.PIPE if is_watched else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[one for one in (plan_fd, settings_fd, channel_fd) if one != NONE],
        )
    except OSError as error:
        raise UpdateFailed(f"cannot run {launcher}: {error.strerror}") from error
    finally:
        os.close(plan_fd)
    return Launch(str(plan.executable), process, time.monotonic() + timeout_s + _GRACE_S)


def launch(plan: LaunchPlan, settings_fd: int = NONE, channel_fd: int = NONE, timeout_s: float = 10.0) -> Launched:
    """`start` and `Launch.wait` at once, for an N that needs nobody to serve its channel before its entry."""
    with start(plan, settings_fd, channel_fd, timeout_s) as under_way:
        return under_way.wait()
