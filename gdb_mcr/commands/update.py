"""`update`: all of it at once."""

from __future__ import annotations

from pathlib import Path

from gdb_mcr.commands.context import Context
from gdb_mcr.commands.registry import Category, Example, command
from gdb_mcr.commands.shared import (
    ANNOTATIONS,
    ARGS,
    DRY_RUN,
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
)
from gdb_mcr.model.results import UpdateResult


@command(
    "update",
    help="Replace a running server by a new build.",
    description="Starts the new build with the old server's arguments, environment, directory and credentials, "
    "stops the old server at a quiescent point, moves its memory, descriptors and threads' state over, looks the new "
    "server over, and only then lets it serve and ends the old one. Exit status: 0 committed, 1 refused because of "
    "findings, 2 bad usage or input (nothing was touched), 3 rolled back after a failure. Unless it is 0, the old "
    "server serves on.",
    category=Category.UPDATE,
    arguments=(PID, NEW, ANNOTATIONS, ARGS, DRY_RUN, TIMEOUT, YES_TO, POLICY, MEMORY, STRATEGY, PROFILE),
    examples=(
        Example("4711 ./memcached-new", "Update the server 4711."),
        Example("4711 ./memcached-new --dry-run", "See whether it would work, and how long the pause would be."),
        Example("4711 ./new --annotations mine.mcr --yes-to R2:conn.tmp", "Explain some things, accept one loss."),
    ),
    traces=True,
    alone=True,
)
def update(
    context: Context,
    *,
    pid: int | None,
    new: Path,
    annotations: tuple[Path, ...],
    args: tuple[str, ...] | None,
    dry_run: bool,
    timeout: float,
    yes_to: tuple[str, ...],
    policy: str,
    memory: str,
    strategy: str,
    profile: Path | None,
) -> UpdateResult:
    """The verb."""
    options = options_of(
        context,
        annotations,
        args=args,
        dry_run=dry_run,
        timeout=timeout,
        yes_to=yes_to,
        policy=policy,
        memory=memory,
        strategy=strategy,
        profile=profile,
    )
    result = context.updater.update(the_pid(context, pid), new, options, context.progress)
    context.note_findings(result.findings)
    return result
