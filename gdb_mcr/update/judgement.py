"""Whether stopped threads stand at quiescent points: by a profile if there is one for the build, else by their waits.

Without a profile the rule is: a thread that libmcr knows to wait for events, time or other threads, and that nothing
has reached yet, is at a quiescent point; one that is blocked in any other way (a lock, a write) is not. That alone
cannot tell a wait for the next work from one in the middle of work, such as an event loop inside a handler's. Once N
stands at the end of its start-up, where nothing has work yet, it can: a thread is at rest where its counterpart stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gdb_mcr.debugger.base import StoppedThread
from gdb_mcr.model.profile import Profile, Unblocking
from gdb_mcr.model.startup_log import ThreadEntry
from gdb_mcr.quiescence.counterparts import Mismatch, PlacedThread, mismatches
from gdb_mcr.quiescence.profile import SeenThread, judge, ways_out
from gdb_mcr.runtime_abi.tables import read_modules
from gdb_mcr.update.code_names import CodeNames
from gdb_mcr.update.counterparts import placed_threads
from gdb_mcr.update.profile_stacks import CodeLoops, StackReader
from gdb_mcr.update.recorded import RecordedProcess

NO_PROFILE = (
    "there is no profile of this build: every wait in which no event had come counts as a quiescent point, also one in "
    "the middle of work; `mcr profile` tells them apart"
)


@dataclass(frozen=True)
class Judgement:
    """For one process. Made before it is stopped, since it reads files."""

    profile: Profile | None
    reader: StackReader
    counterparts: tuple[PlacedThread, ...] = ()
    """N's threads, if there is an N."""

    @staticmethod
    def of(server: RecordedProcess, profile: Profile | None) -> Judgement:
        """By this profile."""
        names = CodeNames(server.pid, read_modules(server.memory, server.control()))
        judgement = Judgement(profile, StackReader(names, CodeLoops()))
        if profile is not None:
            names.prepare()
        return judgement

    def beside(self, counterparts: tuple[PlacedThread, ...]) -> Judgement:
        """The same with these threads of N."""
        if counterparts:
            self.reader.names.prepare()
        return replace(self, counterparts=counterparts)

    def objections(
        self, stopped: Sequence[StoppedThread], entries: Mapping[int, ThreadEntry], *, awaits_counterparts: bool
    ) -> Mapping[int, str]:
        """Tid → why it is at no quiescent point, of those of which that is known.

        :param awaits_counterparts: whether threads may still come to where N's stand, or end if N has none.
        """
        found = {one.thread.seen.tid: one.why for one in self.mismatches(stopped, entries)}
        if self.profile is None:
            return found if awaits_counterparts else {}
        # Of a place that the profile does not know N tells all the same that it is where a thread waits for work.
        alike = {one.tid for one in stopped if one.tid not in found} if self.counterparts else set()
        verdicts = judge(self.profile, self._seen(stopped, entries))
        return {one.tid: "" if one.tid in alike and one.kind is None else one.why for one in verdicts}

    def ways_out(
        self, stopped: Sequence[StoppedThread], entries: Mapping[int, ThreadEntry]
    ) -> Mapping[int, Unblocking]:
        """Tid → how to get the thread out of its call, where the profile says so."""
        return ways_out(self.profile, self._seen(stopped, entries)) if self.profile is not None else {}

    @property
    def knows_ways_out(self) -> bool:
        """Whether the profile says so of any place."""
        classes = self.profile.thread_classes() if self.profile is not None else ()
        return any(stop.unblock is not None for one in classes for stop in one.stops)

    def _seen(self, stopped: Sequence[StoppedThread], entries: Mapping[int, ThreadEntry]) -> list[SeenThread]:
        return [self.reader.seen_thread(one, entries.get(one.tid)) for one in stopped]

    def mismatches(self, stopped: Sequence[StoppedThread], entries: Mapping[int, ThreadEntry]) -> tuple[Mismatch, ...]:
        """Threads that have no equivalent in N; none if there is no N."""
        if not self.counterparts:
            return ()
        return mismatches(placed_threads(stopped, entries, self.reader), self.counterparts, self.profile)

    @property
    def notes(self) -> tuple[str, ...]:
        """By what it was judged, if the user should know."""
        return (NO_PROFILE,) if self.profile is None and not self.counterparts else ()
