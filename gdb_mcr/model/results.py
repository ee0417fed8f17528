"""What the verbs answer: values that `render/` turns into text or JSON and tests compare.

Every result has an ``exit_status`` (0, 1 or 3, see `Verdict`). The JSON of a result has its fields under their names;
the fields of `UpdateResult` are an interface that scripts use and only grow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from gdb_mcr.model.finding import Finding
from gdb_mcr.model.steps import Phase


class Result(Protocol):
    """What all results have."""

    @property
    def exit_status(self) -> int:
        """Exit status of a program whose only work was this verb."""
        ...


class Harmless:
    """A result that is never a failure."""

    __slots__ = ()

    @property
    def exit_status(self) -> int:
        """Always 0."""
        return 0


class Verdict(Enum):
    """How an update ended. The values are the words of the JSON."""

    COMMITTED = "committed"
    """N serves (exit status 0)."""
    WOULD_COMMIT = "would-commit"
    """A dry run found nothing against the update; it was rolled back (exit status 0)."""
    REFUSED = "refused"
    """Findings or conflicts speak against it; O serves on (exit status 1)."""
    ROLLED_BACK = "rolled-back"
    """A phase failed; O serves on (exit status 3)."""

    @property
    def exit_status(self) -> int:
        """The exit status of `mcr update`."""
        return {Verdict.REFUSED: 1, Verdict.ROLLED_BACK: 3}.get(self, 0)


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """One phase: how long it took and what it counted.

    Keys of ``counts`` that begin with "bytes" are shown as sizes; the others as plain numbers.
    """

    name: Phase
    seconds: float
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Build:
    """One build of a program."""

    path: str
    build_id: str
    """Hexadecimal."""


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """What `update` and `commit` answer."""

    verdict: Verdict
    old_pids: tuple[int, ...]
    """The processes of O, the root first."""
    new_pids: tuple[int, ...]
    """The processes of N, the root first; empty unless committed."""
    phases: tuple[PhaseResult, ...]
    """In the order in which they ran."""
    counts: Mapping[str, int]
    """Totals over all phases: objects, bytes_copied, connections_kept…"""
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    blocking: tuple[str, ...] = ()
    """Ids of the findings that speak against the update and were not overridden."""
    overridden: tuple[str, ...] = ()
    """Ids of the findings that ``--yes-to`` overrode."""
    pause_s: float = 0.0
    """Seconds from O's stop to its successor's first instruction, or to O's own when rolled back."""
    failure: str = ""
    """Rolled back: what failed, one sentence."""
    hint: str = ""
    """Rolled back: what the user can do."""
    old_ended: bool = False
    """Not committed: the old server has ended by itself meanwhile, so nothing serves."""

    @property
    def exit_status(self) -> int:
        """As the verdict says."""
        return self.verdict.exit_status

    @property
    def serving_pid(self) -> int:
        """The root process of what serves now."""
        return self.new_pids[0] if self.verdict is Verdict.COMMITTED else self.old_pids[0]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What `check` answers: the static findings."""

    old: Build
    new: Build
    findings: tuple[Finding, ...]
    blocking: tuple[str, ...] = ()
    """Ids of the findings that speak against the update."""

    @property
    def exit_status(self) -> int:
        """0 if nothing speaks against the update, 1 otherwise."""
        return 1 if self.blocking else 0


@dataclass(frozen=True, slots=True)
class RunResult(Harmless):
    """What `run` answers: before this process becomes the server, or once one was started beside it."""

    pid: int
    command: tuple[str, ...]
    is_this_process: bool = False


@dataclass(frozen=True, slots=True)
class PathResult(Harmless):
    """A file that the user is to use."""

    path: str


@dataclass(frozen=True, slots=True)
class ShellResult:
    """What `shell` answers at its end."""

    commands: int
    exit_status: int
    """Of the command that ended a script, 0 otherwise."""
