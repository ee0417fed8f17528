"""Annotation files: read, parsed and checked, with everything that is wrong told at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gdb_mcr.annotations.check import Checker
from gdb_mcr.annotations.embedded import annotations_of, is_source
from gdb_mcr.annotations.grammar import rule_files
from gdb_mcr.annotations.labels import Label
from gdb_mcr.annotations.syntax import parse_text
from gdb_mcr.errors import InvalidAnnotations
from gdb_mcr.model.annotation import Annotations
from gdb_mcr.model.program import Program
from gdb_mcr.model.statement import Statement
from gdb_mcr.source import Problem, Span

MAX_BYTES = 1 << 20
"""Bytes of one annotation file."""


@dataclass(slots=True)
class _Parsed:
    statements: list[Statement] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    lines: dict[str, list[str]] = field(default_factory=dict)


def parse_files(files: Sequence[Path]) -> tuple[Statement, ...]:
    """The statements of the files; no name is looked up.

    :raises InvalidAnnotations: files that cannot be read, and all syntax errors.
    """
    parsed = _parse(files)
    _raise_if_wrong(parsed.problems)
    return tuple(parsed.statements)


def load(files: Sequence[Path], old: Program, new: Program) -> Annotations:
    """What the files and the built-in rules (`grammar/rules/`) say about the two programs.

    :raises InvalidAnnotations: everything that is wrong: files, syntax, names, contradictions.
    :raises InstallationError: the grammar is not there.
    """
    rules, rule_problems = _check(rule_files(), old, new, lenient=True)
    theirs, problems = _check(files, old, new, lenient=False)
    _raise_if_wrong([*rule_problems, *problems])
    return _joined(theirs, rules)


def _check(files: Sequence[Path], old: Program, new: Program, *, lenient: bool) -> tuple[Annotations, list[Problem]]:
    parsed = _parse(files)
    checker = Checker(old, new, parsed.lines, lenient=lenient)
    annotations = checker.check(parsed.statements)
    return annotations, parsed.problems + checker.problems


# The user's rules come last: where two speak of one place, the later one holds.
def _joined(theirs: Annotations, rules: Annotations) -> Annotations:
    said = {(rule.place.subject, rule.place.old, rule.place.old_path) for rule in theirs.rules}
    handled = {(one.place.subject, one.place.old) for one in theirs.handlers}
    kept = [one for one in rules.rules if (one.place.subject, one.place.old, one.place.old_path) not in said]
    return replace(
        theirs,
        rules=(*kept, *theirs.rules),
        never_merge_types=rules.never_merge_types | theirs.never_merge_types,
        never_merge_libraries=(*rules.never_merge_libraries, *theirs.never_merge_libraries),
        libraries=(*rules.libraries, *theirs.libraries),
        free_types=(*rules.free_types, *theirs.free_types),
        plain_pointers=(*rules.plain_pointers, *theirs.plain_pointers),
        handlers=(
            *(one for one in rules.handlers if (one.place.subject, one.place.old) not in handled),
            *theirs.handlers,
        ),
        facts=(*rules.facts, *theirs.facts),
    )


def _parse(files: Sequence[Path]) -> _Parsed:
    parsed = _Parsed()
    for file in files:
        text = read_text(file)
        if isinstance(text, Problem):
            parsed.problems.append(text)
            continue
        parsed.lines[str(file)] = [line.rstrip("\r") for line in text.split("\n")]
        one = parse_text(annotations_of(text) if is_source(file) else text, str(file))
        parsed.statements += one.statements
        parsed.problems += [_with_its_line(problem, parsed.lines[str(file)]) for problem in one.problems]
    return parsed


# The line as it stands in the file, where the parser saw only the comments of it.
def _with_its_line(problem: Problem, lines: Sequence[str]) -> Problem:
    return replace(problem, source_line=lines[problem.span.line - 1])


def read_text(file: Path) -> str | Problem:
    """What stands in a file, or why that cannot be said."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            return _unreadable(file, f"it has more than {MAX_BYTES} bytes")
        return content.decode()
    except OSError as error:
        return _unreadable(file, error.strerror or str(error))
    except UnicodeDecodeError as error:
        return _unreadable(file, f"byte {error.start} is not UTF-8")


def _unreadable(file: Path, reason: str) -> Problem:
    span = Span(str(file), 1, 1, 1, 1)
    return Problem(Label.UNREADABLE.value, span, f"cannot read this file: {reason}")


def _raise_if_wrong(problems: Sequence[Problem]) -> None:
    if problems:
        raise InvalidAnnotations(problems)
