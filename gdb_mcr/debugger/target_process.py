"""Whether a process can be attached to, said before anything is tried; and whether it runs again afterwards.

Source: proc_pid_status(5), proc_pid_mem(5), ptrace(2) ("Ptrace access mode checking").
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from gdb_mcr.errors import AlreadyTraced, TargetError

_LOOK_AGAIN_S = 0.0005
_SETTLED_S = 2.0


def check_attachable(pid: int) -> None:
    """Nothing, if a debugger may attach to the process ``pid``.

    :raises AlreadyTraced: it has another tracer.
    :raises TargetError: it does not exist, has ended, is a thread's id, or may not be debugged by this user.
    """
    status = _status(pid)
    if status is None:
        raise TargetError(f"there is no process {pid}", hint="ask which servers run with `mcr status`")
    if int(status["Tgid"]) != pid:
        raise TargetError(f"{pid} is a thread of process {status['Tgid']}", hint=f"use {status['Tgid']}")
    if status["State"].startswith(("Z", "X")):
        raise TargetError(f"process {pid} ({status['Name']}) has ended", hint="its parent has not waited for it yet")
    tracer = int(status["TracerPid"])
    if tracer:
        raise _already_traced(pid, tracer)
    _check_permission(pid, status)


def is_alive(pid: int) -> bool:
    """Whether the process has threads that can run: it exists and is no zombie."""
    return any(state not in "ZX" for state in task_states(pid).values())


def task_states(pid: int) -> dict[int, str]:
    """Thread id → state letter (R, S, D, T stopped, t traced, Z, X) for each thread; empty if there is no process."""
    states: dict[int, str] = {}
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError, IndexError):
                states[int(task.name)] = (task / "stat").read_text().rpartition(")")[2].split()[0]
    return states


def is_group_stopped(pid: int) -> bool:
    """Whether a job-control signal (SIGSTOP, Ctrl-Z) holds the process."""
    return "T" in task_states(pid).values()


def ensure_running(pid: int, *, was_stopped: bool = False) -> None:
    """After a detach: every thread runs or waits by itself. A SIGSTOP that an attach left behind is undone.

    :param was_stopped: it was stopped before we came, so that is how we leave it.
    :raises TargetError: a thread still stands in a tracer's stop after 2 s. A process that is gone is no error.
    """
    end = time.monotonic() + _SETTLED_S
    continued = False
    while held := {tid: state for tid, state in task_states(pid).items() if state in "Tt"}:
        if was_stopped and set(held.values()) == {"T"}:
            return
        if "t" not in held.values() and not continued:
            continued = True
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        if time.monotonic() > end:
            hint = f"look at it with `grep -H State /proc/{pid}/task/*/status`; `kill -CONT {pid}` may help"
            raise TargetError(f"threads {sorted(held)} of process {pid} stay stopped after the detach", hint=hint)
        time.sleep(_LOOK_AGAIN_S)


def _status(pid: int) -> dict[str, str] | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _already_traced(pid: int, tracer: int) -> AlreadyTraced:
    status = _status(tracer)
    name = status["Name"] if status else "a process of another namespace"
    hint = f"detach there first (in GDB: `detach`); a process has one tracer at a time, and {pid} has {name}"
    return AlreadyTraced(pid, f"{name} (process {tracer})", hint=hint)


# Opening its memory needs the same right as attaching (PTRACE_MODE_ATTACH_FSCREDS), and touches nothing.
def _check_permission(pid: int, status: dict[str, str]) -> None:
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        hint = "run as root or as the server's user, and see /proc/sys/kernel/yama/ptrace_scope"
        owner = f"process {pid} ({status['Name']}, user {status['Uid'].split()[0]})"
        raise TargetError(f"user {os.geteuid()} may not debug {owner}: {error.strerror}", hint=hint) from error
