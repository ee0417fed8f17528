"""An order to commit that is never answered: whoever of the two lives then serves, and it is never both or none."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from gdb_mcr.errors import UpdateFailed
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.proc.tasks import tasks
from gdb_mcr.runtime_abi.channel import NewProcessSilent
from gdb_mcr.update.commit import commit_new
from gdb_mcr.update.new_server import NewServer

Process = subprocess.Popen[bytes]


class SilentServer:
    """An N that obeys, or not, and never answers."""

    def __init__(self, process: Process, obey: Callable[[], None]) -> None:
        self.pid = process.pid
        self.process: Any = self
        self.channel: Any = self
        self.is_committed = False
        self._obey = obey

    def commit(self, _: list[int]) -> None:
        self._obey()
        raise NewProcessSilent("no answer")

    def committed(self) -> None:
        self.is_committed = True


@pytest.fixture
def pair() -> Iterator[tuple[Process, Process]]:
    old, new = (subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) for _ in range(2))
    yield old, new
    for one in (old, new):
        one.kill()
        one.communicate()


def commit(old: Process, new: Process, obey: Callable[[], None]) -> tuple[SilentServer, list[str]]:
    server = SilentServer(new, obey)
    with Pidfd(old.pid) as pidfd:
        return server, commit_new(cast("NewServer", server), pidfd)


def end(process: Process, is_reaped: bool) -> None:
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    if is_reaped:
        process.wait(5)


def test_a_new_server_that_has_ended_the_old_one_serves(pair: tuple[Process, Process]) -> None:
    old, new = pair
    server, warnings = commit(old, new, lambda: os.kill(old.pid, signal.SIGKILL))
    assert server.is_committed
    assert "did not confirm" in warnings[0]
    assert new.poll() is None
    assert {one.state for one in tasks(new.pid).values()} <= {"S", "R"}


def test_a_new_server_that_hangs_is_ended_and_the_old_one_serves(pair: tuple[Process, Process]) -> None:
    old, new = pair
    with pytest.raises(NewProcessSilent):
        commit(old, new, lambda: None)
    assert new.wait(5) == -signal.SIGKILL
    assert old.poll() is None


@pytest.mark.parametrize("is_reaped", [True, False])
def test_a_new_server_that_ended_before_it_obeyed_leaves_the_old_one(
    pair: tuple[Process, Process], is_reaped: bool
) -> None:
    old, new = pair
    end(new, is_reaped)
    with pytest.raises(NewProcessSilent):
        commit(old, new, lambda: None)
    assert old.poll() is None


@pytest.mark.parametrize("is_reaped", [True, False])
def test_the_end_of_both_is_told(pair: tuple[Process, Process], is_reaped: bool) -> None:
    old, new = pair
    end(new, is_reaped)
    with pytest.raises(UpdateFailed, match="right after it had ended the old one"):
        commit(old, new, lambda: os.kill(old.pid, signal.SIGKILL))
