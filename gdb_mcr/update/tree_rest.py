"""A tree of processes that is to come to rest: all of its threads at one instant, held by one child GDB a process.

The barrier sees one server with many threads, wherever they live (thread ids are unique in the system).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from gdb_mcr.debugger.base import Debugger
from gdb_mcr.errors import McrError
from gdb_mcr.model.stop_point import StoppedTask, TaskState
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.proc.tasks import tasks
from gdb_mcr.quiescence.stillness import QuiescenceReport
from gdb_mcr.update.quiesce import OldProcessAtRest
from gdb_mcr.update.recorded import RecordedProcess

_T = TypeVar("_T")


class OldTreeAtRest(OldProcessAtRest):
    """The first process, and the forked ones with it."""

    def __init__(
        self, process: RecordedProcess, debugger: Debugger, pidfd: Pidfd, children: Sequence[OldProcessAtRest]
    ) -> None:
        super().__init__(process, debugger, pidfd)
        self._children = tuple(children)

    def accept_children(self) -> None:
        """The processes that there are now are known; those that come later are in the way of rest."""
        super().accept_children()
        for one in self._children:
            one.accept_children()

    def judge_by(self, profile: Path | None) -> None:
        """What the user names as the profile of all."""
        super().judge_by(profile)
        for one in self._children:
            one.judge_by(profile)

    def prepare(self) -> None:
        """Reads all that stops will need."""
        super().prepare()
        for one in self._children:
            one.prepare()

    def hold(self, *, only_idle: bool = False) -> None:
        """Threads that arrive at a wait stay there."""
        super().hold(only_idle=only_idle)
        for one in self._children:
            one.hold(only_idle=only_idle)

    def unhold(self) -> None:
        """Held threads run on."""
        for one in self._children:
            one.unhold_if_possible()
        super().unhold()

    def unblock(self) -> None:
        """Threads that stand in the middle of work are got out of their calls, where the profile says how."""
        super().unblock()
        for one in self._children:
            one.unblock()

    def look(self) -> Mapping[int, TaskState]:
        """All threads of all processes."""
        found = dict(super().look())
        for one in self._children:
            found |= one.look()
        return found

    def stop(self) -> Sequence[StoppedTask]:
        """Stops all processes at the same time; if one cannot be stopped, all run on."""
        self.stopped_at = time.monotonic()
        try:
            return [row for rows in self._all(super().stop, *(one.stop for one in self._children)) for row in rows]
        except BaseException:
            self.resume()
            raise

    def resume(self) -> None:
        """All processes run on as if they had not been stopped."""
        errors = []
        for let_go in (*(one.resume for one in self._children), super().resume):
            try:
                let_go()
            except McrError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def give_up(self, report: QuiescenceReport) -> tuple[str, ...]:
        """Lets held threads run on. The answer says what stood in the way, one line each."""
        told = list(super().give_up(_of_process(report, self.pid)))
        for one in self._children:
            with suppress(McrError):
                told += one.give_up(_of_process(report, one.pid))
        return tuple(told)

    # Each process has a debugger of its own, so that the stop of one need not wait for that of another.
    def _all(self, *steps: Callable[[], _T]) -> list[_T]:
        with ThreadPoolExecutor(len(steps)) as pool:
            return [one.result() for one in [pool.submit(step) for step in steps]]


# The stragglers that are its threads.
def _of_process(report: QuiescenceReport, pid: int) -> QuiescenceReport:
    own = tasks(pid)
    return replace(report, stragglers=tuple(one for one in report.stragglers if one.tid in own))
