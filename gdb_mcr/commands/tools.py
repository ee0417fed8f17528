"""`run`, `shell`, `gdbinit`: what the front ends themselves provide."""

from __future__ import annotations

from pathlib import Path

from gdb_mcr.commands.arguments import Argument, Kind
from gdb_mcr.commands.context import Context
from gdb_mcr.commands.registry import EVERYWHERE, Category, Example, FrontEnd, command
from gdb_mcr.model.results import PathResult, RunResult, ShellResult

PROFILE = Argument(
    "--profile", Kind.FILE, "by which updates of this server are to judge where its threads may be stopped"
)
SERVER = Argument("server", Kind.REST, "the server and its arguments")


@command(
    "run",
    help="Start a server so that it can be updated later.",
    description="Prepares the program (once for each build) and executes it with libmcr, which records its start-up. "
    "The server's pid is that of this process; its input and output and its exit status are its own. In GDB and "
    "mcr shell it is started beside them.",
    category=Category.TOOLS,
    arguments=(PROFILE, SERVER),
    examples=(
        Example("-- memcached -t 4 -m 1024", "Start memcached."),
        Example("--profile mine.toml -- memcached", "Its updates use this profile, whichever build is running then."),
    ),
    front_ends=EVERYWHERE,
)
def run(context: Context, *, profile: Path | None, server: tuple[str, ...]) -> RunResult:
    """The verb."""
    return context.services.run_server(server, context.updater, profile)


@command(
    "shell",
    help="A console for all verbs, with completion.",
    description="The verbs are the same, and those of a step-wise update are there too. Input that is no terminal "
    "works as a script: it ends at the first verb that fails, with its exit status.",
    category=Category.TOOLS,
    examples=(Example("", "Open the console."),),
    front_ends=FrontEnd.CLI,
)
def shell(context: Context) -> ShellResult:
    """The verb."""
    return context.services.shell()


@command(
    "gdbinit",
    help="Print the file that brings the verbs into GDB.",
    description="In GDB, or in your ~/.gdbinit: source FILE. Then `help mcr` explains all. Works with `gdb -p PID` "
    "and with no process.",
    category=Category.TOOLS,
    examples=(Example("", 'For instance: gdb -ex "source $(mcr gdbinit)" -p PID'),),
    front_ends=FrontEnd.CLI,
)
def gdbinit(context: Context) -> PathResult:
    """The verb."""
    return PathResult(str(context.services.gdbinit()))
