"""Reports of updates and of their steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gdb_mcr.model.results import CheckResult, PhaseResult, UpdateResult, Verdict
from gdb_mcr.model.step_results import (
    AuditResult,
    QuiesceResult,
    ReleaseResult,
    RollbackResult,
    StartResult,
    TransferResult,
)
from gdb_mcr.render.findings import finding_lines, warning_lines
from gdb_mcr.render.inspections import thread_table
from gdb_mcr.render.pieces import count_texts, counts_lines, duration, listed, pids, plural, pointer_lines, table


def update_lines(result: UpdateResult) -> Iterator[str]:
    """Verdict, phases, findings, warnings."""
    yield update_summary(result)
    if result.hint:
        yield f"  {result.hint}"
    yield from phase_lines(result.phases, result.pause_s)
    yield from pointer_lines(result.counts)
    yield from finding_lines(result.findings, result.blocking, result.overridden)
    yield from warning_lines(result.warnings)


def update_summary(result: UpdateResult) -> str:
    """How it ended, in one line."""
    old = pids(result.old_pids)
    if result.old_ended:
        return f"rolled back: {result.failure or 'the old server ended'}; nothing serves: {old} has ended"
    match result.verdict:
        case Verdict.COMMITTED:
            return f"committed: {pids(result.new_pids)} took over from {old}"
        case Verdict.WOULD_COMMIT:
            return f"dry run: nothing speaks against the update; {old} serves on"
        case Verdict.REFUSED:
            return f"refused because of {plural(len(result.blocking), 'finding')}; {old} serves on"
        case Verdict.ROLLED_BACK:
            return f"rolled back: {result.failure}; {old} serves on"


def phase_lines(phases: Sequence[PhaseResult], pause_s: float) -> Iterator[str]:
    """Each phase with what it counted, and the pause."""
    rows = [(f"  {one.name.value}", duration(one.seconds)) for one in phases]
    counts = [count_texts(one.counts) for one in phases]
    if pause_s:
        rows.append(("  pause", duration(pause_s)))
        counts.append([])
    if rows:
        yield ""
    for row, texts in zip(table(rows, right=(1,)), counts, strict=True):
        yield from listed(f"{row}  ", texts)


def check_lines(result: CheckResult) -> Iterator[str]:
    """The static findings."""
    yield f"old  {result.old.path}  {result.old.build_id}"
    yield f"new  {result.new.path}  {result.new.build_id}"
    yield from finding_lines(result.findings, result.blocking)
    yield ""
    yield check_summary(result)


def check_summary(result: CheckResult) -> str:
    """The answer in one line."""
    if result.blocking:
        return f"{plural(len(result.blocking), 'finding')} against the update"
    return "nothing speaks against the update"


def start_lines(result: StartResult) -> Iterator[str]:
    """N and its phases."""
    yield start_summary(result)
    yield from phase_lines(result.phases, 0)
    yield from finding_lines(result.findings, result.blocking)
    yield from warning_lines(result.warnings)


def start_summary(result: StartResult) -> str:
    """In one line."""
    if result.blocking:
        return f"not started: {plural(len(result.blocking), 'finding')} against the update"
    return f"started and held: {pids(result.new_pids)}"


def quiesce_lines(result: QuiesceResult) -> Iterator[str]:
    """Where the threads stand, or what was in the way."""
    yield quiesce_summary(result)
    yield from (f"  {one}" for one in result.obstacles)
    yield from thread_table(result.threads)
    yield from warning_lines(result.notes)


def quiesce_summary(result: QuiesceResult) -> str:
    """In one line."""
    if result.converged:
        return f"{result.pid} stands at a quiescent point, after {duration(result.seconds)}"
    return f"{result.pid} did not come to rest within {duration(result.seconds)}; it runs on"


def release_lines(result: ReleaseResult) -> Iterator[str]:
    """O serves again."""
    yield f"{result.pid} serves on after a pause of {duration(result.paused_s)}"
    yield from warning_lines(result.warnings)


def transfer_lines(result: TransferResult) -> Iterator[str]:
    """What was moved, or would be."""
    yield transfer_summary(result)
    yield from phase_lines(result.phases, 0)
    yield from pointer_lines(result.counts)
    yield from finding_lines(result.findings, result.blocking)
    yield from warning_lines(result.warnings)


def transfer_summary(result: TransferResult) -> str:
    """In one line."""
    if result.blocking:
        return f"not transferred: {plural(len(result.blocking), 'finding')} against the update"
    return "planned, nothing written" if result.dry_run else "transferred"


def audit_lines(result: AuditResult) -> Iterator[str]:
    """What the audit saw."""
    yield audit_summary(result)
    yield from counts_lines(result.counts)
    yield from finding_lines(result.findings, result.blocking)
    yield from warning_lines(result.warnings)


def audit_summary(result: AuditResult) -> str:
    """In one line."""
    if result.blocking:
        return f"not clean: {plural(len(result.blocking), 'finding')} against the update"
    return f"clean, after {duration(result.seconds)}"


def rollback_lines(result: RollbackResult) -> Iterator[str]:
    """N is gone."""
    ended = f"; ended {pids(result.ended_pids)}" if result.ended_pids else ""
    paused = f" after a pause of {duration(result.paused_s)}" if result.paused_s else ""
    yield f"rolled back: {pids(result.old_pids)} serves on{paused}{ended}"
    yield from warning_lines(result.warnings)
