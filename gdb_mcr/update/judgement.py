"""Whether stopped threads stand at quiescent points: by a profile if there is one for the build, else by their waits.

Without a profile the rule is: a thread that libmcr knows to wait for events, time or other threads, and that nothing
has reached yet, is at a quiescent point; one that is blocked in any other way (a lock, a write) is not. That cannot
tell a wait for the next work from one in the middle of work, such as an event loop inside a handler's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gdb_mcr.debugger.base import StoppedThread
from gdb_mcr.dwarf.identity import identify
from gdb_mcr.model.profile import Profile
from gdb_mcr.model.startup_log import ThreadEntry
from gdb_mcr.quiescence.profile import judge
from gdb_mcr.runtime_abi.tables import read_modules
from gdb_mcr.update.code_names import CodeNames
from gdb_mcr.update.profile_stacks import CodeLoops, StackReader
from gdb_mcr.update.profiles import profile_for
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

    @staticmethod
    def of(server: RecordedProcess) -> Judgement:
        """:raises UsageError: there is a profile, and it cannot be read."""
        names = CodeNames(server.pid, read_modules(server.memory, server.control()))
        judgement = Judgement(profile_for(identify(server.executable).build_id), StackReader(names, CodeLoops()))
        if judgement.profile is not None:
            names.prepare()
        return judgement

    def objections(self, stopped: Sequence[StoppedThread], entries: Mapping[int, ThreadEntry]) -> Mapping[int, str]:
        """Tid → why it is at no quiescent point, of those of which the profile says so; "" = it says that it is."""
        if self.profile is None:
            return {}
        seen = [self.reader.seen_thread(one, entries.get(one.tid)) for one in stopped]
        return {one.tid: one.why for one in judge(self.profile, seen)}

    @property
    def notes(self) -> tuple[str, ...]:
        """By what it was judged, if the user should know."""
        return (NO_PROFILE,) if self.profile is None else ()
