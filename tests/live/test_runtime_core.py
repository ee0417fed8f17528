"""libmcr.so as a whole, in small servers: off, recording, holding, and as a new process on its channel."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from gdb_mcr import paths
from gdb_mcr.model.startup_log import OperationFlag, OperationKind
from gdb_mcr.runtime_abi.control import clear_hold, set_hold
from gdb_mcr.runtime_abi.layout import ErrorKind, Role, State
from gdb_mcr.runtime_abi.messages import Command, RemoteSyscall
from gdb_mcr.runtime_abi.settings import (
    Inherited,
    NewSettings,
    new_settings,
    read_old_log,
    record_settings,
)
from gdb_mcr.runtime_abi.tables import read_snapshot, read_startup_log
from tests.support.preloaded import TIMEOUT_S, Channel, Preloaded, build_target, inherited

SECOND = 1_000_000_000
LISTENER = 3
SYS_GETPID, SYS_CLOSE = 39, 3


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_target("small_server", tmp_path_factory.mktemp("target"))


@dataclass(frozen=True, slots=True)
class Client:
    """A connection to a small server."""

    connection: socket.socket

    def ask(self, line: str) -> list[str]:
        self.connection.sendall(line.encode() + b"\n")
        return self.connection.recv(100).decode().split()


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a small server puts what it makes."""

    binary: Path
    directory: Path
    stack: ExitStack

    @property
    def argv(self) -> list[str]:
        return [str(self.binary), str(self.directory / "socket"), str(self.directory / "file")]

    def start_old(self) -> Preloaded:
        """O, ready to be asked."""
        settings = record_settings([])
        self.stack.callback(os.close, settings)
        old = self.stack.enter_context(Preloaded(self.argv, settings))
        assert old.read_line() == "ready"
        return old

    def start_new(self, old: Preloaded, channel: Channel, role: Role = Role.REPLAY, watchdog_ms: int = 0) -> Preloaded:
        """N; O's listener is handed over."""
        control = old.control()
        settings = new_settings(
            NewSettings(
                role=role,
                generation=1,
                window=control.window.start,
                first_page=0,
                old_pid=old.pid,
                placeholder_end=32,
                private_fd=900,
                log=read_old_log(old.memory, control),
                modules=[],
                inherited=[Inherited(LISTENER, cloexec=False)],
                watchdog_ms=watchdog_ms,
                startup_timeout_ms=500,
            )
        )
        self.stack.callback(os.close, settings)
        pidfd = os.pidfd_open(old.pid)
        listener = pidfd_getfd(pidfd, LISTENER)
        channel.send(Command.FDS, inherited(LISTENER), 1, [listener])
        new = self.stack.enter_context(Preloaded(self.argv, settings, channel.there))
        for fd in (pidfd, listener):
            os.close(fd)
        channel.there.close()
        return new

    def channel(self) -> Channel:
        return self.stack.enter_context(closing(Channel()))

    def connect(self) -> Client:
        connection = self.stack.enter_context(socket.socket(socket.AF_UNIX))
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(self.directory / "socket"))
        return Client(connection)


@pytest.fixture
def scene(binary: Path, tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(binary, tmp_path, stack)


def pidfd_getfd(pidfd: int, number: int) -> int:
    result: int = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, number, 0)
    assert result >= 0
    return result


def count_answers(client: Client) -> int:
    """Answers that come without being asked for again."""
    answers = 0
    with suppress(TimeoutError):
        while client.connection.recv(100):
            answers += 1
    return answers


def read_long(server: Preloaded, path: Path, symbol: str) -> tuple[int, int]:
    """(address, value) of a long."""
    address = server.address_of(str(path), symbol)
    return address, struct.unpack("<q", server.memory.read(address, 8))[0]


def test_without_settings_everything_works_and_nothing_is_kept(binary: Path) -> None:
    library = str(paths.native_library("libmcr.so"))
    script = "import threading; t = threading.Thread(target=print, args=('hello',)); t.start(); t.join()"
    for command in (["python3", "-c", script], ["bash", "-c", "x=$(printf %s hel); (echo ${x}lo) | cat"]):
        run = subprocess.run(
            command, env={**os.environ, "LD_PRELOAD": library}, capture_output=True, timeout=TIMEOUT_S, check=True
        )
        assert (run.stdout, run.stderr) == (b"hello\n", b"")
    with Preloaded([str(binary), "/nowhere/socket", "/dev/null"]) as server:
        assert server.process.wait(TIMEOUT_S) == 1


