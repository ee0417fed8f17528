"""A process that runs under libmcr: found by its pid, read without stopping it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gdb_mcr.dwarf.symbols import symbol_address
from gdb_mcr.engine.direct_memory import DirectMemory
from gdb_mcr.errors import McrError, TargetError
from gdb_mcr.model.process import Mapping
from gdb_mcr.model.startup_log import LaunchFacts, StartupLog
from gdb_mcr.proc.mappings import mappings
from gdb_mcr.proc.status import is_alive, status
from gdb_mcr.runtime_abi.control import SYMBOL, Control, describe_error, read_control
from gdb_mcr.runtime_abi.layout import State
from gdb_mcr.runtime_abi.tables import read_facts, read_startup_log
from gdb_mcr.units import WORD

LIBRARY = "libmcr.so"
NOT_RECORDED = "start the server with `mcr run -- SERVER ARGS…`; then it can be updated"


@dataclass(frozen=True)
class RecordedProcess:
    """Where libmcr's control block of a process stands. Everything else is read when asked for."""

    pid: int
    control_address: int
    library: Path
    """The libmcr.so that it runs under."""

    @property
    def memory(self) -> DirectMemory:
        """Its memory, for what is small; bulk goes through a child GDB."""
        return DirectMemory(self.pid)

    def control(self) -> Control:
        """The control block as it is now."""
        return read_control(self.memory, self.control_address)

    @cached_property
    def facts(self) -> LaunchFacts:
        """How it was started."""
        return read_facts(self.memory, self.control())

    def log(self) -> StartupLog:
        """Its start-up log as it is now."""
        return read_startup_log(self.memory, self.control())

    @property
    def executable(self) -> Path:
        """Its program, readable even if the file has been replaced or removed."""
        return Path(f"/proc/{self.pid}/exe")


def find_recorded(pid: int) -> RecordedProcess:
    """The process `pid` under libmcr.

    :raises TargetError: there is no such process, it may not be looked at, or it was not started by `mcr run`.
    """
    library = _library(pid, mappings(_existing(pid)))
    if library is None:
        raise TargetError(f"process {pid} was not started by mcr run", hint=NOT_RECORDED)
    path = Path(library.path.removesuffix(" (deleted)"))
    image = Path(f"/proc/{pid}/map_files/{library.range.start:x}-{library.range.end:x}")
    address = library.range.start + symbol_address(image if library.is_deleted else path, SYMBOL)
    return RecordedProcess(pid, address, path)


def require_updatable(server: RecordedProcess) -> Control:
    """The control block of a server that can be updated now.

    :raises TargetError: it still starts, its libmcr is off, or it is a half-made successor.
    """
    control = server.control()
    if control.state is State.DISABLED:
        why = describe_error(control) or "it was started without settings"
        raise TargetError(f"libmcr is off in process {server.pid}: {why}", hint=NOT_RECORDED)
    if control.state is State.HELD:
        raise TargetError(
            f"process {server.pid} is the successor in an update that has not been committed",
            hint="commit or roll back that update first",
        )
    if control.state is not State.SERVING:
        raise TargetError(f"process {server.pid} is still starting", hint="try again when it serves")
    if control.snapshot_address == 0:
        raise TargetError(f"process {server.pid} has no base snapshot: it ran out of memory for it", hint="restart it")
    return control


def is_recorded(pid: int) -> bool:
    """Whether the process runs under libmcr with settings; False for whatever cannot be looked at."""
    try:
        return find_recorded(pid).control().state is not State.DISABLED
    except McrError:
        return False


def _existing(pid: int) -> int:
    if not is_alive(pid):
        hint = "`mcr status` lists the servers that run under mcr"
        raise TargetError(f"there is no process {pid}", hint=hint)
    if status(pid).state == "Z":
        raise TargetError(f"process {pid} has ended and waits for its parent", hint="start the server again")
    return pid


def _library(pid: int, maps: tuple[Mapping, ...]) -> Mapping | None:
    for one in maps:
        name = Path(one.path.removesuffix(" (deleted)")).name
        if name == LIBRARY and one.offset == 0 and one.range.size >= WORD:
            return one
    return None
