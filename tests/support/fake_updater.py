"""A `LiveUpdater` that touches no process: it answers canned results and notes what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from gdb_mcr.errors import McrError, TargetError
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.inspection import (
    AnnotationsResult,
    Change,
    DiffResult,
    FdRow,
    FdsResult,
    FieldFate,
    HistoryResult,
    HistoryRow,
    LogResult,
    LogRow,
    ObjectResult,
    ServerStatus,
    StatusResult,
    SuggestionResult,
    ThreadRow,
    ThreadsResult,
)
from gdb_mcr.model.profile import (
    EventOrigin,
    ProcessClass,
    Profile,
    ProfiledLoop,
    ProfiledStop,
    ProfileResult,
    Stability,
    ThreadClass,
)
from gdb_mcr.model.results import Build, CheckResult, PhaseResult, UpdateResult, Verdict
from gdb_mcr.model.step_results import (
    AuditResult,
    QuiesceResult,
    ReleaseResult,
    RollbackResult,
    StartResult,
    TransferResult,
)
from gdb_mcr.model.steps import Phase, SessionState, Step, state_after
from gdb_mcr.model.stop_point import StopPointKind, ThreadRole
from gdb_mcr.model.strategy import Strategy
from gdb_mcr.update.api import ProfileOptions, ProgramRef, Progress, UpdateOptions

OLD_PID, NEW_PID = 4711, 4799
OLD_BUILD, NEW_BUILD = Build("/srv/old/server", "aa" * 20), Build("/srv/new/server", "bb" * 20)

LOSS = Finding(
    "R2:conn.rbuf",
    "R2",
    True,
    "conn.rbuf was changed by the old server and has no home in the new one",
    "conns[3].rbuf",
    "rename conn.rbuf -> read_buffer;\nor drop conn.rbuf;",
)
DOUBT = Finding("R10:protocol", "R10", False, "enum protocol was renumbered", "", "")

PHASES = tuple(
    PhaseResult(phase, 0.001 * (number + 1), {"objects": number, "bytes_copied": 1_000_000 * number})
    for number, phase in enumerate(Phase)
)
COUNTS = {"objects": 200_123, "bytes_copied": 10_200_000, "connections_kept": 100}

COMMITTED = UpdateResult(
    Verdict.COMMITTED, (OLD_PID,), (NEW_PID,), PHASES, COUNTS, warnings=("the old server left a file",), pause_s=0.041
)
WOULD_COMMIT = replace(COMMITTED, verdict=Verdict.WOULD_COMMIT, new_pids=(), warnings=())
REFUSED = UpdateResult(Verdict.REFUSED, (OLD_PID,), (), PHASES[:4], {}, (DOUBT, LOSS), blocking=(LOSS.id,))
ROLLED_BACK = UpdateResult(
    Verdict.ROLLED_BACK,
    (OLD_PID,),
    (),
    PHASES[:3],
    {},
    failure="the new server exited at once with status 1",
    hint="run it by hand to see why",
)
THREAD = ThreadRow(OLD_PID, OLD_PID, "main", "initiator", "epoll_wait", "quiescent", ("epoll_wait", "loop", "main"))
WAIT = ProfiledStop("epoll_wait", ("loop", "work"), StopPointKind.QUIESCENT, EventOrigin.EXTERNAL, 1234, 9.5, 0.25)
LOCK = ProfiledStop(
    "pthread_mutex_lock", ("handle", "loop", "work"), StopPointKind.BLOCKING, EventOrigin.INTERNAL, 3, 0.001, 0.0005
)
WORKERS = ProcessClass(
    ("spawn", "main"),
    2,
    Stability.STABLE,
    (
        ThreadClass(
            "work", ("main",), 5, 4, ThreadRole.INITIATOR, Stability.STABLE, True, ProfiledLoop("loop", 9), (WAIT, LOCK)
        ),
        ThreadClass("once", (), 6, 17, ThreadRole.UNKNOWN, Stability.VOLATILE, False, None, ()),
    ),
)
SERVER = ServerStatus(OLD_PID, OLD_BUILD, "recorded", 0, 1, 4, 12, 5000, 1_500_000, "server -t 4", ("it is stopped",))


@dataclass(slots=True)
class FakeUpdater:
    """Each verb's answer can be set; `fails` is raised by all of them."""

    calls: list[tuple[object, ...]] = field(default_factory=list)
    pids: tuple[int, ...] = (OLD_PID,)
    outcome: UpdateResult = COMMITTED
    findings: tuple[Finding, ...] = ()
    converges: bool = True
    fails: McrError | None = None
    session: FakeSession | None = None
    on_update: Callable[[int], None] = lambda pid: None
    """Called by `update` and by a session's first step, in the place of all work."""

    def prepare_run(self, command: Sequence[str], profile: Path | None = None) -> Callable[[], NoReturn]:
        self._note("prepare_run", tuple(command), *([profile] if profile is not None else []))

        def execute() -> NoReturn:
            raise SystemExit(f"exec {' '.join(command)}")

        return execute

    def profile(self, pid: int, options: ProfileOptions) -> ProfileResult:
        self._note("profile", pid, options)
        found = Profile(OLD_BUILD, ("server",), options.load, 10.0, 1000, 12, (WORKERS,))
        return ProfileResult(found, str(options.output), ("the load ended with exit status 1",))

    def check(self, old: ProgramRef, new: Path, options: UpdateOptions) -> CheckResult:
        self._note("check", old, new, options)
        return CheckResult(OLD_BUILD, NEW_BUILD, self.findings, self._blocking())

    def update(self, pid: int, new: Path, options: UpdateOptions, progress: Progress) -> UpdateResult:
        self._note("update", pid, new, options)
        self.on_update(pid)
        for one in self.outcome.phases:
            progress.started(one.name)
            progress.finished(one)
        return replace(self.outcome, old_pids=(pid,))

    def open_session(self, pid: int) -> FakeSession:
        self._note("open_session", pid)
        self.session = FakeSession(self, (pid,))
        return self.session

    def servers(self) -> tuple[int, ...]:
        return self.pids

    def status(self, pid: int | None) -> StatusResult:
        self._note("status", pid)
        return StatusResult((SERVER,) if self.pids else ())

    def threads(self, pid: int) -> ThreadsResult:
        self._note("threads", pid)
        return ThreadsResult(pid, (THREAD,))

    def fds(self, pid: int) -> FdsResult:
        self._note("fds", pid)
        return FdsResult(pid, (FdRow(pid, 26, "listener", "0.0.0.0:11211", "start-up", "same number", ("socket",)),))

    def log(self, pid: int) -> LogResult:
        self._note("log", pid)
        rows = tuple(LogRow(n, pid, "open", f'"/etc/{n}"', str(n), f"{n:016x}", ("open", "main")) for n in range(5))
        return LogResult(pid, False, rows, dropped=1)

    def diff(self, old: ProgramRef, new: Path, annotations: tuple[Path, ...]) -> DiffResult:
        self._note("diff", old, new, annotations)
        return DiffResult(OLD_BUILD, NEW_BUILD, (Change("type", "conn", "changed", "conn.h", ("rbuf: removed",)),))

    def explain(self, pid: int, expression: str, new: Path | None, options: UpdateOptions) -> ObjectResult:
        self._note("explain", pid, expression, new, options)
        fates = (FieldFate("port", "theirs: changed since start-up", "11211", "11300", "11211"),)
        return ObjectResult(
            0x7F0012340010,
            48,
            "settings",
            "struct settings",
            "declared",
            "merged",
            "both have it",
            ("main",),
            "",
            fates,
        )

    def history(self, pid: int | None) -> HistoryResult:
        self._note("history", pid)
        when = "2026-01-02T03:04:05"
        row = HistoryRow(when, Verdict.COMMITTED, (OLD_PID,), (NEW_PID,), OLD_BUILD, NEW_BUILD, 0.02, "slow disk")
        return HistoryResult((replace(row, when="2025-01-02T03:04:05"), row))

    def suggest(self, old: ProgramRef, new: Path, annotations: tuple[Path, ...]) -> SuggestionResult:
        self._note("suggest", old, new, annotations)
        return SuggestionResult(OLD_BUILD, NEW_BUILD, 1, ("// drop conn.rbuf;",))

    def annotations(self, files: tuple[Path, ...], old: ProgramRef | None, new: Path | None) -> AnnotationsResult:
        self._note("annotations", files, old, new)
        builds = (OLD_BUILD, NEW_BUILD) if old is not None else ()
        return AnnotationsResult(tuple(map(str, files)), tuple(f"{file}:1: drop x;" for file in files), builds)

    def _note(self, *call: object) -> None:
        self.calls.append(call)
        if self.fails is not None:
            raise self.fails

    def _blocking(self) -> tuple[str, ...]:
        return tuple(one.id for one in self.findings if one.certain)


