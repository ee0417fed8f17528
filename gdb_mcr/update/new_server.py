"""N through one update: rehearsed, started, met, filled, ended. Joins the parts that are about N."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gdb_mcr.debugger.base import Memory
from gdb_mcr.debugger.child_gdb import ChildGdb
from gdb_mcr.dwarf.needed import libraries
from gdb_mcr.errors import UpdateFailed
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.process import Descriptor
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.quiescence.counterparts import PlacedThread
from gdb_mcr.runtime_abi.control import describe_error
from gdb_mcr.runtime_abi.layout import Role
from gdb_mcr.units import Range
from gdb_mcr.update.analysis import Analysis
from gdb_mcr.update.api import MemoryPath, UpdateOptions
from gdb_mcr.update.conflicts import conflict_findings
from gdb_mcr.update.counterparts import stand_of
from gdb_mcr.update.ghosts import GhostWriter, find_ghosts
from gdb_mcr.update.head_start import HeadStart
from gdb_mcr.update.merge_conflicts import ComparedStart
from gdb_mcr.update.merge_losses import compare_start
from gdb_mcr.update.new_process import NewProcess, NewStart, placed_libraries, start_new
from gdb_mcr.update.phases import Counts
from gdb_mcr.update.process_state import launch_facts
from gdb_mcr.update.profiles import profile_of
from gdb_mcr.update.recorded import RecordedProcess
from gdb_mcr.update.rehearsal import Placement, Rehearsal, place, study
from gdb_mcr.update.run import module_tables
from gdb_mcr.update.side_view import ModuleLoader, SideView, shared_mappings, startup_mappings, view_side
from gdb_mcr.update.stopping_memory import StoppingMemory
from gdb_mcr.update.transfer_run import Ends


class NewServer:
    """The new server of one update. `end` it unless it was committed."""

    def __init__(
        self, old: RecordedProcess, pidfd: Pidfd, analysis: Analysis, options: UpdateOptions, loader: ModuleLoader
    ) -> None:
        self._old = old
        self._pidfd = pidfd
        self._analysis = analysis
        self._options = options
        self._loader = loader
        self._executable = Path(analysis.new.path).resolve()
        self.libraries = libraries(self._executable)
        self._rehearsal: Rehearsal | None = None
        self._compared: ComparedStart | None = None
        self._process: NewProcess | None = None
        self._head_start: HeadStart | None = None
        self._stand: tuple[PlacedThread, ...] | None = None

    @property
    def is_started(self) -> bool:
        """Whether it stands held, or serves."""
        return self._process is not None

    @property
    def is_rehearsed(self) -> bool:
        """Whether its start-up is known."""
        return self._rehearsal is not None

    @property
    def process(self) -> NewProcess:
        """The started process."""
        assert self._process is not None
        return self._process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def rehearse(self, view: SideView) -> Counts:
        """Starts it once without effects. :param view: O's tables."""
        with start_new(self._old, self._pidfd, self.new_start(view), Role.REHEARSE) as process:
            return self.study(process, view)

    def study(self, process: NewProcess, view: SideView) -> Counts:
        """Learns from a process that stands at the end of its rehearsed start-up."""
        new, match = self._analysis.new, self._analysis.match
        self._rehearsal = study(process.process, view, new, match, self._loader)
        self._compared = compare_start(view.log.allocations, self._rehearsal)
        return self._rehearsal.counts

    def start(self, view: SideView) -> Counts:
        """Starts it for good, with the placement plan; it is held when this returns."""
        plan = self.placement(view)
        self.attach(start_new(self._old, self._pidfd, self.new_start(view), Role.REPLAY, plan.entries, plan.spans))
        return self.start_counts(plan)

    def placement(self, view: SideView) -> Placement:
        """What it is to place where, by its rehearsal. :param view: O's tables."""
        assert self._rehearsal is not None
        return place(view, self._rehearsal)

    def attach(self, process: NewProcess) -> None:
        """It is this process, which is held."""
        self._process = process
        process.channel.snapshot()  # the base of the next update: N as its own start-up has left it

    def start_counts(self, plan: Placement) -> Counts:
        """For the phase's report."""
        control = self.process.process.control()
        return {
            "allocations_placed": sum(1 for one in plan.entries if one.address),
            "operations": control.operations.count,
            "operations_withheld": control.withheld,
        }

    def findings(self) -> list[Finding]:
        """What its start-up did that does not agree with O's.

        :raises UpdateFailed: its libmcr has failed.
        """
        process = self.process.process
        problem = describe_error(process.control())
        if problem:
            raise UpdateFailed(f"libmcr failed in the new process: {problem}")
        return conflict_findings(process.log())

    def stand(self, debugger: ChildGdb) -> tuple[PlacedThread, ...]:
        """Its threads, as its start-up has left them."""
        if self._stand is None:
            profile = profile_of(self._old, self._options.profile)
            self._stand = stand_of(self.process.process, debugger, profile)
        return self._stand

    def warnings(self) -> list[str]:
        """What the rehearsal could not settle."""
        assert self._rehearsal is not None
        uncertain = sum(len(one.new) for one in self._rehearsal.alignment.uncertain)
        if not uncertain:
            return []
        return [f"{uncertain} start-up allocations of the new build have no certain counterpart in the old server"]

    def bring_descriptors_up_to_date(self, open_now: Mapping[int, Descriptor]) -> None:
        """Gives it what O, at rest now, has opened, closed or replaced since it was started."""
        self.process.inherited.bring_up_to_date(self._pidfd, open_now, self.process.channel)

    def ends(self, old: SideView, open_now: Mapping[int, Descriptor], old_gdb: ChildGdb, new_gdb: ChildGdb) -> Ends:
        """Both processes for a transfer.

        :param open_now: O's descriptors.
        """
        memory: Memory = new_gdb.memory_of(self.pid) if self._is_fast else StoppingMemory(new_gdb, self.pid)
        view = self._head_start.new if self._head_start is not None else self._view()
        assert self._compared is not None
        old_memory, start = old_gdb.memory(self._is_fast), self._head_start
        return Ends(old, old_memory, view, memory, self.process, open_now, start, self._compared)

    def get_ahead(self, old: SideView, old_gdb: ChildGdb, new_gdb: ChildGdb) -> Counts:
        """Does what can be done before O stands still, or brings it up to date if it has been done."""
        if not self._is_fast:
            return {}
        memory, running = new_gdb.memory_of(self.pid), old_gdb.memory_of(self._old.pid)
        if self._head_start is None:
            ghosts = GhostWriter(running, self.pid, memory, self.process.channel)
            self._head_start = HeadStart.take(self._old, self._pidfd, old, self._view(), ghosts, memory, self._analysis)
        return {"bytes_ahead": self._head_start.advance(self._old, running, memory, self.process.channel)}

    def forget_head_start(self) -> None:
        """Gives back what `get_ahead` holds; no transfer uses it any more."""
        if self._head_start is not None:
            self._head_start.close()
            self._head_start = None

    @property
    def _is_fast(self) -> bool:
        return self._options.memory is MemoryPath.MCR

    def _view(self) -> SideView:
        process = self.process.process
        return view_side(process.memory, process.control_address, self._analysis.new, self._loader)

    def connections(self) -> int:
        """Sockets that it took over."""
        return sum(1 for one in self.process.inherited.sent.values() if one.is_socket)

    def end(self) -> None:
        """Ends it, if it was started."""
        self.forget_head_start()
        self._stand = None
        if self._process is not None:
            self._process.end()
            self._process = None

    def new_start(self, view: SideView) -> NewStart:
        """How it is started. :param view: O's tables."""
        generation = view.control.generation
        return NewStart(
            executable=self._executable,
            args=self._options.args,
            facts=launch_facts(self._old),
            modules=tuple(module_tables(self._executable)),
            libraries=tuple(placed_libraries(view.log.modules, self.libraries, generation)),
            reserved=(
                view.executable.range,
                *self._ghost_ranges(view),
                *startup_mappings(view.log),
                *shared_mappings(view.log),
            ),
            timeout_s=self._options.timeout_s,
            bank_ends=view.heap.bank_ends,
            absent=view.start.absent,
        )

    def _ghost_ranges(self, view: SideView) -> list[Range]:
        return [one.range for one in find_ghosts(view.control.pid, view.log.modules, view.control.generation)]
