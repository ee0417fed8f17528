"""Whether a process can be attached to, said before anything is tried; and whether it runs again afterwards.

Source: proc_pid_status(5), proc_pid_mem(5), ptrace(2) ("Ptrace access mode checking").
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

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


def check_not_stopped(pid: int) -> None:
    """:raises TargetError: a job-control signal holds the process."""
    if is_group_stopped(pid):
        raise TargetError(
            f"process {pid} is stopped by a signal, so that its threads cannot come to rest",
            hint=f"let it run on with `kill -CONT {pid}`",
        )


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

    A thread that has just been woken may be on its way into a stop, so each is waited for until it has run.

    :param was_stopped: it was stopped before we came, so that is how we leave it.
    :raises TargetError: a thread still stands in a stop after 2 s. A process that is gone is no error.
    """
    end = time.monotonic() + _SETTLED_S
    before, continued = _looks(pid), False
    while (looks := _looks(pid)) and not _is_settled(looks, before, was_stopped):
        held = {tid: look.state for tid, look in looks.items() if look.state in "Tt"}
        if time.monotonic() > end:
            _complain(pid, held, was_stopped)
            return
        if not was_stopped and not continued and set(held.values()) == {"T"}:
            continued = True
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        time.sleep(_LOOK_AGAIN_S)


class _Look(NamedTuple):
    state: str
    turns: int
    """How often it was given a processor. Source: Documentation/scheduler/sched-stats.rst."""


def _looks(pid: int) -> dict[int, _Look]:
    looks = {}
    for tid, state in task_states(pid).items():
        looks[tid] = _Look(state, _turns(pid, tid))
    return looks


# A kernel without the file (or a thread that has just ended) counts as having run.
def _turns(pid: int, tid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/task/{tid}/schedstat").read_text().split()[2])
    except OSError:
        return time.monotonic_ns()


def _is_settled(looks: dict[int, _Look], before: dict[int, _Look], was_stopped: bool) -> bool:
    states = {look.state for look in looks.values()}
    if was_stopped:
        return states == {"T"}
    waking = [tid for tid, look in looks.items() if look.state == "R" and look == before.get(tid)]
    return not states & {"T", "t"} and not waking


def _complain(pid: int, held: dict[int, str], was_stopped: bool) -> None:
    if "t" in held.values() or (held and not was_stopped):
        hint = f"look at it with `grep -H State /proc/{pid}/task/*/status`; `kill -CONT {pid}` may help"
        raise TargetError(f"threads {sorted(held)} of process {pid} stay stopped after the detach", hint=hint)


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