def test_start_up_is_recorded(scene: Scene) -> None:
    old = scene.start_old()
    client = scene.connect()
    assert client.ask("who") == [str(old.pid), "42"]
    control = old.wait_for(State.SERVING)
    assert (control.error, control.error_text) == (ErrorKind.OK, "")
    log = read_startup_log(old.memory, control)
    made = {OperationKind.SOCKET, OperationKind.BIND, OperationKind.LISTEN, OperationKind.FOPEN}
    assert made <= {one.kind for one in log.operations}
    assert [one.parent for one in log.threads] == [0, 0, 0]
    assert len({one.creation_id for one in log.threads}) == 3
    assert log.facts.argv[0] == str(scene.binary).encode()
    assert not [one for one in log.facts.environ if one.startswith(b"LD_PRELOAD")]


def test_base_is_as_of_the_end_of_start_up_and_small(scene: Scene) -> None:
    old = scene.start_old()
    client = scene.connect()
    client.ask("who")
    client.ask("who")
    control = old.wait_for(State.SERVING)
    address, now = read_long(old, scene.binary, "answers")
    snapshot = read_snapshot(old.memory, control)
    [place] = [
        snapshot.address + offset + address - where.start for where, offset in snapshot.regions if address in where
    ]
    assert (struct.unpack("<q", old.memory.read(place, 8))[0], now) == (42, 44)
    assert 0 < snapshot.size < 4 << 20


def test_held_server_answers_only_afterwards(scene: Scene) -> None:
    old = scene.start_old()
    client = scene.connect()
    client.ask("tick")
    address = old.control().address
    set_hold(old.memory, address, time.monotonic_ns() + 20 * SECOND)
    client.connection.sendall(
        b"who\n"
    )  # the main thread may be in its wait: it is held after this answer, or before it
    while old.control().held < 2:
        time.sleep(0.001)
    client.connection.settimeout(0.1)
    answers = count_answers(client)
    client.connection.sendall(b"who\n")
    assert count_answers(client) == 0
    client.connection.settimeout(TIMEOUT_S)
    clear_hold(old.memory, address)
    assert client.connection.recv(100) == f"{old.pid} {42 + 1 + answers}\n".encode()
    assert client.ask("signal") == ["handled", "1"]
    assert old.control().held == 0


def test_hold_ends_by_its_deadline(scene: Scene) -> None:
    old = scene.start_old()
    client = scene.connect()
    client.ask("who")
    set_hold(old.memory, old.control().address, time.monotonic_ns() + SECOND // 5)
    client.ask("who")
    assert client.ask("who") == [str(old.pid), "44"]


def test_new_process_is_held_and_takes_over_at_commit(scene: Scene) -> None:
    old = scene.start_old()
    client = scene.connect()
    client.ask("who")
    channel = scene.channel()
    new = scene.start_new(old, channel)
    assert channel.receive() == (Command.FDS, 0, b"")
    assert channel.receive() == (Command.HELLO, 0, b"")
    assert channel.receive() == (Command.HELD, 0, b"")
    control = new.control()
    assert (control.state, control.error_text) == (State.HELD, "")
    bind = next(one for one in read_startup_log(new.memory, control).operations if one.kind is OperationKind.BIND)
    assert OperationFlag.MATCHED in bind.flags
    assert client.ask("who") == [str(old.pid), "43"]
    assert (scene.directory / "file").read_text() == "start-up\n"

    status, results, _ = channel.call(
        RemoteSyscall(number=SYS_GETPID),
        RemoteSyscall(number=SYS_CLOSE, args=(9999, 0, 0, 0, 0, 0), stop_on_error=1),
        RemoteSyscall(number=SYS_GETPID),
    )
    assert (status, results) == (-9, [new.pid, -9, -125])
    assert channel.ask(Command.SNAPSHOT) == (0, b"")
    assert channel.ask(99)[0] == -38

    pidfd = os.pidfd_open(old.pid)
    assert channel.ask(Command.COMMIT, b"", 1, [pidfd]) == (0, b"")
    os.close(pidfd)
    assert old.process.wait(TIMEOUT_S) == -signal.SIGKILL
    assert channel.receive()[0] == 0
    assert scene.connect().ask("who") == [str(new.pid), "42"]
    assert new.control().state is State.SERVING
    assert "/" not in {str(one.readlink()) for one in Path(f"/proc/{new.pid}/fd").iterdir()}  # placeholders


def test_new_process_dies_with_its_channel(scene: Scene) -> None:
    old = scene.start_old()
    client = scene.connect()
    client.ask("who")
    channel = scene.channel()
    new = scene.start_new(old, channel)
    while channel.receive()[0] != Command.HELD:
        pass
    channel.close()
    assert new.process.wait(TIMEOUT_S) == -signal.SIGKILL
    assert client.ask("who") == [str(old.pid), "43"]


def test_watchdog_ends_a_new_process_that_nobody_releases(scene: Scene) -> None:
    old = scene.start_old()
    channel = scene.channel()
    new = scene.start_new(old, channel, Role.REHEARSE, watchdog_ms=700)
    assert new.process.wait(TIMEOUT_S) == -signal.SIGKILL
    assert scene.connect().ask("who") == [str(old.pid), "42"]
