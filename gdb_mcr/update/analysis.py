"""ANALYZE: what the two builds' debug information says, before any process is touched."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gdb_mcr.annotations.load import load
from gdb_mcr.comparison.match import match_programs
from gdb_mcr.comparison.static_findings import static_findings
from gdb_mcr.dwarf.load import load_program
from gdb_mcr.errors import TargetError
from gdb_mcr.model.annotation import Annotations
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.match import Match
from gdb_mcr.model.program import Program
from gdb_mcr.model.results import Build
from gdb_mcr.update.api import ProgramRef


@dataclass(frozen=True, slots=True)
class Analysis:
    """Two builds, and how one continues the other."""

    old: Program
    new: Program
    annotations: Annotations
    match: Match
    findings: tuple[Finding, ...]
    """The static ones."""

    @property
    def stranger(self) -> tuple[Finding, ...]:
        """Findings for which there is no point in starting N: another program, another process model."""
        return tuple(one for one in self.findings if one.kind == "R8" and one.certain)


def analyse(old: Path, new: Path, files: Sequence[Path]) -> Analysis:
    """Both programs, matched.

    :raises AnalysisError: a file cannot be analysed.
    :raises AnnotationError: the annotations do not fit the two programs.
    """
    before, after = load_program(old), load_program(new)
    annotations = load(files, before, after)
    match = match_programs(before, after, annotations)
    return Analysis(before, after, annotations, match, static_findings(before, after, match, annotations))


def program_file(program: ProgramRef) -> Path:
    """The ELF file of a program that is named by its pid or its path; the file may have been replaced since.

    :raises TargetError: there is no such process.
    """
    if isinstance(program, Path):
        return program
    link = Path(f"/proc/{program}/exe")
    try:
        named = link.readlink()
    except FileNotFoundError:
        raise TargetError(f"there is no process {program}", hint="see `mcr status` for the servers that run") from None
    except PermissionError:
        hint = "run mcr as the server's user or as root"
        raise TargetError(f"not permitted to look at process {program}", hint=hint) from None
    with suppress(OSError):
        if named.samefile(link):
            return named
    return link


def build_of(program: Program) -> Build:
    """The program as results name it."""
    return Build(program.path, program.build_id)
