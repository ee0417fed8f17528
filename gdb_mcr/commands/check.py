"""`check`, `diff`, `annotations`: what can be said before anything is touched."""

from __future__ import annotations

from pathlib import Path

from gdb_mcr.commands.arguments import Argument, Kind
from gdb_mcr.commands.context import Context
from gdb_mcr.commands.registry import Category, Example, FrontEnd, command
from gdb_mcr.commands.shared import ANNOTATIONS, NEW, OLD, POLICY, options_of, the_program
from gdb_mcr.errors import UsageError
from gdb_mcr.model.inspection import AnnotationsResult, DiffResult
from gdb_mcr.model.results import CheckResult
from gdb_mcr.update.api import ProgramRef


@command(
    "check",
    help="Say what speaks against an update, without touching anything.",
    description="Compares the debug information of both builds. Each finding is certain, or possible: then it "
    "depends on what is in memory, and `update --dry-run` knows more. Exit status 0 if nothing speaks against the "
    "update, 1 otherwise.",
    category=Category.UPDATE,
    arguments=(OLD, NEW, ANNOTATIONS, POLICY),
    examples=(
        Example("4711 ./memcached-new", "Check an update of the server 4711."),
        Example("./memcached-old ./memcached-new --json -", "Compare two files; no server is needed."),
    ),
)
def check(
    context: Context, *, old: ProgramRef | None, new: Path, annotations: tuple[Path, ...], policy: str
) -> CheckResult:
    """The verb."""
    options = options_of(context, annotations, policy=policy)
    result = context.updater.check(the_program(context, old), new, options)
    context.note_findings(result.findings)
    return result


@command(
    "diff",
    help="List all differences between two builds.",
    description="Types, members, enum constants, variables, functions and libraries that were added, removed, "
    "changed or renamed, whether that matters for an update or not.",
    category=Category.UPDATE,
    arguments=(OLD, NEW, ANNOTATIONS),
    examples=(Example("./memcached-old ./memcached-new", "What changed between two releases?"),),
)
def diff(context: Context, *, old: ProgramRef | None, new: Path, annotations: tuple[Path, ...]) -> DiffResult:
    """The verb."""
    return context.updater.diff(the_program(context, old), new, (*context.annotation_files, *annotations))


FILES = Argument("files", Kind.FILE, "files of annotations", "FILE", optional=True, repeat=True)
OLD_SIDE = Argument("--old", Kind.PROGRAM, "the program that old names are looked up in", "PID|OLD_BIN")
NEW_SIDE = Argument("--new", Kind.BINARY, "the program that new names are looked up in", "NEW_BIN")


@command(
    "annotations",
    help="Check files of annotations; in GDB and the shell, use them from now on.",
    description="Without --old and --new only the syntax is checked. All errors are shown at once, each with its "
    "place. In GDB and in mcr shell the files are then used by the verbs that follow, instead of those named before; "
    "without files none are.",
    category=Category.UPDATE,
    arguments=(FILES, OLD_SIDE, NEW_SIDE),
    examples=(
        Example("mine.mcr", "Is the syntax right?"),
        Example("mine.mcr --old 4711 --new ./memcached-new", "Does every name exist?"),
    ),
)
def annotations_(
    context: Context, *, files: tuple[Path, ...], old: ProgramRef | None, new: Path | None
) -> AnnotationsResult:
    """The verb."""
    if context.front_end is FrontEnd.CLI and not files:
        raise UsageError("which files?", hint="usage: mcr annotations FILE… [--old PID|OLD_BIN --new NEW_BIN]")
    if (old is None) != (new is None):
        raise UsageError("names are looked up in two programs", hint="give both --old and --new, or neither")
    result = context.updater.annotations(files, old, new)
    context.annotation_files = files
    return result
