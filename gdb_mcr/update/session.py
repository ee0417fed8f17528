"""One open update: O, its child GDB, N, and what a rollback needs. Implements `update.api.UpdateSession`.

Source: DESIGN section 3. Until COMMIT nothing in O changes but libmcr's hold and the registers of interrupted waits.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from gdb_mcr.comparison.changed_functions import changed_functions
from gdb_mcr.debugger.child_gdb import ChildGdb
from gdb_mcr.debugger.target_process import check_attachable, check_not_stopped, is_alive
from gdb_mcr.errors import DebuggerError, McrError, UpdateFailed, UsageError
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.inspection import ThreadsResult
from gdb_mcr.model.results import UpdateResult, Verdict
from gdb_mcr.model.step_results import (
    AuditResult,
    QuiesceResult,
    ReleaseResult,
    RollbackResult,
    StartResult,
    TransferResult,
)
from gdb_mcr.model.steps import Phase, SessionState, Step, state_after
from gdb_mcr.model.strategy import Strategy
from gdb_mcr.proc.own_limits import widen_descriptor_limit
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.update.analysis import Analysis, analyse
from gdb_mcr.update.api import NoProgress, Progress, UpdateOptions
from gdb_mcr.update.code_names import CodeNames
from gdb_mcr.update.commit import commit_new, require_still
from gdb_mcr.update.counterparts import thread_findings
from gdb_mcr.update.faults import FaultAction, FaultPoints, planned_fault
from gdb_mcr.update.interrupts import deferred_interrupts
from gdb_mcr.update.new_server import NewServer
from gdb_mcr.update.phases import Counts, PhaseLog
from gdb_mcr.update.process_state import input_findings, kernel_findings
from gdb_mcr.update.quiesce import OldProcessAtRest, quiesce, quiesce_result
from gdb_mcr.update.recorded import RecordedProcess, require_updatable
from gdb_mcr.update.side_view import ModuleLoader, SideView, view_side
from gdb_mcr.update.start_state import check_absent, unsettled_inputs
from gdb_mcr.update.thread_rows import thread_rows
from gdb_mcr.update.transfer_run import PlanOutdated, TransferRun
from gdb_mcr.update.tree_run import AnyRun
from gdb_mcr.update.verdicts import Ruling, check_overrides, rule_on, unused_overrides

RESTARTS = 3
"""Times that N is started again, in the pause, because O had moved on since the placement plan was made."""

LAST_MOMENT_S = 0.05
"""Seconds for O to end if it is about to, after something has failed and O was let go."""


class Session:
    """Use `close` at the end whatever happened: it rolls back what is open."""

    def __init__(self, process: RecordedProcess) -> None:
        """:raises TargetError: the server cannot be updated now."""
        require_updatable(process)
        check_attachable(process.pid)
        check_not_stopped(process.pid)
        self.process = process
        self.state = SessionState.IDLE
        self.options = UpdateOptions()
        self._pidfd = Pidfd(process.pid)
        self._narrow_descriptor_limit = widen_descriptor_limit()  # we hold copies of all that O has open
        self._old_gdb = ChildGdb()
        self._new_gdb = ChildGdb()
        self._rest = OldProcessAtRest(process, self._old_gdb, self._pidfd)
        self._loader = ModuleLoader()
        self.phases = PhaseLog(FaultPoints(planned_fault(), self._victim), self.options.timeout_s)
        self.analysis: Analysis | None = None
        self._new: NewServer | None = None
        self._run: AnyRun | None = None
        self.findings: list[Finding] = []
        self.warnings: list[str] = []
        self.pause_s = 0.0

    @property
    def old_pids(self) -> tuple[int, ...]:
        """The processes of O."""
        return (self.process.pid,)

    @property
    def new_pids(self) -> tuple[int, ...]:
        """The processes of N; empty while there is none."""
        return (self._new.pid,) if self._new is not None and self._new.is_started else ()

    def holds(self, pid: int) -> bool:
        """Whether this process stands still under our debugger."""
        return pid == self.process.pid and self._old_gdb.holds_process

    @property
    def holder(self) -> int | None:
        """The process that traces O for this update; None while O runs."""
        return self._old_gdb.pid if self._old_gdb.holds_process else None

    def threads(self) -> ThreadsResult:
        """The threads of O, which stands still."""
        log = self.process.log()
        names = CodeNames(self.process.pid, log.modules)
        stopped = self._old_gdb.threads()
        return ThreadsResult(
            self.process.pid, thread_rows(self.process.pid, stopped, log.threads, log.operations, names)
        )

    # ---- steps

    def start(self, new: Path, options: UpdateOptions, progress: Progress) -> StartResult:
        """ANALYZE, REHEARSE, REINIT: N stands held."""
        first = len(self.phases.results)
        check_overrides(options)
        self._rest.judge_by(options.profile)
        self.options = options
        self.phases.timeout_s = options.timeout_s
        self._rest.accept_children()
        self._old_gdb.start()
        self._new_gdb.start()
        with self.phases.run(Phase.ANALYZE, progress) as counts:
            self.analysis = analyse(self.process.executable, new, options.annotations)
            counts["types_changed"] = sum(one.kind == "R1" for one in self.analysis.findings)
        ruling = self._rule([*self.analysis.stranger, *self._old_findings(), *self._input_findings()])
        if ruling.blocking:
            return StartResult((), tuple(self.phases.results[first:]), ruling.findings, ruling.blocking)
        server = self._make_new()
        with self._undone_on_error():
            self._new = server
            self._warm_new(new)
            with self.phases.run(Phase.REHEARSE, progress) as counts:
                counts.update(server.rehearse(self._view()))
            with self.phases.run(Phase.REINIT, progress) as counts:
                counts.update(server.start(self._view()))
            ruling = self._rule(server.findings())
        if ruling.blocking:
            self._end_new()
            return StartResult((), tuple(self.phases.results[first:]), ruling.findings, ruling.blocking)
        self.warnings += server.warnings()
        self._take(Step.START)
        phases = tuple(self.phases.results[first:])
        return StartResult(self.new_pids, phases, ruling.findings, (), tuple(self.warnings))

    def quiesce(
        self,
        timeout_s: float,
        progress: Progress,
        strategy: Strategy = Strategy.BARRIER,
        profile: Path | None = None,
    ) -> QuiesceResult:
        """ATTACH, QUIESCE: O stands still, or runs on if it did not come to rest."""
        functions = self._changed_functions() if strategy is Strategy.FUNCTION else ()
        self._judge_by(profile)
        with self._undone_on_error():
            with self.phases.run(Phase.ATTACH, progress) as counts:
                counts["libraries"] = self._warm_old()
                self._expect()
                self._rest.prepare()
                if self._new is not None:
                    counts.update(self._get_ahead())
            with self.phases.run(Phase.QUIESCE, progress) as counts:
                found = quiesce(self._rest, timeout_s, strategy, functions)
                report = found.report
                counts.update(threads=len(report.threads), looks=report.looks, stops=report.stops)
        if report.converged:
            self._take(Step.QUIESCE)
        return quiesce_result(self.process, found)

    def release(self) -> ReleaseResult:
        """O runs on; N, if there is one, stays held."""
        before = self.pause_s
        self._let_old_go()
        self._take(Step.RELEASE)
        return ReleaseResult(self.process.pid, self.pause_s - before)

    def transfer(self, *, dry_run: bool, progress: Progress) -> TransferResult:
        """O's state goes into N, or is only planned."""
        first = len(self.phases.results)
        with self._undone_on_error(), self.phases.run(Phase.TRANSFER, progress) as counts:
            run = self._plan_transfer()
            found = [*self._thread_findings(), *run.findings()]
            ruling = self._rule([*found, *self._unsettled_inputs(found)])
            warnings = run.warnings()
            counts.update(run.counts())
            if ruling.blocking or dry_run:
                self._forget_transfer()
            else:
                counts.update(run.write())
        self.warnings += warnings
        if not ruling.blocking and not dry_run:
            self._take(Step.TRANSFER)
        phases = tuple(self.phases.results[first:])
        return TransferResult(dry_run, phases, phases[-1].counts, ruling.findings, ruling.blocking, tuple(warnings))

    def audit(self, progress: Progress | None = None) -> AuditResult:
        """N is looked over."""
        assert self._run is not None
        assert self._new is not None
        with self._undone_on_error(), self.phases.run(Phase.AUDIT, progress or NoProgress()) as counts:
            found, numbers = self._run.audit()
            ruling = self._rule([*found, *self._new.findings()])
            counts.update(numbers)
        if not ruling.blocking:
            self._take(Step.AUDIT)
        result = self.phases.results[-1]
        return AuditResult(result.seconds, result.counts, ruling.findings, ruling.blocking)

    def commit(self, progress: Progress | None = None) -> UpdateResult:
        """N serves, O ends. A fault behind the one step that cannot be undone is a warning."""
        assert self._new is not None
        pids = self.new_pids
        try:
            with self._undone_on_error(), self.phases.run(Phase.COMMIT, progress or NoProgress()) as counts:
                counts["connections_kept"] = self._new.connections()
                self._new_gdb.check()
                self._old_gdb.check()
                self.warnings += self._commit_new()
                self._note_pause()
                self._warn_if_dead(self._old_gdb, "what the old server did in its last moment may be lost")
        except (McrError, KeyboardInterrupt) as error:
            if not self._is_committed:
                raise
            self.warnings.append(f"after the commit: {str(error) or 'interrupted'}; the new server serves")
        for gdb in (self._old_gdb, self._new_gdb):
            self._warn_if_dead(gdb, "the new server serves")
        result = self.result(Verdict.COMMITTED, new_pids=pids)
        self.state = SessionState.COMMITTED
        self._give_up_resources()
        return result

    def rollback(self) -> RollbackResult:
        """N is gone, O serves."""
        ended = self.new_pids
        self._undo()
        return RollbackResult(self.old_pids, ended, self.pause_s, tuple(self.warnings))

    def close(self) -> None:
        """Rolls back whatever is open, and gives everything back. Never raises an `McrError`."""
        with deferred_interrupts(forgotten=True):
            with suppress(McrError):
                self._undo()
            self._give_up_resources()

    def result(self, verdict: Verdict, failure: McrError | str = "", new_pids: tuple[int, ...] = ()) -> UpdateResult:
        """What came of the update so far."""
        found = self._distinct()
        ruling = rule_on(found, self.options)
        warnings = (*self.warnings, *unused_overrides(found, self.options))
        failed_in = self.phases.current
        return UpdateResult(
            verdict=verdict,
            old_pids=self.old_pids,
            new_pids=new_pids,
            phases=tuple(self.phases.results),
            counts=self.phases.totals(),
            findings=ruling.findings,
            warnings=tuple(dict.fromkeys(warnings)),
            blocking=ruling.blocking if verdict is Verdict.REFUSED else (),
            overridden=ruling.overridden,
            pause_s=self.pause_s,
            failure=f"in {failed_in.value}: {failure}" if failed_in and isinstance(failure, McrError) else str(failure),
            old_ended=verdict is not Verdict.COMMITTED and not is_alive(self.process.pid),
            hint=failure.hint if isinstance(failure, McrError) else "",
        )

    # ---- parts of steps

    def _old_findings(self) -> list[Finding]:
        return kernel_findings(self.process.pid)

    def _make_new(self) -> NewServer:
        assert self.analysis is not None
        return NewServer(self.process, self._pidfd, self.analysis, self.options, self._loader)

    def _commit_new(self) -> list[str]:
        assert self._new is not None
        require_still(self.process.pid, self._old_gdb)
        return commit_new(self._new, self._pidfd)

    def _view(self) -> SideView:
        assert self.analysis is not None
        inputs = self.analysis.annotations.inputs
        return view_side(self.process.memory, self.process.control_address, self.analysis.old, self._loader, inputs)

    def _input_findings(self) -> list[Finding]:
        assert self.analysis is not None
        log, rules = self.process.log(), self.analysis.annotations.inputs
        check_absent(log, self.process.control(), rules)
        return input_findings(log, rules)

    def _unsettled_inputs(self, found: Sequence[Finding]) -> list[Finding]:
        assert self.analysis is not None
        return unsettled_inputs(found, self.process.log, self.process.control(), self.analysis.annotations.inputs)

    def _changed_functions(self) -> frozenset[str]:
        if self.analysis is None:
            raise UsageError(
                "only with a new build it is known which functions change", hint="start the new build first"
            )
        old, new = self.analysis.old, self.analysis.new
        return changed_functions(old, self.process.executable, new, Path(new.path))

    def _warm_old(self) -> int:
        generation = self.process.control().generation
        mine = [Path(one.path) for one in self.process.log().modules if one.generation == generation]
        found = [one for one in mine if one.exists()]
        self._old_gdb.warm(self.process.executable.resolve(), found, self.process.pid)
        return len(found)

    def _warm_new(self, new: Path) -> None:
        assert self._new is not None
        self._new_gdb.warm(new, self._new.libraries)

    def _plan_transfer(self) -> AnyRun:
        assert self._new is not None
        assert self.analysis is not None
        for restarts in range(RESTARTS + 1):
            open_now = self._rest.descriptors
            self._new.bring_descriptors_up_to_date(open_now)
            ends = self._new.ends(self._view(), open_now, self._old_gdb, self._new_gdb)
            run = self._run = TransferRun(ends, self.analysis)
            try:
                run.plan()
                break
            except PlanOutdated:
                run.close()
                if restarts == RESTARTS:
                    raise
            self._new.end()
            self._new.start(self._view())
        return run

    def _get_ahead(self) -> Counts:
        assert self._new is not None
        return self._new.get_ahead(self._view(), self._old_gdb, self._new_gdb)

    def _expect(self) -> None:
        self._rest.expect(self._new.stand(self._new_gdb) if self._new is not None else ())

    # N may have been started again since O was judged by it.
    def _thread_findings(self) -> list[Finding]:
        self._expect()
        return thread_findings(self._rest.mismatches())

    def _forget_transfer(self) -> None:
        if self._run is not None:
            self._run.forget()
            self._run.close()
            self._run = None

    def _rule(self, found: Sequence[Finding]) -> Ruling:
        self.findings += found
        return rule_on(found, self.options)

    def _distinct(self) -> list[Finding]:
        return list({one.id: one for one in self.findings}.values())

    def _take(self, step: Step) -> None:
        following = state_after(step, self.state)
        assert following is not None, f"{step} is not legal in {self.state}"
        self.state = following

    # O does not run as long as its debugger lives: one that lives when O is gone is proof that nothing was lost.
    def _warn_if_dead(self, gdb: ChildGdb, consequence: str) -> None:
        try:
            gdb.check()
        except McrError as error:
            self.warnings.append(f"after the commit: {error}; {consequence}")

    # ---- undoing

    @property
    def _is_committed(self) -> bool:
        return self._new is not None and self._new.is_started and self._new.process.is_committed

    @contextmanager
    def _undone_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            missing = self._missing()
            try:
                self._undo()
            except McrError as another:
                self.warnings.append(f"while rolling back: {another}")
            missing = missing or self._missing_old(LAST_MOMENT_S)
            if missing and isinstance(error, (McrError, OSError)):  # OSError: what /proc had of it is gone
                hint = error.hint if isinstance(error, McrError) else ""
                raise UpdateFailed(missing, hint=hint) from error
            raise

    # An unreadable profile leaves the session as it is; a server that is gone is told as such.
    def _judge_by(self, profile: Path | None) -> None:
        try:
            self._rest.judge_by(profile)
        except McrError as error:
            if missing := self._missing_old(LAST_MOMENT_S):
                raise UpdateFailed(missing) from error
            raise

    # Who has ended without being told to explains a failure better than the failure itself does.
    def _missing(self) -> str:
        if old := self._missing_old(0.0):
            return old
        if self._new is not None and self._new.is_started and not self._new.process.is_alive():
            return f"the new server (process {self._new.pid}) has ended"
        return ""

    # A process that is being killed loses its memory before it counts as ended.
    def _missing_old(self, patience_s: float) -> str:
        if self._pidfd.wait(patience_s) or not is_alive(self.process.pid):
            return f"the old server (process {self.process.pid}) has ended"
        return ""

    def _undo(self) -> None:
        if self._is_committed:
            return
        with deferred_interrupts(forgotten=True):
            try:
                self._let_old_go()
            finally:
                if self._run is not None:
                    self._run.close()
                    self._run = None
                self._end_new()
                self.state = SessionState.IDLE

    def _end_new(self) -> None:
        if self._new is not None:
            self._new.end()
            self._new = None

    def _let_old_go(self) -> None:
        self._rest.unhold_if_possible()
        try:
            with suppress(DebuggerError):  # then it was ended, which lets O go as well
                self._rest.resume()
        finally:
            self._note_pause()

    def _note_pause(self) -> None:
        if self._rest.stopped_at:
            self.pause_s += time.monotonic() - self._rest.stopped_at
            self._rest.stopped_at = 0.0

    def _give_up_resources(self) -> None:
        if self._run is not None:
            self._run.close()
            self._run = None
        if self._new is not None:
            self._new.forget_head_start()
        for gdb in (self._old_gdb, self._new_gdb):
            with suppress(McrError):
                gdb.close()
        self._pidfd.close()
        self._narrow_descriptor_limit()

    def _victim(self, action: FaultAction) -> int | None:
        gdb = {FaultAction.KILL_OLD_GDB: self._old_gdb, FaultAction.KILL_NEW_GDB: self._new_gdb}.get(action)
        return gdb.pid if gdb is not None else None
