"""What the kernel holds for O and N must have: open files at their numbers, epoll registrations, pending signals.

Source: DESIGN section 12.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gdb_mcr.model.finding import Finding
from gdb_mcr.model.process import Descriptor, EpollWatch
from gdb_mcr.model.startup_log import OperationFlag, StartupLog
from gdb_mcr.proc.descriptors import EPOLL, targets, watches
from gdb_mcr.reinit.inherit import startup_numbers
from gdb_mcr.runtime_abi.channel import Channel
from gdb_mcr.tracing.epoll import EpollChange, LostWatch, Watch, rebuild
from gdb_mcr.update.remote import change_epoll, close_fds, make_epoll


@dataclass(frozen=True, slots=True)
class StartupFds:
    """O's start-up descriptors, by what N's start-up did about them."""

    matched: frozenset[int]
    """N's start-up has made them, too: they are O's objects."""
    abandoned: frozenset[int]
    """N's start-up has no use for them."""


def startup_fds(old: StartupLog, new: StartupLog) -> StartupFds:
    """Sorts O's start-up descriptors by N's log."""
    matched = {one.match for one in new.operations if one.flags & OperationFlag.MATCHED and one.match is not None}
    numbers = startup_numbers(old.operations)
    return StartupFds(
        frozenset(number for number, seq in numbers.items() if seq in matched),
        frozenset(number for number, seq in numbers.items() if seq not in matched),
    )


@dataclass(frozen=True, slots=True)
class EpollPlan:
    """What is to be done so that N waits for what O waits for."""

    create: tuple[int, ...]
    """Instances that O has made since its start."""
    changes: tuple[EpollChange, ...]
    lost: tuple[LostWatch, ...]

    def findings(self) -> list[Finding]:
        """R9: registrations that cannot be carried."""
        return [
            Finding(
                f"R9:epoll {one.instance}/{one.watch.fd}",
                "R9",
                True,
                f"epoll instance {one.instance} watches descriptor {one.watch.fd}, but {one.reason}",
                "",
                "",
            )
            for one in self.lost
        ]

    def carry_out(self, channel: Channel) -> None:
        """Does it in N."""
        make_epoll(channel, self.create)
        change_epoll(channel, self.changes)


def plan_epoll(
    old: Mapping[int, Descriptor], new_pid: int, fds: StartupFds, translate: Callable[[int], int]
) -> EpollPlan:
    """Compares both sides' instances.

    :param old: O's descriptors.
    :param translate: where a pointer of O points in N.
    """
    theirs = {number: _kept(one.watches, fds) for number, one in sorted(old.items()) if one.is_epoll}
    mine = [number for number, target in targets(new_pid, theirs).items() if target == EPOLL]
    ours = {number: list(map(_watch, watches(new_pid, number))) for number in mine}
    inodes = {number: one.inode for number, one in old.items()}
    changes, lost = rebuild(theirs, ours, inodes, fds.matched, translate)
    create = tuple(number for number in sorted(theirs) if number not in ours and number not in fds.abandoned)
    return EpollPlan(create, tuple(one for one in changes if one.instance not in fds.abandoned), tuple(lost))


def close_abandoned(channel: Channel, fds: StartupFds) -> None:
    """Closes what N's start-up has no use for."""
    close_fds(channel, sorted(fds.abandoned))


# What O watched at its start and N's start-up does not is N's own choice.
def _kept(found: tuple[EpollWatch, ...], fds: StartupFds) -> list[Watch]:
    return [_watch(one) for one in found if one.fd not in fds.abandoned]


def _watch(one: EpollWatch) -> Watch:
    return Watch(one.fd, one.events, one.data, one.inode)
