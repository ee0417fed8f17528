"""What front ends ask of the update machinery: the seam between `commands/` and everything below.

`wiring.make_updater()` makes the real `LiveUpdater`; tests pass one of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NoReturn, Protocol

from gdb_mcr.model.inspection import (
    AnnotationsResult,
    DiffResult,
    FdsResult,
    HistoryResult,
    LogResult,
    ObjectResult,
    StatusResult,
    SuggestionResult,
    ThreadsResult,
)
from gdb_mcr.model.profile import ProfileResult
from gdb_mcr.model.results import CheckResult, PhaseResult, UpdateResult
from gdb_mcr.model.step_results import (
    AuditResult,
    QuiesceResult,
    ReleaseResult,
    RollbackResult,
    StartResult,
    TransferResult,
)
from gdb_mcr.model.steps import Phase, SessionState
from gdb_mcr.model.strategy import Strategy

ProgramRef = int | Path
"""A program, named by the pid of a server that runs it or by its file."""

NEVER_OVERRIDDEN = frozenset({"R6", "R7", "R8", "R15"})
"""Kinds of findings that ``--yes-to`` does not override (DESIGN section 11)."""


class Strictness(Enum):
    """How findings that are warnings by default count."""

    DEFAULT = "default"
    STRICT = "strict"
    """Warnings such as R11 refuse the update; N's ghost data is unreadable."""


class MemoryPath(Enum):
    """How a server's memory is read and written."""

    MCR = "mcr"
    """The plugin's custom MI commands."""
    MI = "mi"
    """GDB/MI's own memory commands: slow, and independent of the engine."""


@dataclass(frozen=True, slots=True)
class UpdateOptions:
    """What a user may decide about one update."""

    annotations: tuple[Path, ...] = ()
    args: tuple[str, ...] | None = None
    """N's arguments behind its program name; None = as O was started."""
    dry_run: bool = False
    """Run to AUDIT, then roll back."""
    timeout_s: float = 60.0
    """Seconds for everything up to COMMIT; when they are over the update is rolled back."""
    yes_to: frozenset[str] = frozenset()
    """Ids of findings to override; never of a kind in `NEVER_OVERRIDDEN`."""
    policy: Strictness = Strictness.DEFAULT
    memory: MemoryPath = MemoryPath.MCR
    strategy: Strategy = Strategy.BARRIER
    """How `update` finds the moment at which it stops the old server."""
    profile: Path | None = None
    """By which its threads are judged; None = the one it was started with, else the one kept for its build."""


@dataclass(frozen=True, slots=True)
class ProfileOptions:
    """What a user may decide about a profile."""

    load: str = ""
    """A shell command that is run beside the server, "" for none."""
    seconds: float = 10.0
    """How long to look: without a load, or at most with one."""
    output: Path | None = None
    """The file to write; None = where updates look for it."""


class Progress(Protocol):
    """Whom a long operation tells how far it is. Called from the operation's own thread; must return at once."""

    def started(self, phase: Phase) -> None:
        """``phase`` begins."""
        ...

    def finished(self, result: PhaseResult) -> None:
        """A phase ended well."""
        ...


class NoProgress:
    """Tells nobody."""

    def started(self, phase: Phase) -> None:
        """Nothing."""

    def finished(self, result: PhaseResult) -> None:
        """Nothing."""


class UpdateSession(Protocol):
    """An update that stays open between two commands. The caller keeps to `model.steps.TRANSITIONS`.

    A step that raises leaves `state` true: unchanged, or IDLE if the step rolled the update back.
    """

    @property
    def state(self) -> SessionState:
        """How far it has come."""
        ...

    @property
    def old_pids(self) -> tuple[int, ...]:
        """The processes of O, the root first."""
        ...

    @property
    def new_pids(self) -> tuple[int, ...]:
        """The processes of N, the root first; empty while there is no N."""
        ...

    def start(self, new: Path, options: UpdateOptions, progress: Progress) -> StartResult:
        """ANALYZE, REHEARSE, REINIT: start N and hold it. ``options.dry_run`` is ignored."""
        ...

    def quiesce(
        self,
        timeout_s: float,
        progress: Progress,
        strategy: Strategy = Strategy.BARRIER,
        profile: Path | None = None,
    ) -> QuiesceResult:
        """ATTACH, QUIESCE: bring O to a quiescent point. If that fails O runs on and the state is as before.

        :param profile: as in `UpdateOptions`.
        :raises UsageError: FUNCTION needs a new build: `start` first.
        """
        ...

    def release(self) -> ReleaseResult:
        """Let O run on and detach from it; N, if there is one, stays held."""
        ...

    def transfer(self, *, dry_run: bool, progress: Progress) -> TransferResult:
        """Move O's state into N, or only plan it. If a finding blocks, the state stays READY and N is unwritten."""
        ...

    def audit(self) -> AuditResult:
        """Look N over. If a finding blocks, the state stays TRANSFERRED."""
        ...

    def commit(self) -> UpdateResult:
        """Release N and end O. The session is over."""
        ...

    def rollback(self) -> RollbackResult:
        """End N, let O run on, detach. The session is over."""
        ...

    def close(self) -> None:
        """Roll back whatever is open; nothing if nothing is. Called when the front end ends; must not raise."""
        ...


