"""Arguments that several verbs take, and what they make of them."""

from __future__ import annotations

from pathlib import Path

from gdb_mcr.commands.arguments import Argument, Kind
from gdb_mcr.commands.context import Context
from gdb_mcr.commands.registry import FrontEnd
from gdb_mcr.errors import UsageError
from gdb_mcr.model.inspection import FdsResult, LogResult, ThreadsResult
from gdb_mcr.model.results import Result, RunResult, UpdateResult
from gdb_mcr.model.step_results import QuiesceResult, ReleaseResult, RollbackResult
from gdb_mcr.model.strategy import Strategy
from gdb_mcr.update.api import MemoryPath, ProgramRef, Strictness, UpdateOptions

PID = Argument("pid", Kind.PID, "the server's process id")
ANY_PID = Argument("pid", Kind.PID, "only this server", optional=True)
OLD = Argument("old", Kind.PROGRAM, "the running server, or the file of the old build", "PID|OLD_BIN")
NEW = Argument("new", Kind.BINARY, "the file of the new build", "NEW_BIN")
ANNOTATIONS = Argument("--annotations", Kind.FILE, "a file of annotations; may be given several times", repeat=True)
ARGS = Argument(
    "--args",
    Kind.WORDS,
    "the new server's arguments, without its name; it gets the old one's otherwise",
    '"…"',
)
DRY_RUN = Argument("--dry-run", Kind.FLAG, "go as far as the audit, then roll back")
TIMEOUT = Argument("--timeout", Kind.SECONDS, "roll back if it has not committed after S seconds", default=60.0)
YES_TO = Argument(
    "--yes-to",
    Kind.FINDING,
    "override this finding, and no other; may be given several times. R6, R7, R8 and R15 cannot be overridden",
    repeat=True,
)
POLICY = Argument(
    "--policy",
    Kind.CHOICE,
    "strict: warnings refuse the update as well",
    choices=tuple(one.value for one in Strictness),
    default=Strictness.DEFAULT.value,
)
MEMORY = Argument(
    "--memory",
    Kind.CHOICE,
    "how memory is moved: by gdb_mcr's engine inside GDB, or by GDB/MI's own slow commands",
    choices=tuple(one.value for one in MemoryPath),
    default=MemoryPath.MCR.value,
)

STRATEGY = Argument(
    "--strategy",
    Kind.CHOICE,
    "how a moment is found at which the server may be stopped; all but barrier are there for comparison",
    choices=tuple(one.value for one in Strategy),
    default=Strategy.BARRIER.value,
)

PROFILE = Argument(
    "--profile",
    Kind.FILE,
    "judge by this profile where its threads may be stopped, instead of by the one kept for its build",
)


def the_pid(context: Context, pid: int | None) -> int:
    """The server that is meant.

    :raises UsageError: none was named and the front end knows none.
    """
    if pid is None:
        pid = context.session.old_pids[0] if context.session is not None else context.services.current_pid()
    if pid is None:
        raise UsageError("which server?", hint=f"give its process id; `{verb(context, 'status')}` lists the servers")
    return pid


def the_program(context: Context, old: ProgramRef | None) -> ProgramRef:
    """The server or file that is meant.

    :raises UsageError: none was named and the front end knows none.
    """
    try:
        return old if isinstance(old, Path) else the_pid(context, old)
    except UsageError as error:
        raise UsageError("which old build?", hint="give a server's process id or a file before the new one") from error


def options_of(
    context: Context,
    annotations: tuple[Path, ...],
    *,
    args: tuple[str, ...] | None = None,
    dry_run: bool = False,
    timeout: float = 60.0,
    yes_to: tuple[str, ...] = (),
    policy: str = Strictness.DEFAULT.value,
    memory: str = MemoryPath.MCR.value,
    strategy: str = Strategy.BARRIER.value,
    profile: Path | None = None,
) -> UpdateOptions:
    """The user's wishes as a value; files that `annotations` set come first."""
    return UpdateOptions(
        annotations=(*context.annotation_files, *annotations),
        args=args,
        dry_run=dry_run,
        timeout_s=timeout,
        yes_to=frozenset(yes_to),
        policy=Strictness(policy),
        memory=MemoryPath(memory),
        strategy=Strategy(strategy),
        profile=profile,
    )


def server_of(result: Result) -> int | None:
    """The server that a verb was about, or that serves now; None if there is no one server."""
    match result:
        case UpdateResult():
            return result.serving_pid
        case RollbackResult():
            return result.old_pids[0]
        case ThreadsResult() | FdsResult() | LogResult() | QuiesceResult() | ReleaseResult() | RunResult():
            return result.pid
        case _:
            return None


def verb(context: Context, name: str) -> str:
    """How the user of this front end types a verb, for hints."""
    return {FrontEnd.CLI: f"mcr {name}", FrontEnd.GDB: f"mcr-{name}"}.get(context.front_end, name)
