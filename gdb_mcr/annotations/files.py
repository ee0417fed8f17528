"""Annotation files in their one form on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gdb_mcr.annotations.embedded import is_source
from gdb_mcr.annotations.format import format_text
from gdb_mcr.annotations.load import read_text
from gdb_mcr.annotations.syntax import parse_text
from gdb_mcr.errors import InvalidAnnotations, UsageError
from gdb_mcr.source import Problem


def format_files(files: Sequence[Path], *, write: bool) -> tuple[Path, ...]:
    """Which of the files are not in their one form; with ``write``, they are when this returns.

    Files are replaced in one step each, and none is if any does not parse.

    :raises InvalidAnnotations: all that is wrong with the files' syntax.
    :raises UsageError: a file is C source, or cannot be written.
    """
    formatted = _formatted(files)
    if write:
        for file, text in formatted.items():
            _replace(file, text)
    return tuple(formatted)


def _formatted(files: Sequence[Path]) -> dict[Path, str]:
    changed: dict[Path, str] = {}
    problems: list[Problem] = []
    for file in files:
        if is_source(file):
            raise UsageError(f"{file} is C source", hint="only files of annotations are formatted")
        text = read_text(file)
        if isinstance(text, Problem):
            problems.append(text)
            continue
        problems += parse_text(text, str(file)).problems
        if not problems and (new := format_text(text)) != text:
            changed[file] = new
    if problems:
        raise InvalidAnnotations(problems)
    return changed


# A reader never sees half a file; links stay links.
def _replace(file: Path, text: str) -> None:
    target = file.resolve()
    try:
        mode = target.stat().st_mode & 0o7777
        with tempfile.NamedTemporaryFile("w", dir=target.parent, prefix=".mcr-", delete=False) as stream:
            temporary = Path(stream.name)
            try:
                stream.write(text)
                stream.flush()
                os.fchmod(stream.fileno(), mode)
                temporary.replace(target)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from error