class LiveUpdater(Protocol):
    """All that front ends can ask for. Everything that goes wrong is an `McrError`.

    KeyboardInterrupt during an update rolls it back; `update` then answers ROLLED_BACK with failure "interrupted".
    """

    def prepare_run(self, command: Sequence[str], profile: Path | None = None) -> Callable[[], NoReturn]:
        """Prepare the server ``command`` (``execvp``'s rules) to run under libmcr; the answer execs it.

        What the exec needs (descriptors, environment) may already be set up in this process.

        :param profile: what updates of the server, and of its successors, use if they are given none.
        :raises UsageError: there is no such program.
        :raises AnalysisError: it cannot be prepared (32-bit, stripped…).
        """
        ...

    def profile(self, pid: int, options: ProfileOptions) -> ProfileResult:
        """Watch the threads of a server that `prepare_run` has just started for this, and end it whatever happens.

        :raises TargetError: it ended by itself, or does not come to the end of its start-up.
        :raises UsageError: the profile cannot be written.
        """
        ...

    def check(self, old: ProgramRef, new: Path, options: UpdateOptions) -> CheckResult:
        """The static findings; nothing is touched."""
        ...

    def update(self, pid: int, new: Path, options: UpdateOptions, progress: Progress) -> UpdateResult:
        """The whole update.

        :raises TargetError: the server cannot be worked on; nothing was touched.
        :raises AnalysisError: NEW cannot be analysed; nothing was touched.
        :raises AnnotationError: the annotations do not fit; nothing was touched.
        Failures after the first phase began are a result with verdict ROLLED_BACK, findings one with REFUSED.
        """
        ...

    def open_session(self, pid: int) -> UpdateSession:
        """Begin a step-wise update of the server ``pid``; its state is IDLE and nothing has been touched.

        While it is open the inspecting methods work through it, since the server's tracer slot is taken.
        :raises TargetError: the server cannot be worked on.
        """
        ...

    def servers(self) -> tuple[int, ...]:
        """The pids of this user's servers that run under libmcr, cheaply: completion calls it."""
        ...

    def status(self, pid: int | None) -> StatusResult:
        """One server, or all that run under libmcr. ``session`` is left None."""
        ...

    def threads(self, pid: int) -> ThreadsResult:
        """The threads of all processes of the server; it is attached to for some milliseconds."""
        ...

    def fds(self, pid: int) -> FdsResult:
        """The descriptors of all processes of the server."""
        ...

    def log(self, pid: int) -> LogResult:
        """The start-up log."""
        ...

    def diff(self, old: ProgramRef, new: Path, annotations: tuple[Path, ...]) -> DiffResult:
        """All differences between two builds; annotations may rename."""
        ...

    def explain(self, pid: int, expression: str, new: Path | None, options: UpdateOptions) -> ObjectResult:
        """What the object at an address ("0x…") or at a path ("variable.field.path") is.

        :param new: the build whose update is to be explained; None = say nothing of its fate.
        :raises UsageError: no such object.
        """
        ...

    def history(self, pid: int | None) -> HistoryResult:
        """Past updates of one server's line of processes, or of all."""
        ...

    def suggest(self, old: ProgramRef, new: Path, annotations: tuple[Path, ...]) -> SuggestionResult:
        """What annotations could settle the findings of `check`, in comments."""
        ...

    def annotations(self, files: tuple[Path, ...], old: ProgramRef | None, new: Path | None) -> AnnotationsResult:
        """Parse the files, and check them if both programs are given.

        :raises AnnotationError: all that is wrong with them.
        """
        ...
