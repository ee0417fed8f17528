"""Children that N forks in its start-up: each gets what its counterpart in O has.

The child of O is found by the forks that lead to it (`model.process_tree.Lineage`). Its log, its placement plan and
those of its descriptors that its parent does not have go to the child over a channel of its own.
Source: seed, "mutable reinitialization" with several processes; DESIGN section 6.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gdb_mcr.model.placement import PlanEntry
from gdb_mcr.model.process_tree import BirthKey, Lineage
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.runtime_abi.channel import Birth, Channel, NewProcessEnded
from gdb_mcr.runtime_abi.layout import Role
from gdb_mcr.runtime_abi.settings import new_settings
from gdb_mcr.update.inheritance import InheritedFds
from gdb_mcr.update.new_process import NewProcess, NewStart, settings_for
from gdb_mcr.update.recorded import RecordedProcess


@dataclass(frozen=True, slots=True)
class Bequest:
    """What a forked process of O leaves to its counterpart."""

    process: RecordedProcess
    pidfd: Pidfd
    parent_pid: int
    new: NewStart
    plan: Sequence[PlanEntry] = ()
    spans: bytes = b""


class Births:
    """The forked children of one start of N. A context manager: those that nobody has taken are ended at its end."""

    def __init__(self, role: Role, bequests: Mapping[Lineage, Bequest]) -> None:
        self._role = role
        self._bequests = bequests
        self._processes: dict[Lineage, NewProcess] = {}
        self.alone: list[Lineage] = []
        """Children that O does not have: they run on as they are."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self._processes.values():
            one.end()
        self._processes.clear()

    def follow(self, channel: Channel, lineage: Lineage = ()) -> None:
        """The process at the other end of the channel has this lineage; its children are attended to."""
        counts: dict[int, int] = defaultdict(int)

        def attend(birth: Birth) -> None:
            key = BirthKey(birth.stack_id, counts[birth.stack_id])
            counts[birth.stack_id] += 1
            self._attend(birth, (*lineage, key))

        channel.attend_births_with(attend)

    def wait_held(self, deadline: float) -> None:
        """Until all of them are held, and those that they fork. :param deadline: CLOCK_MONOTONIC seconds."""
        held: set[Lineage] = set()
        while waiting := [lineage for lineage in self._processes if lineage not in held]:
            for lineage in waiting:
                one = self._processes[lineage]
                one.channel.wait_held(max(0.0, deadline - time.monotonic()))
                one.channel.send_fds(one.inherited.late_messages())
                held.add(lineage)

    def find(self, lineage: Lineage) -> NewProcess | None:
        """The child with this lineage; None if N has not forked it."""
        return self._processes.get(lineage)

    def take(self, lineage: Lineage) -> NewProcess | None:
        """The same; it is the caller's to end."""
        return self._processes.pop(lineage, None)

    def _attend(self, birth: Birth, lineage: Lineage) -> None:
        bequest = self._bequests.get(lineage)
        if bequest is None:
            self.alone.append(lineage)
            with birth.channel, suppress(NewProcessEnded):
                birth.channel.settings(None)
            return
        operations = bequest.process.log().operations
        inherited = InheritedFds.take_for_child(bequest.pidfd, bequest.parent_pid, operations)
        process = self._processes[lineage] = NewProcess(birth.channel, inherited)
        self.follow(birth.channel, lineage)
        settings = new_settings(
            settings_for(bequest.process, bequest.new, self._role, bequest.plan, bequest.spans, inherited)
        )
        try:
            birth.channel.settings(settings)
        finally:
            os.close(settings)
        birth.channel.send_fds(inherited.messages())
        birth.channel.wait_hello(bequest.new.timeout_s)
        process.launched(birth.pid)
