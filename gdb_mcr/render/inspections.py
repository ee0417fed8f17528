"""Reports of the verbs that only look."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from gdb_mcr.model.inspection import (
    AnnotationsResult,
    DiffResult,
    FdsResult,
    FieldFate,
    FormatResult,
    HistoryResult,
    LogResult,
    ObjectResult,
    ProcessRow,
    ServerStatus,
    SessionStatus,
    StatusResult,
    SuggestionResult,
    ThreadRow,
    ThreadsResult,
)
from gdb_mcr.model.results import RunResult
from gdb_mcr.render.findings import finding_lines, wrapped
from gdb_mcr.render.pieces import duration, number, pids, plural, size, table

STACK_DEPTH = 6
"""Functions of a call stack that are shown; the JSON has all."""


def status_lines(result: StatusResult) -> Iterator[str]:
    """Servers, and the open update."""
    if not result.servers:
        yield "no server runs under libmcr; start one with `mcr run -- SERVER ARGS`"
    for one in result.servers:
        yield from _server(one)
    if result.session is not None:
        yield session_line(result.session)


def session_line(session: SessionStatus) -> str:
    """The open update in one line."""
    new = f" by {pids(session.new_pids)}" if session.new_pids else ""
    return f"open update of {pids(session.old_pids)}{new}: {session.state.value}"


def thread_table(threads: Sequence[ThreadRow]) -> Iterator[str]:
    """One line a thread."""
    if threads:
        head = ("pid", "tid", "name", "role", "waits in", "may stop", "stack")
        yield from table([head, *map(_thread, threads)], right=(0, 1))


def _thread(one: ThreadRow) -> tuple[str, ...]:
    waits_in, stop_point = one.waits_in or "(runs)", one.stop_point or "no"
    return (str(one.pid), str(one.tid), one.name, one.role, waits_in, stop_point, stack(one.stack))


def threads_lines(result: ThreadsResult) -> Iterator[str]:
    """All threads."""
    yield from thread_table(result.threads)


def fds_lines(result: FdsResult) -> Iterator[str]:
    """All descriptors."""
    head = ("pid", "fd", "kind", "what", "opened", "update")
    rows = [
        (str(one.pid), str(one.fd), one.kind, one.description, one.origin or "?", one.carried)
        for one in result.descriptors
    ]
    yield from table([head, *rows], right=(0, 1))


def log_lines(result: LogResult) -> Iterator[str]:
    """The start-up log."""
    rows = [
        (str(one.sequence), str(one.pid), f"{one.operation}({one.arguments}) = {one.result}", stack(one.stack))
        for one in result.rows
    ]
    yield from table(rows, right=(0, 1))
    if not result.complete:
        yield "the start-up has not ended yet"
    if result.dropped:
        yield f"{plural(result.dropped, 'operation')} found no room in the log"


def diff_lines(result: DiffResult) -> Iterator[str]:
    """All differences."""
    yield f"old  {result.old.path}  {result.old.build_id}"
    yield f"new  {result.new.path}  {result.new.build_id}"
    for one in result.changes:
        where = f"  ({one.file})" if one.file else ""
        yield f"{one.what:8} {one.subject} {one.name}{where}"
        yield from (f"             {detail}" for detail in one.details)
    if not result.changes:
        yield "no differences"


def object_lines(result: ObjectResult) -> Iterator[str]:
    """One object."""
    yield f"{result.address:#x}: {result.description}, {size(result.size)}"
    yield from table(_object_rows(result))
    yield from table([(f"    {one.path}", _values(one), one.decision) for one in result.fields])
    yield from finding_lines(result.findings, ())


def history_lines(result: HistoryResult) -> Iterator[str]:
    """Past updates."""
    if not result.rows:
        yield "no updates yet"
    for one in result.rows:
        pause = f", pause {duration(one.pause_s)}" if one.pause_s else ""
        to = f" → {pids(one.new_pids)}" if one.new_pids else ""
        yield f"{one.when}  {one.verdict.value}: {pids(one.old_pids)}{to}{pause}"
        yield f"    {one.old.path} {one.old.build_id[:12]} → {one.new.path} {one.new.build_id[:12]}"
        if one.note:
            yield f"    {one.note}"


def annotations_lines(result: AnnotationsResult) -> Iterator[str]:
    """Accepted files."""
    if not result.files:
        yield "no annotations"
        return
    yield from result.statements
    checked = " and fit both programs" if result.checked_against else "; names were not looked up"
    yield f"{plural(len(result.statements), 'statement')} in {plural(len(result.files), 'file')}: well-formed{checked}"


def suggestion_lines(result: SuggestionResult) -> Iterator[str]:
    """A file of annotations."""
    yield f"// {result.old.path} {result.old.build_id[:12]} -> {result.new.path} {result.new.build_id[:12]}"
    yield f"// {plural(result.findings, 'finding')} of `mcr check`. Take out the comment marks of what is true."
    if result.text:
        yield ""
    yield from result.text


def format_lines(result: FormatResult) -> Iterator[str]:
    """Files that were, or would be, changed."""
    verb = "would be changed" if result.only_checked else "changed"
    for one in result.changed:
        yield f"{one}: {verb}"


def format_summary(result: FormatResult) -> str:
    """How many files are not in their form."""
    return f"{plural(len(result.changed), 'file')} of {len(result.files)} would be changed"


def run_lines(result: RunResult) -> Iterator[str]:
    """A server that was started; silent where its output would get mixed with ours."""
    if not result.is_this_process:
        yield f"started {result.pid}: {shlex.join(result.command)}"


def stack(functions: Sequence[str]) -> str:
    """A call stack on one line, the innermost function first."""
    shown = " < ".join(functions[:STACK_DEPTH])
    return f"{shown} < …" if len(functions) > STACK_DEPTH else shown


def _server(one: ServerStatus) -> Iterator[str]:
    if one.is_readable:
        yield f"{one.pid}  {one.build.path}  {one.state}, generation {one.generation}"
        yield from _amounts(one)
    else:
        yield f"{one.pid}  {one.build.path}  {one.state}"
    for problem in one.problems:
        yield from wrapped(f"in the way of an update: {problem}", "    ", "        ")


def _amounts(one: ServerStatus) -> Iterator[str]:
    amounts = [
        plural(one.processes, "process").replace("processs", "processes"),
        plural(one.threads, "thread"),
        plural(one.descriptors, "descriptor"),
        f"{number(one.chunks)} heap chunks of {size(one.bytes_heap)}",
    ]
    yield f"    {', '.join(amounts)}"
    if one.command:
        yield f"    {one.command}"
    yield from map(_process, one.children)


def _process(one: ProcessRow) -> str:
    note = "" if one.is_followed else "  (not forked in start-up)"
    return f"    {'    ' * (one.depth - 1)}{one.pid}  {one.title}{note}"


# At the end of start-up -> now; once if they are the same.
def _values(one: FieldFate) -> str:
    was, now = one.base, one.theirs
    both = f"{was} -> {now}" if was and was != now else now
    return f"{both} (in the new server {one.ours})" if one.ours else both


def _object_rows(result: ObjectResult) -> list[tuple[str, str]]:
    rows = [
        ("  asked for", result.place),
        ("  type", f"{result.type or 'opaque'} ({result.evidence})"),
        ("  allocated by", stack(result.site)),
        ("  reached by", result.path if result.path != result.description else ""),
        ("  held in place by", result.held_by),
        ("  in an update", f"{result.fate}: {result.why}" if result.why else result.fate),
    ]
    return [row for row in rows if row[1]]
