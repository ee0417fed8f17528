"""`annotate`, `fmt`: helpers for writing files of annotations."""

from __future__ import annotations

from pathlib import Path

from gdb_mcr.annotations.files import format_files
from gdb_mcr.commands.arguments import Argument, Kind
from gdb_mcr.commands.context import Context
from gdb_mcr.commands.registry import Category, Example, command
from gdb_mcr.commands.shared import ANNOTATIONS, NEW, OLD, the_program
from gdb_mcr.errors import UsageError
from gdb_mcr.model.inspection import FormatResult, SuggestionResult
from gdb_mcr.update.api import ProgramRef


@command(
    "annotate",
    help="Write a skeleton of annotations for two builds.",
    description="With --suggest, each finding of `check` becomes a comment with the statements that could settle it: "
    "for a field that is gone the new ones that it may have become, for a type whose fields changed a transfer "
    "handler to fill in. Which of them is true only the two sources say, so all of it is commented out. It goes to "
    "standard output. What --annotations say already is left out.",
    category=Category.UPDATE,
    arguments=(
        OLD,
        NEW,
        Argument("--suggest", Kind.FLAG, "write what could settle the findings of `check`"),
        ANNOTATIONS,
    ),
    examples=(Example("./memcached-old ./memcached-new --suggest", "Begin a file: add `> mine.mcr`."),),
)
def annotate(
    context: Context, *, old: ProgramRef | None, new: Path, suggest: bool, annotations: tuple[Path, ...]
) -> SuggestionResult:
    """The verb."""
    if not suggest:
        raise UsageError("what shall be written?", hint="--suggest writes what could settle the findings of `check`")
    return context.updater.suggest(the_program(context, old), new, (*context.annotation_files, *annotations))


FILES = Argument("files", Kind.FILE, "files of annotations", "FILE", repeat=True)


@command(
    "fmt",
    help="Write files of annotations in their one form.",
    description="One statement or step a line, four blanks of indentation a block, trailing comments in one column. "
    "Comments, blank lines and line breaks inside statements stay. A file that does not parse is not touched. With "
    "--check nothing is written; exit status 1 then says that a file would be.",
    category=Category.TOOLS,
    arguments=(FILES, Argument("--check", Kind.FLAG, "only say which files would change")),
    examples=(Example("mine.mcr", "Tidy a file up."), Example("--check mine.mcr", "Is it tidy?")),
)
def fmt(context: Context, *, files: tuple[Path, ...], check: bool) -> FormatResult:
    """The verb."""
    changed = format_files(files, write=not check)
    return FormatResult(tuple(map(str, files)), tuple(map(str, changed)), check)
