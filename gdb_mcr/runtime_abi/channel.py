"""The controller's end of the channel to N's libmcr (native/runtime/channel.c). The protocol is in mcr_abi.h.

Each command is one SOCK_SEQPACKET message and has one reply of its kind; what is too long for one is sent as several.
HELLO and HELD come unasked, and so does BORN: N has forked a child, which has a channel of its own.
"""

from __future__ import annotations

import array
import ctypes
import errno
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TypeVar

from gdb_mcr.errors import RuntimeAbiError, UpdateFailed
from gdb_mcr.runtime_abi.messages import Command, InheritedFd, Message, RemoteSyscall

MAX_PAYLOAD = 65536
"""MCR_CHANNEL_PAYLOAD: bytes behind struct mcr_message."""

MAX_FDS = 250
"""MCR_CHANNEL_FDS: descriptors in one message."""

ANSWER_TIMEOUT_S = 10.0

_HEAD = ctypes.sizeof(Message)
_CALL = ctypes.sizeof(RemoteSyscall)
_UNASKED = (Command.HELLO, Command.HELD, Command.BORN)
_BIRTH = struct.Struct("<QQ")
_RETRY_S = 0.002

_T = TypeVar("_T")


class NewProcessEnded(UpdateFailed):
    """N is gone, or has closed its end of the channel."""


class NewProcessSilent(UpdateFailed):
    """N did not answer in time."""


class NewProcessRefused(UpdateFailed):
    """N answered `command` with the error number `number`."""

    def __init__(self, command: Command, number: int, why: str = "") -> None:
        reason = why or os.strerror(number)
        super().__init__(f"the new process failed at {command.name.lower()}: {reason}")
        self.command = command
        self.number = number


@dataclass(frozen=True, slots=True)
class PassedFd:
    """A descriptor of ours that N is to have at `number`."""

    number: int
    cloexec: bool
    descriptor: int


