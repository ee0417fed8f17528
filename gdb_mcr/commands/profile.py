"""`profile`: what kinds of threads a server has, and where an update may stop them."""

from __future__ import annotations

from pathlib import Path

from gdb_mcr.commands.arguments import Argument, Kind
from gdb_mcr.commands.context import Context
from gdb_mcr.commands.registry import Category, Example, command
from gdb_mcr.model.profile import ProfileResult
from gdb_mcr.update.api import ProfileOptions

LOAD = Argument(
    "--load", Kind.TEXT, "a shell command that is run beside the server; its end ends the profile", "COMMAND"
)
SECONDS = Argument(
    "--seconds", Kind.SECONDS, "watch for S seconds (10 without a load), or with a load at most so long (600)"
)
OUTPUT = Argument("--output", Kind.FILE, "the file to write; otherwise one by build where updates look for it")
SERVER = Argument("server", Kind.REST, "the server and its arguments")


@command(
    "profile",
    help="Find out which kinds of threads a server has and where an update may stop them.",
    description="Starts the server, watches its threads and processes under a test load of yours, and ends it. Threads "
    "with the same creation-time call stack are one class. For each class: whether it lives across requests, its "
    "long-lived loop, the calls where it stalls, how often and how long, and whether an update is legal there. The "
    "answer is a file to read and to change, by which updates of this build then judge. The server is stopped for "
    "some milliseconds several times a second, so give it no real clients.",
    category=Category.TOOLS,
    arguments=(LOAD, SECONDS, OUTPUT, SERVER),
    examples=(
        Example("--load 'memtier_benchmark -p 11211' -- memcached -t 4", "Profile memcached under a load."),
        Example("--seconds 5 --output idle.toml -- memcached", "Only look at it for five seconds."),
    ),
)
def profile(
    context: Context, *, load: str | None, seconds: float | None, output: Path | None, server: tuple[str, ...]
) -> ProfileResult:
    """The verb."""
    limit = seconds if seconds is not None else (600.0 if load else 10.0)
    started = context.services.run_beside(server)
    return context.updater.profile(started.pid, ProfileOptions(load or "", limit, output))
