"""What the kernel keeps of O as a process beside its open files: what N gets of it, and what cannot be carried.

Source: DESIGN section 12; proc(5), execve(2).
"""

from __future__ import annotations

import os
import resource
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from gdb_mcr.model.annotation import InputRule
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.startup_log import LaunchFacts, StartupInput, StartupLog
from gdb_mcr.proc.descriptors import targets
from gdb_mcr.proc.status import status
from gdb_mcr.runtime_abi.channel import Channel, RemoteCall
from gdb_mcr.update.fd_rows import NOT_CARRIED, kind_of_target
from gdb_mcr.update.recorded import RecordedProcess
from gdb_mcr.update.start_state import input_state

_SYS_CHDIR, _SYS_UMASK = 80, 95

_LIMITS = tuple(
    getattr(resource, name)
    for name in ("RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_STACK", "RLIMIT_AS", "RLIMIT_MEMLOCK")
)


def carry_process_state(old_pid: int, new_pid: int, channel: Channel) -> None:
    """Gives N O's working directory, file mode mask and resource limits as they are now.

    :raises NewProcessEnded: N is gone.
    """
    calls = [RemoteCall(_SYS_UMASK, (status(old_pid).umask,))]
    here, there = (Path(f"/proc/{pid}/cwd").readlink() for pid in (old_pid, new_pid))
    if here != there:
        calls.append(RemoteCall(_SYS_CHDIR, (os.fsencode(here) + b"\0",)))
    channel.syscalls(calls)
    for limit in _LIMITS:
        wanted = resource.prlimit(old_pid, limit)
        if resource.prlimit(new_pid, limit) != wanted:
            resource.prlimit(new_pid, limit, wanted)


def launch_facts(server: RecordedProcess) -> LaunchFacts:
    """How N is to be started: as O was, but with room for the descriptors that O has and N gets before its start-up.

    A server may have raised its own RLIMIT_NOFILE since; N's start-up does so again, but opens files before.
    """
    facts = server.facts
    soft, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    limits = list(facts.rlimits)
    soft_then, hard_then = limits[resource.RLIMIT_NOFILE]
    limits[resource.RLIMIT_NOFILE] = (max(soft, soft_then), max(hard, hard_then))
    return replace(facts, rlimits=tuple(limits))


def kernel_findings(pid: int, members: Collection[int] = ()) -> list[Finding]:
    """R9: what O has in the kernel that N cannot have.

    :param members: processes that are updated together with this one.
    """
    return [*_descriptors(pid), *_timers(pid), *_children(pid, members)]


def input_findings(log: StartupLog, rules: Sequence[InputRule]) -> list[Finding]:
    """R12: files that O's start-up read and that have changed since: N's start-up reads something else.

    :param rules: what the user says of them.
    """
    changed = [one for one in log.inputs if one.path.startswith("/") and _has_changed(one)]
    return [_input_finding(one) for one in changed if input_state(one, rules) is None]


def _descriptors(pid: int) -> Iterator[Finding]:
    for number, target in sorted(targets(pid).items()):
        kind = kind_of_target(target)
        if kind in NOT_CARRIED:
            text = f"descriptor {number} of the server is an {kind}: {NOT_CARRIED[kind]}"
            yield Finding(f"R9:descriptor {number}", "R9", True, text, "", "close it before the update")


def _timers(pid: int) -> Iterator[Finding]:
    try:
        count = Path(f"/proc/{pid}/timers").read_text().count("ID: ")
    except OSError:
        return
    if count:
        text = f"the server has {count} timers made by timer_create(2), which cannot be carried over"
        yield Finding("R9:timers", "R9", True, text, "", "")


def _children(pid: int, members: Collection[int]) -> Iterator[Finding]:
    found = [one for task in Path(f"/proc/{pid}/task").iterdir() for one in _read(task / "children").split()]
    children = [one for one in found if int(one) not in members]
    if children:
        text = f"the server has child processes ({', '.join(children[:5])}), which would lose their parent"
        yield Finding("R9:children", "R9", True, text, "", "wait until they have ended")


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


def _has_changed(one: StartupInput) -> bool:
    try:
        facts = Path(one.path).stat()
    except OSError:
        return True
    return (facts.st_size, facts.st_mtime_ns) != (one.size, one.mtime_ns) and not one.path.startswith(("/proc", "/sys"))


def _input_finding(one: StartupInput) -> Finding:
    text = f"{one.path}, which the server read when it started, has changed since; the new build has read it anew"
    settling = f'input "{one.path}" absent; (the server writes it itself) or input "{one.path}" new;'
    return Finding(f"R12:{one.path}", "R12", False, text, "", settling)
