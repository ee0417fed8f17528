"""What the inspecting verbs answer. They touch nothing, so their exit status is always 0. See `results.py`."""

from __future__ import annotations

from dataclasses import dataclass

from gdb_mcr.model.finding import Finding
from gdb_mcr.model.results import Build, Harmless, Verdict
from gdb_mcr.model.steps import SessionState


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two builds."""

    subject: str
    """What it is: type, enum, variable, function, library."""
    name: str
    what: str
    """added, removed, changed or renamed."""
    file: str = ""
    """Source file that declares it, "" if unknown."""
    details: tuple[str, ...] = ()
    """One line for each member, constant or attribute that differs."""


@dataclass(frozen=True, slots=True)
class DiffResult(Harmless):
    """What `diff` answers: all differences, whether they matter or not."""

    old: Build
    new: Build
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One process of a server that is a tree."""

    pid: int
    parent: int
    depth: int
    """Forks that lead to it from the server's first process, at least 1."""
    title: str
    """Its command line as it is now: servers write there what a process does."""
    is_followed: bool
    """Whether an update takes it along: it was forked in start-up."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server that was started by `mcr run` or by an update."""

    pid: int
    build: Build
    state: str
    """What libmcr does in it: "recording", "recorded", "held"… or why it was disabled."""
    generation: int
    """0 for the process that `mcr run` started, one more after each update."""
    processes: int
    threads: int
    descriptors: int
    chunks: int
    """Live heap chunks."""
    bytes_heap: int
    command: str = ""
    """The command line as it was at the start."""
    problems: tuple[str, ...] = ()
    """What stands in the way of an update, one sentence each."""
    children: tuple[ProcessRow, ...] = ()
    """Its other processes, each behind its parent."""

    @property
    def is_readable(self) -> bool:
        """Whether what libmcr knows of it could be read; if not, all numbers but those of its one process are 0."""
        return bool(self.build.build_id)


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """The update that is open in this GDB or shell."""

    state: SessionState
    old_pids: tuple[int, ...]
    new_pids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StatusResult(Harmless):
    """What `status` answers."""

    servers: tuple[ServerStatus, ...]
    session: SessionStatus | None = None


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """One thread of a server and where it stalls."""

    pid: int
    tid: int
    name: str
    role: str
    """initiator, internal or unknown (GLOSSARY)."""
    waits_in: str
    """The blocking call it is in, "" if it runs."""
    stop_point: str
    """quiescent, blocking, cancellation, or "" where it may not be stopped."""
    stack: tuple[str, ...] = ()
    """Function names, the innermost first."""
    created_by: tuple[str, ...] = ()
    """The creation-time call stack, the innermost first."""


@dataclass(frozen=True, slots=True)
class ThreadsResult(Harmless):
    """What `threads` answers."""

    pid: int
    threads: tuple[ThreadRow, ...]


@dataclass(frozen=True, slots=True)
class FdRow:
    """One file descriptor of a server."""

    pid: int
    fd: int
    kind: str
    """socket, listener, pipe, file, epoll, eventfd…"""
    description: str
    """The path, the addresses, or what the kernel says of it."""
    origin: str
    """start-up or runtime; "" if unknown."""
    carried: str
    """How an update carries it over, or why it cannot."""
    created_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FdsResult(Harmless):
    """What `fds` answers."""

    pid: int
    descriptors: tuple[FdRow, ...]


@dataclass(frozen=True, slots=True)
class LogRow:
    """One operation of the start-up log."""

    sequence: int
    pid: int
    operation: str
    arguments: str
    result: str
    stack_id: str
    """The call stack ID, hexadecimal."""
    stack: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogResult(Harmless):
    """What `log` answers: the start-up log."""

    pid: int
    complete: bool
    """Whether the start-up has ended."""
    rows: tuple[LogRow, ...]
    dropped: int = 0
    """Operations that found no room in the log."""


@dataclass(frozen=True, slots=True)
class FieldFate:
    """What an update will do to one field of an object, as a merge decides it (DESIGN section 9)."""

    path: str
    decision: str
    """Which value N gets and why: "theirs: changed since start-up", "ours: unchanged"… Where no new build was named,
    whether it was changed since start-up, "" if it was made later."""
    base: str = ""
    theirs: str = ""
    ours: str = ""


@dataclass(frozen=True, slots=True)
class ObjectResult(Harmless):
    """What `object` answers: what an object is, how it is reached, what will happen to it and why."""

    address: int
    size: int
    """Bytes."""
    description: str
    """The variable's name, or what the chunk is."""
    type: str
    """C type, "" if opaque."""
    evidence: str
    """How the type is known: declared, precise, allocation site, none."""
    fate: str
    """moved as it is, merged, converted, stays N's own, refused…"""
    why: str
    site: tuple[str, ...] = ()
    """The allocation's call stack, the innermost first."""
    path: str = ""
    """One path from a root."""
    fields: tuple[FieldFate, ...] = ()
    findings: tuple[Finding, ...] = ()
    place: str = ""
    """The part of the object that was asked for, "" if it is the whole."""
    held_by: str = ""
    """An object whose untyped memory may hold a pointer to it, so that it must keep its address."""


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One update of the past."""

    when: str
    """Local time, ISO 8601."""
    verdict: Verdict
    old_pids: tuple[int, ...]
    new_pids: tuple[int, ...]
    old: Build
    new: Build
    pause_s: float
    note: str = ""
    """What failed, or why it was refused."""


@dataclass(frozen=True, slots=True)
class HistoryResult(Harmless):
    """What `history` answers, the newest update last."""

    rows: tuple[HistoryRow, ...]


@dataclass(frozen=True, slots=True)
class AnnotationsResult(Harmless):
    """What `annotations` answers: files that parsed and, where two programs were given, fit them."""

    files: tuple[str, ...]
    statements: tuple[str, ...]
    """In the language's own words, one each, with file and line before it."""
    checked_against: tuple[Build, ...] = ()
    """Old and new build; empty if only the syntax was checked."""


@dataclass(frozen=True, slots=True)
class SuggestionResult(Harmless):
    """What `annotate --suggest` answers."""

    old: Build
    new: Build
    findings: int
    """How many of `check` the lines are about."""
    text: tuple[str, ...]
    """Lines of a file of annotations, all of them comments."""


@dataclass(frozen=True, slots=True)
class FormatResult:
    """What `fmt` answers."""

    files: tuple[str, ...]
    changed: tuple[str, ...]
    """Those that were not in their one form."""
    only_checked: bool
    """Whether they still are not."""

    @property
    def exit_status(self) -> int:
        """1 if there is something left to do."""
        return 1 if self.only_checked and self.changed else 0
