"""An open update of a server of several processes: all of them are updated, or none.

Each forked process of O has a child GDB of its own, so that all can stand still together, and each pair of processes
has a transfer of its own. Source: DESIGN sections 2, 3 and 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gdb_mcr.debugger.child_gdb import ChildGdb
from gdb_mcr.debugger.target_process import check_attachable, check_not_stopped
from gdb_mcr.errors import McrError
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.inspection import ThreadsResult
from gdb_mcr.model.process_tree import ProcessTree
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.update.code_names import CodeNames
from gdb_mcr.update.commit import commit_new, require_still
from gdb_mcr.update.counterparts import thread_findings
from gdb_mcr.update.new_server import NewServer
from gdb_mcr.update.new_tree import NewTree, OldChild
from gdb_mcr.update.phases import Counts
from gdb_mcr.update.process_state import kernel_findings
from gdb_mcr.update.quiesce import OldProcessAtRest
from gdb_mcr.update.recorded import RecordedProcess, find_recorded, require_updatable
from gdb_mcr.update.session import RESTARTS, Session
from gdb_mcr.update.thread_rows import thread_rows
from gdb_mcr.update.transfer_run import PlanOutdated, TransferRun
from gdb_mcr.update.tree import read_tree
from gdb_mcr.update.tree_rest import OldTreeAtRest
from gdb_mcr.update.tree_run import TreeRun


@dataclass(frozen=True, slots=True)
class Branch:
    """A forked process of O under its debugger."""

    old: OldChild
    gdb: ChildGdb
    rest: OldProcessAtRest


def open_session(process: RecordedProcess) -> Session:
    """An idle session with the server whose first process this is.

    :raises TargetError: the server cannot be updated now.
    """
    tree = read_tree(process)
    return TreeSession(process, tree) if len(tree.members) > 1 else Session(process)


class TreeSession(Session):
    """What `Session` is for a server of one process."""

    def __init__(self, process: RecordedProcess, tree: ProcessTree) -> None:
        super().__init__(process)
        self._tree = tree
        self._branches = tuple(_branch(one) for one in _children(tree))
        rests = [one.rest for one in self._branches]
        self._rest = OldTreeAtRest(process, self._old_gdb, self._pidfd, rests)

    @property
    def old_pids(self) -> tuple[int, ...]:
        """The processes of O."""
        return self._tree.pids

    @property
    def new_pids(self) -> tuple[int, ...]:
        """The processes of N; empty while there is none."""
        children = [one.pid for one in self._new_children() if one.is_started]
        return (*super().new_pids, *children)

    def holds(self, pid: int) -> bool:
        """Whether this is a process that stands still under our debuggers."""
        return pid in self.old_pids and self._old_gdb.holds_process

    def threads(self) -> ThreadsResult:
        """The threads of O, which stands still."""
        rows = [*super().threads().threads]
        for one in self._branches:
            process, log = one.old.process, one.old.process.log()
            names = CodeNames(process.pid, log.modules)
            rows += thread_rows(process.pid, one.gdb.threads(), log.threads, log.operations, names)
        return ThreadsResult(self.process.pid, tuple(rows))

    # ---- parts of steps

    def _old_findings(self) -> list[Finding]:
        return [one for pid in self.old_pids for one in kernel_findings(pid, self.old_pids)]

    def _make_new(self) -> NewServer:
        for one in self._branches:
            one.gdb.start()
        assert self.analysis is not None
        children = [one.old for one in self._branches]
        return NewTree(self.process, self._pidfd, self.analysis, self.options, self._loader, children)

    def _new_tree(self) -> NewTree:
        assert isinstance(self._new, NewTree)
        return self._new

    def _new_children(self) -> Sequence[NewServer]:
        return [self._new_tree().children[one.old.lineage] for one in self._branches] if self._new is not None else []

    def _warm_old(self) -> int:
        count = super()._warm_old()
        for one in self._branches:
            mine = [Path(module.path) for module in one.old.process.log().modules]
            found = [path for path in mine if path.exists()]
            one.gdb.warm(one.old.process.executable.resolve(), found, one.old.process.pid)
        return count

    # Side by side: an idle process keeps its tracker waiting for a second.
    def _get_ahead(self) -> Counts:
        with ThreadPoolExecutor(len(self._branches)) as pool:
            others = [
                pool.submit(child.get_ahead, self._new_tree().old_view(one.old.lineage), one.gdb, one.gdb)
                for one, child in zip(self._branches, self._new_children(), strict=True)
            ]
            parts = [super()._get_ahead(), *(one.result() for one in others)]
        return {"bytes_ahead": sum(one.get("bytes_ahead", 0) for one in parts)}

    def _expect(self) -> None:
        super()._expect()
        for branch, child in zip(self._branches, self._new_children(), strict=False):
            branch.rest.expect(child.stand(branch.gdb if not branch.gdb.holds_process else self._new_gdb))

    def _thread_findings(self) -> list[Finding]:
        found = super()._thread_findings()
        return [*found, *thread_findings(one for branch in self._branches for one in branch.rest.mismatches())]

    def _plan_transfer(self) -> TreeRun:
        tree = self._new_tree()
        for restarts in range(RESTARTS + 1):
            run = self._run = TreeRun(self._runs(), dict(zip(self.old_pids, self.new_pids, strict=True)))
            try:
                run.plan()
                break
            except PlanOutdated:
                run.close()
                if restarts == RESTARTS:
                    raise
            tree.end()
            tree.start(self._view())
        return run

    def _runs(self) -> list[TransferRun]:
        assert self.analysis is not None
        tree, open_now = self._new_tree(), self._rest.descriptors
        tree.bring_descriptors_up_to_date(open_now)
        runs = [TransferRun(tree.ends(self._view(), open_now, self._old_gdb, self._new_gdb), self.analysis)]
        for branch, child in zip(self._branches, self._new_children(), strict=True):
            view, open_now = tree.old_view(branch.old.lineage), branch.rest.descriptors
            child.bring_descriptors_up_to_date(open_now)
            runs.append(TransferRun(child.ends(view, open_now, branch.gdb, branch.gdb), self.analysis))
        return runs

    def _commit_new(self) -> list[str]:
        require_still(self.process.pid, self._old_gdb)
        for one in self._branches:
            require_still(one.old.process.pid, one.gdb)
        children = [(new, one.old.pidfd) for one, new in zip(self._branches, self._new_children(), strict=True)]
        return commit_new(self._new_tree(), self._pidfd, children)

    def _give_up_resources(self) -> None:
        super()._give_up_resources()
        for child in self._new_children():
            child.forget_head_start()
        for one in self._branches:
            with suppress(McrError):
                one.gdb.close()
            one.old.pidfd.close()


def _children(tree: ProcessTree) -> list[OldChild]:
    return [
        OldChild(find_recorded(one.pid), Pidfd(one.pid), one.parent, one.lineage) for one in tree.members if one.parent
    ]


def _branch(old: OldChild) -> Branch:
    require_updatable(old.process)
    check_attachable(old.process.pid)
    check_not_stopped(old.process.pid)
    gdb = ChildGdb()
    return Branch(old, gdb, OldProcessAtRest(old.process, gdb, old.pidfd))
