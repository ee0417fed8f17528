"""The controller's end of the channel against a made-up N: a thread that answers as channel.c does."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gdb_mcr.errors import RuntimeAbiError
from gdb_mcr.runtime_abi.channel import (
    MAX_PAYLOAD,
    Channel,
    NewProcessEnded,
    NewProcessRefused,
    NewProcessSilent,
    PassedFd,
    RemoteCall,
    open_channel,
)
from gdb_mcr.runtime_abi.messages import Command, InheritedFd, Message, RemoteSyscall


@dataclass
class Peer:
    """Answers each message with what `answer` makes of it; None = no answer."""

    end: socket.socket
    answer: Callable[[Message, bytes], tuple[int, bytes] | None]
    seen: list[tuple[Command, int]] = field(default_factory=list)
    inodes: list[int] = field(default_factory=list)

    def serve(self) -> None:
        while True:
            data, fds, _, _ = socket.recv_fds(self.end, 1 << 17, 300)
            if not data:
                return
            self.inodes += [os.fstat(fd).st_ino for fd in fds]
            for fd in fds:
                os.close(fd)
            head, payload = Message.from_buffer_copy(data), data[ctypes.sizeof(Message) :]
            self.seen.append((Command(head.kind), head.count))
            answer = self.answer(head, payload)
            if answer is not None:
                self.say(Command(head.kind), *answer, count=head.count)

    def say(self, kind: Command, status: int = 0, payload: bytes = b"", count: int = 0) -> None:
        self.end.send(bytes(Message(kind, count, status)) + payload)


@contextmanager
def peered(answer: Callable[[Message, bytes], tuple[int, bytes] | None]) -> Iterator[tuple[Channel, Peer]]:
    channel, number = open_channel()
    peer = Peer(socket.socket(fileno=number), answer)
    thread = threading.Thread(target=peer.serve)
    thread.start()
    try:
        with channel:
            yield channel, peer
    finally:
        thread.join(10)
        peer.end.close()


def fine(head: Message, payload: bytes) -> tuple[int, bytes]:
    return 0, payload


def test_descriptors_go_in_several_messages() -> None:
    with peered(fine) as (channel, peer), Path(os.devnull).open("rb") as file:
        channel.send_fds([PassedFd(number, True, file.fileno()) for number in range(600)])
        inode = os.fstat(file.fileno()).st_ino
    assert peer.seen == [(Command.FDS, 250), (Command.FDS, 250), (Command.FDS, 100)]
    assert peer.inodes == [inode] * 600


def test_the_other_end_is_held_as_long_as_one_copy_of_it_is_open() -> None:
    channel, number = open_channel()
    with channel:
        copy = os.dup(number)
        os.write(number, bytes(Message(Command.HELLO, 0, 0)))
        os.close(number)
        assert channel.is_held()
        os.close(copy)
        assert not channel.is_held()
        channel.wait_hello(5)


def test_hello_and_held_may_come_between_answers() -> None:
    with peered(fine) as (channel, peer):
        peer.say(Command.HELLO)
        peer.say(Command.HELD)
        channel.snapshot()
        channel.wait_held(5)
        channel.wait_hello(5)
    assert peer.seen == [(Command.SNAPSHOT, 0)]


def test_system_calls_carry_buffers_both_ways() -> None:
    def answer(head: Message, payload: bytes) -> tuple[int, bytes]:
        rows = (RemoteSyscall * head.count).from_buffer_copy(payload)
        data = payload[ctypes.sizeof(rows) :]
        for row in rows:
            row.result = int.from_bytes(data[row.args[1] : row.args[1] + 2], "little") if row.pointers == 2 else -5
        return 0, bytes(rows) + data.upper()

    with peered(answer) as (channel, _):
        results = channel.syscalls(
            [RemoteCall(1, (3, b"ab", -1)), RemoteCall(2, (7,)), RemoteCall(1, (0, b"cdcdcdcdc"))]
        )
    assert [one.value for one in results] == [0x6261, -5, 0x6463]
    assert [one.buffers for one in results] == [(b"AB",), (), (b"CDCDCDCDC",)]


def test_long_system_calls_are_split_and_stop_over_messages() -> None:
    def answer(head: Message, payload: bytes) -> tuple[int, bytes]:
        rows = (RemoteSyscall * head.count).from_buffer_copy(payload)
        rows[0].result = -errno.EPERM
        return -errno.EPERM, bytes(rows) + payload[ctypes.sizeof(rows) :]

    big = RemoteCall(1, (bytes(40000),), stop_on_error=True)
    with peered(answer) as (channel, peer):
        results = channel.syscalls([big, big, big])
        assert [one.value for one in results] == [-errno.EPERM, -errno.ECANCELED, -errno.ECANCELED]
        assert len(peer.seen) == 1
        with pytest.raises(RuntimeAbiError, match="does not fit"):
            channel.syscalls([RemoteCall(1, (bytes(MAX_PAYLOAD),))])


def test_allocations_come_back_in_order() -> None:
    def answer(head: Message, payload: bytes) -> tuple[int, bytes]:
        return 0, b"".join(
            (0x1000 + int.from_bytes(payload[i : i + 8], "little")).to_bytes(8, "little")
            for i in range(0, len(payload), 8)
        )

    with peered(answer) as (channel, peer):
        sizes = list(range(1, 20001))
        assert channel.allocate(sizes) == [0x1000 + size for size in sizes]
        assert len(peer.seen) == 3
        channel.forget([1, 2])
    no_memory = peered(lambda head, payload: (0, bytes(len(payload))))
    with no_memory as (channel, _), pytest.raises(NewProcessRefused, match="memory"):
        channel.allocate([16])


def test_a_refusal_names_command_and_reason() -> None:
    taken = peered(lambda head, payload: (-errno.EEXIST, b""))
    with taken as (channel, _), pytest.raises(NewProcessRefused, match="fds: File exists") as caught:
        channel.send_fds([PassedFd(5, False, 0)])
    assert (caught.value.command, caught.value.number) == (Command.FDS, errno.EEXIST)


def test_a_disabled_runtime_says_why() -> None:
    with peered(fine) as (channel, peer):
        channel.explain_with(lambda: "no window")
        peer.say(Command.HELD, -errno.EPROTO)
        with pytest.raises(NewProcessRefused, match="no window"):
            channel.wait_held(5)


def test_the_end_of_the_new_process_is_told_from_its_silence() -> None:
    channel, number = open_channel()
    with channel:
        with pytest.raises(NewProcessSilent, match="did not end its start-up in time"):
            channel.wait_held(0.01)
        os.close(number)
        with pytest.raises(NewProcessEnded):
            channel.wait_held(5)
        with pytest.raises(NewProcessEnded):
            channel.snapshot()


def test_nonsense_is_an_error_of_its_own() -> None:
    with peered(fine) as (channel, peer):
        peer.end.send(b"\xff" * 16)
        with pytest.raises(RuntimeAbiError, match="nonsense"):
            channel.wait_hello(5)
    assert ctypes.sizeof(InheritedFd) == 8
