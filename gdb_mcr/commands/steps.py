"""`start`, `quiesce`, `release`, `transfer`, `audit`, `commit`, `rollback`: an update step by step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gdb_mcr.commands.arguments import Argument, Kind
from gdb_mcr.commands.context import Context
from gdb_mcr.commands.registry import STAYING, Category, Example, command
from gdb_mcr.commands.shared import (
    ANNOTATIONS,
    ARGS,
    MEMORY,
    NEW,
    PID,
    POLICY,
    PROFILE,
    STRATEGY,
    TIMEOUT,
    YES_TO,
    options_of,
    the_pid,
    verb,
)
from gdb_mcr.errors import UsageError
from gdb_mcr.model.results import UpdateResult
from gdb_mcr.model.step_results import (
    AuditResult,
    QuiesceResult,
    ReleaseResult,
    RollbackResult,
    StartResult,
    TransferResult,
)
from gdb_mcr.model.steps import Step
from gdb_mcr.model.strategy import Strategy
from gdb_mcr.update.api import UpdateSession


@command(
    "start",
    help="Start the new build and hold it.",
    description="The new server starts up, inherits the old one's descriptors, and is held before it serves; the "
    "old one serves on. May come before or after quiesce; before, its start-up costs no pause.",
    category=Category.STEPS,
    arguments=(PID, NEW, ANNOTATIONS, ARGS, TIMEOUT, YES_TO, POLICY, MEMORY),
    examples=(Example("./memcached-new", "Start the successor of the current server."),),
    front_ends=STAYING,
    step=Step.START,
    traces=True,
)
def start(
    context: Context,
    *,
    pid: int | None,
    new: Path,
    annotations: tuple[Path, ...],
    args: tuple[str, ...] | None,
    timeout: float,
    yes_to: tuple[str, ...],
    policy: str,
    memory: str,
) -> StartResult:
    """The verb."""
    options = options_of(context, annotations, args=args, timeout=timeout, yes_to=yes_to, policy=policy, memory=memory)
    result = _session_of(context, pid).start(new, options, context.progress)
    context.note_findings(result.findings)
    return result


WITHIN = Argument("--timeout", Kind.SECONDS, "let it run on if it has not come to rest after S seconds", default=10.0)


@command(
    "quiesce",
    help="Stop the server at a quiescent point.",
    description="Brings every thread to a point where an update is legal, and stops them there. Clients wait from "
    "here on until commit, rollback or release. If it does not come to rest in time, it runs on, and the answer "
    "says which thread was in the way: where, since when, and who holds what it waits for.",
    category=Category.STEPS,
    arguments=(PID, WITHIN, STRATEGY, PROFILE),
    examples=(Example("", "Stop the current server."), Example("4711 --timeout 2", "Try for two seconds.")),
    front_ends=STAYING,
    step=Step.QUIESCE,
    traces=True,
)
def quiesce(context: Context, *, pid: int | None, timeout: float, strategy: str, profile: Path | None) -> QuiesceResult:
    """The verb."""
    result = _session_of(context, pid).quiesce(timeout, context.progress, Strategy(strategy), profile)
    if not result.converged:
        return result
    return replace(result, threads=context.updater.threads(result.pid).threads)


@command(
    "release",
    help="Let the stopped server run on.",
    description="Undoes quiesce. A new server that was started stays held. Not possible after transfer: what the "
    "new server then holds would be out of date; roll back instead.",
    category=Category.STEPS,
    examples=(Example("", "The old server serves again."),),
    front_ends=STAYING,
    step=Step.RELEASE,
)
def release(context: Context) -> ReleaseResult:
    """The verb."""
    return _open_session(context).release()


DRY = Argument("--dry-run", Kind.FLAG, "only plan it and show what would be moved; the new server is not written")


@command(
    "transfer",
    help="Move the old server's state into the new one.",
    description="Traces, pairs, merges and converts all state. If a finding speaks against the update, nothing is "
    "written.",
    category=Category.STEPS,
    arguments=(DRY,),
    examples=(Example("--dry-run", "What would be moved?"), Example("", "Move it.")),
    front_ends=STAYING,
    step=Step.TRANSFER,
)
def transfer(context: Context, *, dry_run: bool) -> TransferResult:
    """The verb."""
    result = _open_session(context).transfer(dry_run=dry_run, progress=context.progress)
    context.note_findings(result.findings)
    return result


@command(
    "audit",
    help="Look the filled new server over.",
    description="Searches its memory for words that still point at what the old server leaves behind, and checks "
    "what must hold.",
    category=Category.STEPS,
    examples=(Example("", "Is the transfer complete?"),),
    front_ends=STAYING,
    step=Step.AUDIT,
)
def audit(context: Context) -> AuditResult:
    """The verb."""
    result = _open_session(context).audit()
    context.note_findings(result.findings)
    return result


@command(
    "commit",
    help="Let the new server serve and end the old one.",
    description="There is no way back from here.",
    category=Category.STEPS,
    examples=(Example("", "Finish the update."),),
    front_ends=STAYING,
    step=Step.COMMIT,
)
def commit(context: Context) -> UpdateResult:
    """The verb."""
    return _open_session(context).commit()


@command(
    "rollback",
    help="End the new server and let the old one run on.",
    description="Possible at any time before commit. Clients of the old server notice nothing but the pause.",
    category=Category.STEPS,
    examples=(Example("", "Give the update up."),),
    front_ends=STAYING,
    step=Step.ROLLBACK,
)
def rollback(context: Context) -> RollbackResult:
    """The verb."""
    return _open_session(context).rollback()


# `invoke` has checked that the state allows the step, so that one is open.
def _open_session(context: Context) -> UpdateSession:
    if context.session is None:
        raise UsageError("no update is open", hint=f"begin with {verb(context, 'start')} or {verb(context, 'quiesce')}")
    return context.session


def _session_of(context: Context, pid: int | None) -> UpdateSession:
    if context.session is None:
        context.session = context.updater.open_session(the_pid(context, pid))
    elif pid is not None and pid not in context.session.old_pids:
        message = f"an update of {context.session.old_pids[0]} is open, not of {pid}"
        raise UsageError(message, hint=f"end it first: {verb(context, 'commit')} or {verb(context, 'rollback')}")
    return context.session