@dataclass(frozen=True, slots=True)
class RemoteCall:
    """A system call for N's initial thread to make. A bytes argument is passed as the address of a writable copy."""

    number: int
    args: tuple[int | bytes, ...] = ()
    stop_on_error: bool = False
    """Whether an error keeps the calls behind it from being made; they answer -ECANCELED."""


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a remote call answered."""

    value: int
    """The result, or -errno."""
    buffers: tuple[bytes, ...]
    """The bytes arguments as they are after the call, in order."""


@dataclass(frozen=True, slots=True)
class Birth:
    """N has forked a child in its start-up; it waits for `Channel.settings`."""

    stack_id: int
    """Call stack ID of the fork."""
    pid: int
    channel: Channel


@dataclass(frozen=True, slots=True)
class _Packet:
    kind: Command
    count: int
    status: int
    payload: bytes
    descriptors: tuple[int, ...] = ()


def _no_reason() -> str:
    return ""


# It has no counterpart in O: it runs as if nobody had followed it.
def _is_alone(birth: Birth) -> None:
    with birth.channel, suppress(NewProcessEnded):
        birth.channel.settings(None)


class Channel:
    """One end of a socketpair. Use as a context manager; closing it before COMMIT ends N.

    :param why: asked when N reports a failure without a reason of its own: what its control block says.
    """

    def __init__(self, end: socket.socket, why: Callable[[], str] = _no_reason) -> None:
        self._socket = end
        self._why = why
        self._unasked: list[_Packet] = []
        self._attend: Callable[[Birth], None] = _is_alone

    def __enter__(self) -> Channel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes our end."""
        self._socket.close()

    def fileno(self) -> int:
        """For select and poll."""
        return self._socket.fileno()

    def is_held(self) -> bool:
        """Whether some process has the other end open: N, or a child that outlives it."""
        poller = select.poll()
        poller.register(self._socket, 0)
        return not poller.poll(0)

    def explain_with(self, why: Callable[[], str]) -> None:
        """Replaces the `why` of the constructor, once N's control block can be read."""
        self._why = why

    def attend_births_with(self, attend: Callable[[Birth], None]) -> None:
        """Who is told of children that N forks, as soon as the channel is read."""
        self._attend = attend

    def settings(self, descriptor: int | None, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Tells a forked child how to go on, which is the first thing that it is told.

        :param descriptor: its settings (`settings.new_settings`); None = it has no counterpart in O.
        """
        descriptors = () if descriptor is None else (descriptor,)
        self._ask(Command.SETTINGS, len(descriptors), b"", descriptors, timeout_s)

    def wait_hello(self, timeout_s: float) -> None:
        """Waits until N's libmcr has run its constructor. The descriptors named in the settings must have been sent.

        :raises NewProcessEnded: or `NewProcessSilent`, `NewProcessRefused`.
        """
        self._wait_unasked(Command.HELLO, timeout_s)

    def wait_held(self, timeout_s: float) -> None:
        """Waits until N's start-up has ended and its initial thread serves the channel.

        :raises NewProcessEnded: or `NewProcessSilent`, `NewProcessRefused` (libmcr has disabled itself).
        """
        self._wait_unasked(Command.HELD, timeout_s)

    def send_fds(self, descriptors: Sequence[PassedFd], timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Puts each descriptor at its number in N.

        :raises NewProcessRefused: EEXIST = N's start-up has an object of its own at that number.
        """
        for group in _groups(descriptors, MAX_FDS):
            payload = b"".join(bytes(InheritedFd(one.number, one.cloexec)) for one in group)
            self._ask(Command.FDS, len(group), payload, [one.descriptor for one in group], timeout_s)

    def syscalls(self, calls: Sequence[RemoteCall], timeout_s: float = ANSWER_TIMEOUT_S) -> list[CallResult]:
        """Makes the calls in their order; after one that stops the rest, all later ones answer -ECANCELED."""
        results: list[CallResult] = []
        for group in _call_groups(calls):
            if results and _stopped(calls[: len(results)], results):
                results += [CallResult(-errno.ECANCELED, _buffers(call)) for call in calls[len(results) :]]
                break
            reply = self._exchange(Command.SYSCALLS, len(group), _pack_calls(group), (), timeout_s)
            results += _unpack_calls(group, reply.payload, reply.status)
        return results

    def snapshot(self, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Has N take the base for the update after this one."""
        self._ask(Command.SNAPSHOT, 0, b"", (), timeout_s)

    def adopt(self, descriptor: int, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Has N's allocator take over O's heap. :param descriptor: `adoption.adoption_memfd`."""
        self._ask(Command.ADOPT, 1, b"", (descriptor,), timeout_s)

    def allocate(self, sizes: Sequence[int], timeout_s: float = ANSWER_TIMEOUT_S) -> list[int]:
        """Addresses of new chunks in N. :raises NewProcessRefused: no memory."""
        addresses: list[int] = []
        for group in _groups(sizes, MAX_PAYLOAD // 8):
            payload = array.array("Q", group).tobytes()
            addresses += array.array("Q", self._ask(Command.ALLOCATE, len(group), payload, (), timeout_s).payload)
        if 0 in addresses or len(addresses) != len(sizes):
            raise NewProcessRefused(Command.ALLOCATE, errno.ENOMEM)
        return addresses

    def forget(self, addresses: Sequence[int], timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Frees chunks of N that nothing points to."""
        for group in _groups(addresses, MAX_PAYLOAD // 8):
            self._ask(Command.FORGET, len(group), array.array("Q", group).tobytes(), (), timeout_s)

    def nudge(self, threads: Sequence[int], timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Has threads (by index) that wait for a condition look again when N is released."""
        for group in _groups(threads, MAX_PAYLOAD // 8):
            self._ask(Command.NUDGE, len(group), array.array("Q", group).tobytes(), (), timeout_s)

    def commit(self, pidfds: Sequence[int], timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """N ends the old processes and serves. After a good answer it has closed the channel.

        :raises NewProcessRefused: N may not signal one of them; nothing was ended.
        """
        self._ask(Command.COMMIT, len(pidfds), b"", pidfds, timeout_s)

    # ---- messages

    def _ask(self, kind: Command, count: int, payload: bytes, descriptors: Sequence[int], timeout_s: float) -> _Packet:
        reply = self._exchange(kind, count, payload, descriptors, timeout_s)
        if reply.status < 0:
            raise NewProcessRefused(kind, -reply.status)
        return reply

    def _exchange(
        self, kind: Command, count: int, payload: bytes, descriptors: Sequence[int], timeout_s: float
    ) -> _Packet:
        deadline = time.monotonic() + timeout_s
        self._send(bytes(Message(kind, count)) + payload, descriptors, kind, deadline)
        while True:
            packet = self._receive(f"answer to {kind.name.lower()}", deadline)
            if packet.kind is kind:
                return packet
            if packet.kind not in _UNASKED:
                raise RuntimeAbiError(f"the new process answered {packet.kind.name} to {kind.name}")
            self._note(packet)

    # A failure that N reports unasked ends whatever is waited for.
    def _note(self, packet: _Packet) -> None:
        if packet.status < 0:
            raise NewProcessRefused(packet.kind, -packet.status, self._why())
        if packet.kind is Command.BORN:
            self._attend(_birth(packet))
        else:
            self._unasked.append(packet)

    def _wait_unasked(self, kind: Command, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not any(packet.kind is kind for packet in self._unasked):
            packet = self._receive("end its start-up" if kind is Command.HELD else "start", deadline)
            if packet.kind not in _UNASKED:
                raise RuntimeAbiError(f"the new process sent {packet.kind.name} unasked")
            self._note(packet)
        self._unasked = [packet for packet in self._unasked if packet.kind is not kind]

    def _send(self, data: bytes, descriptors: Sequence[int], kind: Command, deadline: float) -> None:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        while True:
            try:
                self._socket.settimeout(_left(deadline, f"take {kind.name.lower()}"))
                self._socket.sendmsg([data], rights, socket.MSG_NOSIGNAL)
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionError) as error:
                raise NewProcessEnded("the new process has ended", hint=self._why()) from error
            except OSError as error:
                if error.errno != errno.ETOOMANYREFS:
                    raise
                time.sleep(_RETRY_S)  # N has not yet taken those before. Source: unix(7)
            else:
                return

    def _receive(self, what: str, deadline: float) -> _Packet:
        while True:
            self._socket.settimeout(_left(deadline, what))
            try:
                data, descriptors, _, _ = socket.recv_fds(self._socket, _HEAD + MAX_PAYLOAD + 1, 1)
            except TimeoutError:
                continue
            except ConnectionError:
                data, descriptors = b"", []
            break
        if not data:
            raise NewProcessEnded(f"the new process has ended; it was to {what}", hint=self._why())
        return replace(_unpack(data), descriptors=tuple(descriptors))


def open_channel() -> tuple[Channel, int]:
    """A channel and the descriptor (close-on-exec) of N's end, to be put at `messages.CHANNEL_FD` and closed here."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(ours), theirs.detach()


def _birth(packet: _Packet) -> Birth:
    if len(packet.payload) != _BIRTH.size or len(packet.descriptors) != 1:
        raise RuntimeAbiError("the new process sent nonsense over the channel")
    stack_id, pid = _BIRTH.unpack(packet.payload)
    return Birth(stack_id, pid, Channel(socket.socket(fileno=packet.descriptors[0])))


def _left(deadline: float, what: str) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise NewProcessSilent(f"the new process did not {what} in time")
    return left


def _unpack(data: bytes) -> _Packet:
    try:
        head = Message.from_buffer_copy(data)
        return _Packet(Command(head.kind), head.count, head.status, data[_HEAD:])
    except ValueError as error:
        raise RuntimeAbiError("the new process sent nonsense over the channel") from error


def _groups(values: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _call_groups(calls: Iterable[RemoteCall]) -> Iterator[list[RemoteCall]]:
    group: list[RemoteCall] = []
    room = MAX_PAYLOAD
    for call in calls:
        need = _CALL + sum(_padded(data) for data in _buffers(call))
        if need > MAX_PAYLOAD:
            raise RuntimeAbiError(f"a system call with {need} bytes of arguments does not fit into a message")
        if need > room:
            yield group
            group, room = [], MAX_PAYLOAD
        group.append(call)
        room -= need
    if group:
        yield group


def _buffers(call: RemoteCall) -> tuple[bytes, ...]:
    return tuple(one for one in call.args if isinstance(one, bytes))


def _padded(data: bytes) -> int:
    return -(-len(data) // 8) * 8


def _pack_calls(calls: Sequence[RemoteCall]) -> bytes:
    rows, data = [], bytearray()
    for call in calls:
        row = RemoteSyscall(number=call.number, stop_on_error=call.stop_on_error)
        for i, one in enumerate(call.args):
            if isinstance(one, bytes):
                row.args[i], row.pointers = len(data), row.pointers | 1 << i
                data += one.ljust(_padded(one), b"\0")
            else:
                row.args[i] = one & (1 << 64) - 1
        rows.append(bytes(row))
    return b"".join(rows) + data


def _unpack_calls(calls: Sequence[RemoteCall], payload: bytes, status: int) -> list[CallResult]:
    if len(payload) < _CALL * len(calls):
        raise NewProcessRefused(Command.SYSCALLS, -status or errno.EPROTO)
    results, at = [], _CALL * len(calls)
    for i, call in enumerate(calls):
        buffers = []
        for one in _buffers(call):
            buffers.append(payload[at : at + len(one)])
            at += _padded(one)
        results.append(CallResult(RemoteSyscall.from_buffer_copy(payload, i * _CALL).result, tuple(buffers)))
    return results


def _stopped(calls: Sequence[RemoteCall], results: Sequence[CallResult]) -> bool:
    return any(call.stop_on_error and -4095 <= result.value < 0 for call, result in zip(calls, results, strict=True))
