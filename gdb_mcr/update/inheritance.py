"""O's descriptors on their way to N: copies of ours, sent before N's start-up and brought up to date once O rests.

Source: seed, "global inheritance"; DESIGN sections 6 and 12.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from gdb_mcr.errors import UpdateFailed
from gdb_mcr.model.process import Descriptor
from gdb_mcr.model.startup_log import LoggedOperation
from gdb_mcr.proc.descriptors import descriptors
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.reinit.inherit import DescriptorChanges, changes, is_cloexec, startup_numbers
from gdb_mcr.runtime_abi.channel import Channel, NewProcessRefused, PassedFd, RemoteCall
from gdb_mcr.runtime_abi.kcmp import is_same_file
from gdb_mcr.runtime_abi.settings import Delivery, Inherited

_SYS_CLOSE = 3
_SYS_FCNTL = 72
_F_SETFD = 2
_FD_CLOEXEC = 1


@dataclass
class InheritedFds:
    """What N got, with our own copies of it: a copy tells later whether O's number still is that open file."""

    sent: dict[int, Descriptor]
    _copies: dict[int, int]
    _deliveries: dict[int, Delivery] = field(default_factory=dict)

    @classmethod
    def take(cls, pidfd: Pidfd) -> Self:
        """All that O has open now. Epoll instances are not among it: N makes fresh ones (DESIGN section 12)."""
        taken = cls({}, {})
        try:
            for _, one in sorted(descriptors(pidfd.pid).items()):
                if not one.is_epoll:
                    taken._take(pidfd, one)
        except BaseException:
            taken.close()
            raise
        return taken

    @classmethod
    def take_for_child(cls, pidfd: Pidfd, parent: int, operations: Iterable[LoggedOperation]) -> Self:
        """The same for a process of N that has much of it from its own parent.

        :param parent: pid of the parent of O's process; `operations`: the start-up log of O's process.
        """
        taken = cls.take(pidfd)
        startup = startup_numbers(operations)
        for number in taken.sent:
            if taken._is_same(parent, number):
                taken._deliveries[number] = Delivery.HANDED_DOWN
            elif number not in startup:
                taken._deliveries[number] = Delivery.LATE
        return taken

    @property
    def settings(self) -> tuple[Inherited, ...]:
        """For N's settings: what the channel will deliver before N's start-up."""
        return tuple(
            Inherited(number, is_cloexec(one), self._delivery(number)) for number, one in sorted(self.sent.items())
        )

    def divert(self, number: int, descriptor: int) -> None:
        """N gets another open file of ours instead of O's at this number, if O has one there."""
        if number in self._copies:
            os.dup2(descriptor, self._copies[number], inheritable=False)

    def is_terminal(self, number: int) -> bool:
        """Whether O has a terminal at this number."""
        return number in self._copies and os.isatty(self._copies[number])

    def messages(self) -> list[PassedFd]:
        """For the channel, before N's start-up begins."""
        return self._messages(Delivery.FIRST)

    def late_messages(self) -> list[PassedFd]:
        """For the channel of a child that is held."""
        return self._messages(Delivery.LATE)

    def _messages(self, delivery: Delivery) -> list[PassedFd]:
        return [self._message(one) for number, one in sorted(self.sent.items()) if self._delivery(number) is delivery]

    def _delivery(self, number: int) -> Delivery:
        return self._deliveries.get(number, Delivery.FIRST)

    def bring_up_to_date(self, pidfd: Pidfd, open_now: Mapping[int, Descriptor], channel: Channel) -> DescriptorChanges:
        """Gives N what O, which is at rest now, has opened, closed or replaced since.

        :param open_now: O's descriptors.
        :raises UpdateFailed: N's own start-up has taken a number that O uses now.
        """
        now = {number: one for number, one in open_now.items() if not one.is_epoll}
        found = changes(self.sent, now, lambda number: self._is_same(pidfd.pid, number))
        for number in found.close:
            self._drop(number)
        for one in found.send:
            self._drop(one.number)
            self._take(pidfd, one)
        _apply(channel, [self._message(one) for one in found.send], found)
        return found

    def _is_same(self, pid: int, number: int) -> bool:
        return is_same_file(pid, number, os.getpid(), self._copies[number])

    def _take(self, pidfd: Pidfd, one: Descriptor) -> None:
        self._copies[one.number] = pidfd.getfd(one.number)
        self.sent[one.number] = one

    def _drop(self, number: int) -> None:
        copy = self._copies.pop(number, -1)
        if copy >= 0:
            os.close(copy)
        self.sent.pop(number, None)

    def _message(self, one: Descriptor) -> PassedFd:
        return PassedFd(one.number, is_cloexec(one), self._copies[one.number])

    def close(self) -> None:
        """Closes our copies; O and N keep theirs."""
        for copy in self._copies.values():
            os.close(copy)
        self._copies.clear()


def _apply(channel: Channel, messages: Sequence[PassedFd], found: DescriptorChanges) -> None:
    try:
        channel.send_fds(messages)
    except NewProcessRefused as error:
        if error.number != errno.EEXIST:
            raise
        raise UpdateFailed(
            "the old server opened more descriptors while the new one started than numbers were kept free",
            hint="try again",
        ) from error
    calls = [RemoteCall(_SYS_CLOSE, (number,)) for number in found.close]
    calls += [RemoteCall(_SYS_FCNTL, (one.number, _F_SETFD, int(is_cloexec(one)))) for one in found.retag]
    channel.syscalls(calls)


def own_numbers(new: Collection[int], old: Collection[int], channel_fd: int) -> list[int]:
    """Descriptor numbers that only N has."""
    return sorted(number for number in new if number not in old and number != channel_fd)