@dataclass(slots=True)
class FakeSession:
    """Keeps the state as `model.steps` says and refuses what is not legal, so that tests see what reaches it."""

    updater: FakeUpdater
    old_pids: tuple[int, ...]
    new_pids: tuple[int, ...] = ()
    state: SessionState = SessionState.IDLE
    closed: bool = False

    def start(self, new: Path, options: UpdateOptions, progress: Progress) -> StartResult:
        self._begin("start", new, options)
        blocking = self.updater._blocking()
        if not blocking:
            self._take(Step.START)
            self.new_pids = (NEW_PID,)
        return StartResult(self.new_pids, PHASES[:3], self.updater.findings, blocking)

    def quiesce(
        self,
        timeout_s: float,
        progress: Progress,
        strategy: Strategy = Strategy.BARRIER,
        profile: Path | None = None,
    ) -> QuiesceResult:
        wishes = [strategy] if strategy is not Strategy.BARRIER else []
        self._begin("quiesce", timeout_s, *wishes, *([profile] if profile is not None else []))
        if not self.updater.converges:
            return QuiesceResult(self.old_pids[0], False, timeout_s, (), ("worker 3 runs in sort() since 2.1 s",))
        self._take(Step.QUIESCE)
        return QuiesceResult(self.old_pids[0], True, 0.012, (THREAD,))

    def release(self) -> ReleaseResult:
        self.updater._note("release")
        self._take(Step.RELEASE)
        return ReleaseResult(self.old_pids[0], 0.5)

    def transfer(self, *, dry_run: bool, progress: Progress) -> TransferResult:
        self.updater._note("transfer", dry_run)
        blocking = self.updater._blocking()
        if not dry_run and not blocking:
            self._take(Step.TRANSFER)
        return TransferResult(dry_run, PHASES[5:6], COUNTS, self.updater.findings, blocking)

    def audit(self) -> AuditResult:
        self.updater._note("audit")
        self._take(Step.AUDIT)
        return AuditResult(0.003, {"words": 1_000_000})

    def commit(self) -> UpdateResult:
        self.updater._note("commit")
        self._take(Step.COMMIT)
        return replace(COMMITTED, old_pids=self.old_pids)

    def rollback(self) -> RollbackResult:
        self.updater._note("rollback")
        ended = self.new_pids
        self._take(Step.ROLLBACK)
        self.new_pids = ()
        return RollbackResult(self.old_pids, ended, 0.7)

    def close(self) -> None:
        self.closed = True
        self.state = SessionState.IDLE if self.state is not SessionState.COMMITTED else self.state

    def _begin(self, *call: object) -> None:
        if self.state is SessionState.IDLE:
            self.updater.on_update(self.old_pids[0])
        self.updater._note(*call)

    def _take(self, step: Step) -> None:
        after = state_after(step, self.state)
        if after is None:
            raise TargetError(f"{step.value} reached the session in state {self.state.value}")
        self.state = after
