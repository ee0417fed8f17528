"""Any result to lines of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gdb_mcr.errors import McrError
from gdb_mcr.model.inspection import (
    AnnotationsResult,
    DiffResult,
    FdsResult,
    FormatResult,
    HistoryResult,
    LogResult,
    ObjectResult,
    StatusResult,
    SuggestionResult,
    ThreadsResult,
)
from gdb_mcr.model.profile import ProfileResult
from gdb_mcr.model.results import (
    CheckResult,
    PathResult,
    Result,
    RunResult,
    ShellResult,
    UpdateResult,
)
from gdb_mcr.model.step_results import (
    AuditResult,
    QuiesceResult,
    ReleaseResult,
    RollbackResult,
    StartResult,
    TransferResult,
)
from gdb_mcr.render import inspections, profiles, updates

# Any: each function takes the one type that is its key.
_LINES: dict[type, Callable[[Any], Iterator[str]]] = {
    UpdateResult: updates.update_lines,
    CheckResult: updates.check_lines,
    StartResult: updates.start_lines,
    QuiesceResult: updates.quiesce_lines,
    ReleaseResult: updates.release_lines,
    TransferResult: updates.transfer_lines,
    AuditResult: updates.audit_lines,
    RollbackResult: updates.rollback_lines,
    StatusResult: inspections.status_lines,
    ThreadsResult: inspections.threads_lines,
    FdsResult: inspections.fds_lines,
    LogResult: inspections.log_lines,
    DiffResult: inspections.diff_lines,
    ObjectResult: inspections.object_lines,
    HistoryResult: inspections.history_lines,
    AnnotationsResult: inspections.annotations_lines,
    SuggestionResult: inspections.suggestion_lines,
    FormatResult: inspections.format_lines,
    ProfileResult: profiles.profile_lines,
    RunResult: inspections.run_lines,
    PathResult: lambda result: iter((result.path,)),
    ShellResult: lambda result: iter(()),
}

_SUMMARIES: dict[type, Callable[[Any], str]] = {
    UpdateResult: updates.update_summary,
    CheckResult: updates.check_summary,
    StartResult: updates.start_summary,
    QuiesceResult: updates.quiesce_summary,
    TransferResult: updates.transfer_summary,
    AuditResult: updates.audit_summary,
    FormatResult: inspections.format_summary,
}


def lines(result: Result) -> Iterator[str]:
    """The report of a verb."""
    return _LINES[type(result)](result)


def summary(result: Result) -> str:
    """One line for a result whose exit status is not 0."""
    return _SUMMARIES[type(result)](result)


def error_text(error: McrError) -> str:
    """What failed, and what the user can do."""
    return f"{error}\n  {error.hint}" if error.hint else str(error)
