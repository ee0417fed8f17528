"""libmcr's hooks: programs behave as without it, the log says what start-up did, and N leaves O's world alone."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from gdb_mcr import paths
from gdb_mcr.model.startup_log import LoggedOperation, OperationFlag, OperationKind
from gdb_mcr.runtime_abi.layout import Role, State
from gdb_mcr.runtime_abi.messages import Command
from gdb_mcr.runtime_abi.settings import (
    Inherited,
    NewSettings,
    new_settings,
    read_old_log,
    record_settings,
)
from gdb_mcr.runtime_abi.tables import read_startup_log
from tests.support.preloaded import TIMEOUT_S, Channel, Preloaded, build_target, inherited

SETTINGS_FD = 250
SYS_PIDFD_GETFD = 438


@contextmanager
def owned(fd: int) -> Iterator[int]:
    """Closes a descriptor at the end of the block."""
    yield fd
    os.close(fd)


def run(command: list[str], directory: Path, settings: int | None = None) -> list[str]:
    """The lines that a program under libmcr prints; it must end well and silently."""

    def place() -> None:
        if settings is not None:
            os.dup2(settings, SETTINGS_FD)

    environ = {
        **os.environ,
        "LD_PRELOAD": str(paths.native_library("libmcr.so")),
        "TARGET_DIRECTORY": str(directory),
    }
    done = subprocess.run(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        close_fds=False,
        preexec_fn=place,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return done.stdout.decode().splitlines()


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(build_target("hooked_calls", tmp_path_factory.mktemp("target")))


@pytest.fixture(scope="module")
def effects(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(build_target("startup_effects", tmp_path_factory.mktemp("target")))


def test_hooks_do_what_libc_does(calls: str, tmp_path: Path) -> None:
    """Before main, in main, in a thread and in a child of fork."""
    assert run([calls], tmp_path) == ["checked"]


def test_recorded_server_takes_libmcr_along_when_it_executes_itself(calls: str, tmp_path: Path) -> None:
    with owned(record_settings([])) as settings:
        assert run([calls, "exec"], tmp_path, settings) == ["checked", "with", "with", "with"]


def test_recorded_server_hands_nothing_to_other_programs(tmp_path: Path) -> None:
    script = "env | grep -c LD_PRELOAD; grep -c libmcr /proc/self/maps; ls /proc/self/fd | grep -cx 250; exit 0"
    with owned(record_settings([])) as settings:
        assert run(["bash", "-c", script], tmp_path, settings) == ["0", "0", "0"]


class Scene:
    """A server with many effects, and a new process of it that is held."""

    def __init__(self, binary: str, directory: Path, stack: ExitStack) -> None:
        self.directory, self._stack = directory, stack
        self._argv = [binary, str(directory)]
        (directory / "log").write_text("before\n")
        (directory / "kept").write_text("old\n")
        settings = stack.enter_context(owned(record_settings([])))
        self.old = stack.enter_context(Preloaded(self._argv, settings))
        self.old_line = self.old.read_line()
        self.old.wait_for(State.SERVING)
        self.channel = stack.enter_context(closing(Channel()))
        self.new = self._start_new()
        self.new_line = self.new.read_line()
        assert self.channel.receive()[0] == Command.HELLO
        assert self.channel.receive()[:2] == (Command.HELD, 0)

    def _start_new(self) -> Preloaded:
        control = self.old.control()
        numbers = [int(link.name) for link in Path(f"/proc/{self.old.pid}/fd").iterdir()]
        numbers = [number for number in numbers if 2 < number < SETTINGS_FD]
        settings = new_settings(
            NewSettings(
                role=Role.REPLAY,
                generation=1,
                window=control.window.start,
                first_page=0,
                old_pid=self.old.pid,
                placeholder_end=64,
                private_fd=900,
                log=read_old_log(self.old.memory, control),
                modules=[],
                inherited=[Inherited(number, cloexec=False) for number in numbers],
            )
        )
        pidfd = self._stack.enter_context(owned(os.pidfd_open(self.old.pid)))
        copies = [ctypes.CDLL(None).syscall(SYS_PIDFD_GETFD, pidfd, number, 0) for number in numbers]
        self.channel.send(Command.FDS, inherited(*numbers), len(numbers), copies)
        new = self._stack.enter_context(Preloaded(self._argv, settings, self.channel.there))
        for fd in (settings, *copies):
            os.close(fd)
        self.channel.there.close()
        assert self.channel.receive()[0] == Command.FDS
        return new

    def files(self) -> dict[str, str]:
        names = ("log", "kept", "state", "pid")
        return {name: (self.directory / name).read_text() for name in names}

    def operations(self, kind: OperationKind) -> list[LoggedOperation]:
        """Of the new process."""
        return [one for one in read_startup_log(self.new.memory, self.new.control()).operations if one.kind is kind]

    def ask(self) -> int:
        """The process that answers a new connection."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(TIMEOUT_S)
            client.connect(str(self.directory / "socket"))
            return int(client.recv(100))

    def expected(self, pid: int) -> dict[str, str]:
        return {"kept": f"new {pid}\n", "state": f"state {pid}\n", "pid": f"{pid}\n"}


@pytest.fixture
def scene(effects: str, tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(effects, tmp_path, stack)


def test_start_up_finds_the_same_bytes_time_and_numbers(scene: Scene) -> None:
    assert len(scene.old_line.split()) == 12
    assert scene.new_line == scene.old_line


def test_nothing_of_the_old_server_is_touched_before_commit(scene: Scene) -> None:
    pid = scene.old.pid
    assert scene.files() == {**scene.expected(pid), "log": f"before\nstart {pid}\n"}
    assert scene.ask() == pid
    assert scene.new.control().error_text == ""
    names = {path.name for path in scene.directory.iterdir()}
    assert names == {"log", "kept", "state", "pid", "socket", "new"}
    scene.channel.close()
    scene.new.process.wait(TIMEOUT_S)
    assert {path.name for path in scene.directory.iterdir()} == names - {"new"}
    assert scene.files() == {**scene.expected(pid), "log": f"before\nstart {pid}\n"}
    assert scene.ask() == pid


def test_log_of_the_new_process_tells_what_was_matched_and_withheld(scene: Scene) -> None:
    for kind in (OperationKind.SOCKET, OperationKind.BIND, OperationKind.PIPE, OperationKind.EVENTFD):
        assert [one.flags for one in scene.operations(kind)] == [OperationFlag.MATCHED], kind
    for kind in (OperationKind.KILL, OperationKind.LOCK, OperationKind.UNLINK, OperationKind.RENAME):
        assert OperationFlag.WITHHELD in {one.flags for one in scene.operations(kind)}, kind


def test_commit_brings_the_withheld_effects(scene: Scene) -> None:
    old, new = scene.old.pid, scene.new.pid
    with owned(os.pidfd_open(old)) as pidfd:
        assert scene.channel.ask(Command.COMMIT, count=1, fds=[pidfd])[0] == 0
    assert scene.old.process.wait(TIMEOUT_S) == -9
    assert scene.ask() == new
    assert scene.files() == {**scene.expected(new), "log": f"before\nstart {old}\nstart {new}\n"}
    probe = f"import fcntl; fcntl.lockf(open({str(scene.directory / 'pid')!r}, 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    locked = subprocess.run(["python3", "-c", probe], capture_output=True, timeout=TIMEOUT_S, check=False)
    assert b"BlockingIOError" in locked.stderr
