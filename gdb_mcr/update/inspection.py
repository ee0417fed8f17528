"""The verbs that only look: what `update.api.LiveUpdater` says of servers and builds. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from gdb_mcr.annotations.load import load, parse_files
from gdb_mcr.comparison.differences import differences
from gdb_mcr.comparison.suggestions import suggestions
from gdb_mcr.debugger.base import Debugger
from gdb_mcr.dwarf.identity import identify
from gdb_mcr.dwarf.load import load_program
from gdb_mcr.errors import McrError, TargetError
from gdb_mcr.model.inspection import (
    AnnotationsResult,
    Change,
    DiffResult,
    FdsResult,
    HistoryResult,
    LogResult,
    LogRow,
    ServerStatus,
    StatusResult,
    SuggestionResult,
    ThreadsResult,
)
from gdb_mcr.model.program import Program
from gdb_mcr.model.results import Build, CheckResult
from gdb_mcr.model.startup_log import StartupLog
from gdb_mcr.model.statement import Statement
from gdb_mcr.runtime_abi.layout import ErrorKind
from gdb_mcr.update.analysis import analyse, build_of, program_file
from gdb_mcr.update.api import ProgramRef, UpdateOptions
from gdb_mcr.update.call_text import CallWriter
from gdb_mcr.update.code_names import CodeNames
from gdb_mcr.update.family import family, root_pids, serving_pids
from gdb_mcr.update.fd_rows import fd_rows
from gdb_mcr.update.history import read
from gdb_mcr.update.recorded import RecordedProcess, find_recorded
from gdb_mcr.update.server_status import server_status, unreadable_status
from gdb_mcr.update.thread_rows import look_at_threads
from gdb_mcr.update.verdicts import rule_on


def servers() -> tuple[int, ...]:
    """As `update.api.LiveUpdater`."""
    return serving_pids()


def status(pid: int | None, own_debuggers: Collection[int] = ()) -> StatusResult:
    """As `update.api.LiveUpdater`. A server that cannot be read is among them, with the reason as its problem.

    :param own_debuggers: as for `server_status`.
    """
    if pid is not None:
        return StatusResult((server_status(find_recorded(pid), own_debuggers),))
    return StatusResult(tuple(one for pid in root_pids() for one in _status_if_there(pid, own_debuggers)))


def _status_if_there(pid: int, own_debuggers: Collection[int]) -> tuple[ServerStatus, ...]:
    try:
        return (server_status(find_recorded(pid), own_debuggers),)
    except TargetError:
        return ()  # it has just ended, or is none of ours to look at
    except McrError as error:
        return _unreadable(pid, error)


def _unreadable(pid: int, error: McrError) -> tuple[ServerStatus, ...]:
    try:
        return (unreadable_status(pid, error),)
    except TargetError:
        return ()


def threads(pid: int, debugger: Debugger) -> ThreadsResult:
    """As `update.api.LiveUpdater`; one process after the other is stopped for some milliseconds.

    :param debugger: holds no process. For a process that is stopped already see `thread_rows.thread_rows`.
    """
    members = [find_recorded(pid), *map(find_recorded, family(pid)[1:])]
    return ThreadsResult(pid, tuple(row for one in members for row in look_at_threads(one, debugger)))


def fds(pid: int) -> FdsResult:
    """As `update.api.LiveUpdater`."""
    members = [find_recorded(pid), *map(find_recorded, family(pid)[1:])]
    return FdsResult(pid, tuple(row for one in members for row in fd_rows(one)))


def log(pid: int) -> LogResult:
    """As `update.api.LiveUpdater`. Forked children record nothing of their own yet."""
    server = find_recorded(pid)
    control = server.control()
    dropped = 1 if control.error is ErrorKind.TABLE_FULL else 0  # it is off since the first that found no room
    return LogResult(pid, control.startup_end_ns != 0, _log_rows(server, server.log()), dropped)


def _log_rows(server: RecordedProcess, found: StartupLog) -> tuple[LogRow, ...]:
    names = CodeNames(server.pid, found.modules)
    writer = CallWriter(names.function, _thread_namer(found))
    rows = []
    for one in found.operations:
        call = writer.write(one)
        stack = names.stack(one.returns)
        rows.append(LogRow(one.seq, server.pid, call.name, call.arguments, call.result, f"{one.stack_id:016x}", stack))
    return tuple(rows)


def _thread_namer(found: StartupLog) -> Callable[[int], str]:
    tids = {one.index: one.tid for one in found.threads}
    return lambda index: f"thread {tids[index]}" if index in tids else "a thread that has ended"


def check(old: ProgramRef, new: Path, options: UpdateOptions) -> CheckResult:
    """As `update.api.LiveUpdater`.

    :raises UsageError: ``options.yes_to`` names a finding that cannot be overridden.
    """
    analysis = analyse(program_file(old), new, options.annotations)
    ruling = rule_on(analysis.findings, options)
    return CheckResult(_build(analysis.old), build_of(analysis.new), ruling.findings, ruling.blocking)


def diff(old: ProgramRef, new: Path, annotations: tuple[Path, ...]) -> DiffResult:
    """As `update.api.LiveUpdater`."""
    before = program_file(old)
    analysis = analyse(before, new, annotations)
    changes = differences(analysis.old, analysis.new, analysis.match)
    libraries = _library_changes(identify(before).needed, identify(new).needed)
    return DiffResult(_build(analysis.old), build_of(analysis.new), (*libraries, *changes))


def _library_changes(before: Sequence[str], after: Sequence[str]) -> tuple[Change, ...]:
    removed = [Change("library", name, "removed") for name in before if name not in after]
    return (*removed, *(Change("library", name, "added") for name in after if name not in before))


def suggest(old: ProgramRef, new: Path, annotations: tuple[Path, ...]) -> SuggestionResult:
    """As `update.api.LiveUpdater`."""
    analysis = analyse(program_file(old), new, annotations)
    lines = suggestions(analysis.old, analysis.new, analysis.match, analysis.annotations, analysis.findings)
    return SuggestionResult(_build(analysis.old), build_of(analysis.new), len(analysis.findings), lines)


def check_annotations(files: tuple[Path, ...], old: ProgramRef | None, new: Path | None) -> AnnotationsResult:
    """As `update.api.LiveUpdater.annotations`."""
    if old is None or new is None:
        return AnnotationsResult(tuple(map(str, files)), _texts(parse_files(files)))
    before, after = load_program(program_file(old)), load_program(new)
    statements = load(files, before, after).statements
    return AnnotationsResult(tuple(map(str, files)), _texts(statements), (_build(before), build_of(after)))


def _texts(statements: tuple[Statement, ...]) -> tuple[str, ...]:
    return tuple(f"{one.span.file}:{one.span.line}: {one}" for one in statements)


def history(pid: int | None) -> HistoryResult:
    """As `update.api.LiveUpdater`."""
    return HistoryResult(read(pid))


# A program that was named by a pid stands under /proc/PID/exe: say which file that is.
def _build(program: Program) -> Build:
    build = build_of(program)
    if not build.path.startswith("/proc/"):
        return build
    try:
        return replace(build, path=str(Path(build.path).readlink()))
    except OSError:
        return build
