"""What the verbs of a step-wise update answer; `commit` answers an `UpdateResult`. See `results.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gdb_mcr.model.finding import Finding
from gdb_mcr.model.inspection import ThreadRow
from gdb_mcr.model.results import Harmless, PhaseResult


@dataclass(frozen=True, slots=True)
class StartResult:
    """What `start` answers: N stands held, ready to be filled."""

    new_pids: tuple[int, ...]
    phases: tuple[PhaseResult, ...]
    findings: tuple[Finding, ...] = ()
    blocking: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """0, or 1 if a finding speaks against the update; then no N was left."""
        return 1 if self.blocking else 0


@dataclass(frozen=True, slots=True)
class QuiesceResult:
    """What `quiesce` answers."""

    pid: int
    converged: bool
    """Whether every thread stands at a quiescent point; if not, all of them run again."""
    seconds: float
    threads: tuple[ThreadRow, ...] = ()
    obstacles: tuple[str, ...] = ()
    """Not converged: which thread, where, since when, who holds what."""
    notes: tuple[str, ...] = ()
    """By what the threads were judged, where that is not certain."""

    @property
    def exit_status(self) -> int:
        """0, or 3 if it did not converge."""
        return 0 if self.converged else 3


@dataclass(frozen=True, slots=True)
class ReleaseResult(Harmless):
    """What `release` answers: O serves again."""

    pid: int
    paused_s: float
    """Seconds for which O stood still."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TransferResult:
    """What `transfer` answers."""

    dry_run: bool
    """Whether it only planned: N was not written."""
    phases: tuple[PhaseResult, ...]
    counts: Mapping[str, int]
    findings: tuple[Finding, ...] = ()
    blocking: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """0, or 1 if a finding speaks against the update."""
        return 1 if self.blocking else 0


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What `audit` answers."""

    seconds: float
    counts: Mapping[str, int]
    findings: tuple[Finding, ...] = ()
    blocking: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """0 if clean, else 1."""
        return 1 if self.blocking else 0


@dataclass(frozen=True, slots=True)
class RollbackResult(Harmless):
    """What `rollback` answers: N is gone, O serves."""

    old_pids: tuple[int, ...]
    ended_pids: tuple[int, ...]
    """The processes of N that were ended."""
    paused_s: float
    """Seconds for which O stood still."""
    warnings: tuple[str, ...] = ()
