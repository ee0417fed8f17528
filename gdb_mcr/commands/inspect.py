"""`status`, `threads`, `fds`, `log`, `object`, `history`: looking at servers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gdb_mcr.commands.arguments import Argument, Kind
from gdb_mcr.commands.context import Context
from gdb_mcr.commands.registry import Category, Example, command
from gdb_mcr.commands.shared import ANNOTATIONS, ANY_PID, PID, options_of, the_pid
from gdb_mcr.model.inspection import FdsResult, HistoryResult, LogResult, ObjectResult, StatusResult, ThreadsResult


@command(
    "status",
    help="Show the servers that can be updated, and the update that is open.",
    description="For each server that was started by `mcr run` or by an update: its build, its generation, what "
    "libmcr knows of it, and what stands in the way of an update.",
    category=Category.INSPECT,
    arguments=(ANY_PID,),
    examples=(Example("", "All servers."), Example("4711", "One server.")),
)
def status(context: Context, *, pid: int | None) -> StatusResult:
    """The verb."""
    return replace(context.updater.status(pid), session=context.session_status)


@command(
    "threads",
    help="Show a server's threads and where they wait.",
    description="Attaches for some milliseconds. For each thread: whether it waits for the outside (initiator) or "
    "for other threads (internal), in which call, and whether it may be stopped there for an update.",
    category=Category.INSPECT,
    arguments=(PID,),
    examples=(Example("4711", "The threads of the server 4711."),),
    traces=True,
)
def threads(context: Context, *, pid: int | None) -> ThreadsResult:
    """The verb."""
    return context.updater.threads(the_pid(context, pid))


@command(
    "fds",
    help="Show a server's file descriptors and how an update carries them over.",
    description="For each descriptor: what it is, whether it was opened during start-up, by which code, and what "
    "becomes of it in an update.",
    category=Category.INSPECT,
    arguments=(PID,),
    examples=(Example("4711", "The descriptors of the server 4711."),),
)
def fds(context: Context, *, pid: int | None) -> FdsResult:
    """The verb."""
    return context.updater.fds(the_pid(context, pid))


LAST = Argument("--last", Kind.COUNT, "only the last N")


@command(
    "log",
    help="Show a server's start-up log.",
    description="The operations of its start-up that created or referred to what must not change: descriptors, "
    "addresses, process and thread ids. A new build's start-up is matched against them.",
    category=Category.INSPECT,
    arguments=(PID, LAST),
    examples=(Example("4711 --last 20", "The last operations of the start-up."),),
)
def log(context: Context, *, pid: int | None, last: int | None) -> LogResult:
    """The verb."""
    result = context.updater.log(the_pid(context, pid))
    return result if last is None else replace(result, rows=result.rows[-last:])


EXPRESSION = Argument(
    "expression", Kind.TEXT, "variable.field, *pointer, array[3]->field, function::static, or 0xADDRESS", "OBJECT"
)
FOR = Argument("--new", Kind.BINARY, "also say what an update to NEW_BIN would do to it, and why", "NEW_BIN")


@command(
    "object",
    help="Explain one object: what it is, how it is reached, what an update does to it and why.",
    description="An object is named by a variable, members, pointers and indexes as in C, or by an address anywhere "
    "inside it. The server is not stopped, so values are those of a moment ago. The new build is not started: what its "
    "own start-up will make of a field is not known yet.",
    category=Category.INSPECT,
    arguments=(PID, EXPRESSION, FOR, ANNOTATIONS),
    examples=(
        Example("4711 settings.port", "One field of a global."),
        Example("4711 'conns[27]->event'", "A field of what a pointer leads to."),
        Example("4711 0x7f12c0de4010 --new ./memcached-new", "A heap object, and what will become of it."),
    ),
)
def object_(
    context: Context, *, pid: int | None, expression: str, new: Path | None, annotations: tuple[Path, ...]
) -> ObjectResult:
    """The verb."""
    options = options_of(context, annotations)
    return context.updater.explain(the_pid(context, pid), expression, new, options)


@command(
    "history",
    help="List past updates.",
    description="Of all servers of this user, or of the line of processes that a server stands in: when, from which "
    "build to which, how it ended, and how long the pause was.",
    category=Category.INSPECT,
    arguments=(ANY_PID, LAST),
    examples=(Example("--last 5", "The last five."),),
)
def history(context: Context, *, pid: int | None, last: int | None) -> HistoryResult:
    """The verb."""
    result = context.updater.history(pid)
    return result if last is None else replace(result, rows=result.rows[-last:])
