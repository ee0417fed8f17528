"""N as a tree: its first process, and those that it forks in its start-up, each with its counterpart in O.

All are started, rehearsed and ended together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gdb_mcr.model.finding import Finding
from gdb_mcr.model.process_tree import Lineage
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.reinit.handed_down import count_misplaced
from gdb_mcr.runtime_abi.layout import Role
from gdb_mcr.update.analysis import Analysis
from gdb_mcr.update.api import UpdateOptions
from gdb_mcr.update.births import Bequest, Births
from gdb_mcr.update.new_process import start_new
from gdb_mcr.update.new_server import NewServer
from gdb_mcr.update.phases import Counts
from gdb_mcr.update.recorded import RecordedProcess
from gdb_mcr.update.rehearsal import Placement
from gdb_mcr.update.side_view import ModuleLoader, SideView, view_side


@dataclass(frozen=True, slots=True)
class OldChild:
    """A forked process of O."""

    process: RecordedProcess
    pidfd: Pidfd
    parent_pid: int
    lineage: Lineage


class NewTree(NewServer):
    """What `NewServer` is for one process. `end` it unless it was committed."""

    def __init__(
        self,
        old: RecordedProcess,
        pidfd: Pidfd,
        analysis: Analysis,
        options: UpdateOptions,
        loader: ModuleLoader,
        children: Sequence[OldChild],
    ) -> None:
        super().__init__(old, pidfd, analysis, options, loader)
        self._old_children = {one.lineage: one for one in children}
        self.children = {one.lineage: NewServer(one.process, one.pidfd, analysis, options, loader) for one in children}
        """Counterparts of O's forked processes; not started where N has not forked any."""
        self._alone: list[Lineage] = []

    def rehearse(self, view: SideView) -> Counts:
        """Starts the tree once without effects."""
        bequests = {lineage: self._bequest(lineage, Placement((), b"")) for lineage in self._old_children}
        with (
            Births(Role.REHEARSE, bequests) as births,
            start_new(self._old, self._pidfd, self.new_start(view), Role.REHEARSE, births=births) as process,
        ):
            counts = [self.study(process, view)]
            for lineage, child in self.children.items():
                born = births.find(lineage)
                if born is not None:
                    counts.append(child.study(born, self.old_view(lineage)))
        return {name: sum(one[name] for one in counts) for name in counts[0]} | {"processes": len(counts)}

    def start(self, view: SideView) -> Counts:
        """Starts the tree for good; all of it is held when this returns."""
        mine = self.placement(view)
        plans = {
            lineage: child.placement(self.old_view(lineage))
            for lineage, child in self.children.items()
            if child.is_rehearsed
        }
        with Births(Role.REPLAY, {lineage: self._bequest(lineage, plan) for lineage, plan in plans.items()}) as births:
            start = self.new_start(view)
            self.attach(start_new(self._old, self._pidfd, start, Role.REPLAY, mine.entries, mine.spans, births=births))
            for lineage in plans:
                born = births.take(lineage)
                if born is not None:
                    self.children[lineage].attach(born)
            self._alone = births.alone
        return self.start_counts(mine)

    def findings(self) -> list[Finding]:
        """What the start-up of its processes did that does not agree with O's."""
        found = super().findings()
        for child in self.children.values():
            if child.is_started:
                found += child.findings()
        return [*found, *self._missing(), *self._additional(), *self._misplaced()]

    def connections(self) -> int:
        """Sockets that all of its processes took over."""
        return super().connections() + sum(one.connections() for one in self.children.values())

    def end(self) -> None:
        """Ends all of it, the first process first: it tells the others that there will be no commit."""
        super().end()
        for child in self.children.values():
            child.end()

    def old_view(self, lineage: Lineage) -> SideView:
        """The tables of a forked process of O."""
        process = self._old_children[lineage].process
        return view_side(process.memory, process.control_address, self._analysis.old, self._loader)

    def _bequest(self, lineage: Lineage, plan: Placement) -> Bequest:
        old = self._old_children[lineage]
        start = self.children[lineage].new_start(self.old_view(lineage))
        return Bequest(old.process, old.pidfd, old.parent_pid, start, plan.entries, plan.spans)

    def _missing(self) -> list[Finding]:
        missing = [self._old_children[lineage] for lineage, one in self.children.items() if not one.is_started]
        if not missing:
            return []
        pids = ", ".join(str(one.process.pid) for one in missing)
        text = f"the new build's start-up forks no counterpart of {len(missing)} processes of the old server ({pids})"
        return [Finding("R8:processes missing", "R8", True, text, "", _SETTLE)]

    def _misplaced(self) -> list[Finding]:
        count = sum(self._misplaced_in(lineage) for lineage, one in self.children.items() if one.is_started)
        if not count:
            return []
        text = f"{count} allocations stand before a fork in the new build's start-up, and behind it in the old one's"
        return [Finding("R8:order of forks", "R8", True, text, "", "restart this server")]

    def _misplaced_in(self, lineage: Lineage) -> int:
        parent, old_parent = self._process_of(lineage[:-1])
        child, old_child = self._process_of(lineage)
        logs = [one.log().allocations for one in (old_parent, old_child, parent, child)]
        return count_misplaced(*logs)

    # Of N and of O.
    def _process_of(self, lineage: Lineage) -> tuple[RecordedProcess, RecordedProcess]:
        if not lineage:
            return self.process.process, self._old
        return self.children[lineage].process.process, self._old_children[lineage].process

    def _additional(self) -> list[Finding]:
        if not self._alone:
            return []
        text = f"the new build's start-up forks {len(self._alone)} processes more than the old server has"
        return [Finding("R8:processes more", "R8", True, text, "", _SETTLE)]


_SETTLE = "give the new build the configuration that makes as many processes"
