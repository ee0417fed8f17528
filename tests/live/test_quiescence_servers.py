"""Real servers are brought to rest and let go while clients push them on: no error, no interrupted call."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.pushed_servers import SERVERS, Pushed, PushedServer, try_cycles

SEED = 1
CYCLES = 12


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pushed")


@pytest.mark.parametrize("server", SERVERS, ids=lambda one: one.name)
def test_cycles_of_quiescence_harm_nobody(
    server: PushedServer, directory: Path, record_property: Callable[[str, object], None]
) -> None:
    outcome = try_cycles(server, directory, CYCLES, SEED)
    assert outcome.problems == []
    assert len(outcome.seconds) == CYCLES
    assert all(one > 0 for one in outcome.gaps)
    record_property("slowest", f"{max(outcome.seconds) * 1000:.0f} ms, client {max(outcome.gaps) * 1000:.0f} ms")


def test_the_counter_sees_a_call_that_is_interrupted(directory: Path) -> None:
    with Pushed(SERVERS[0], directory) as pushed:
        assert pushed.interrupted() == 0
        for _ in range(20):  # the kernel ends epoll_wait(2) so, and nobody rewinds it: signal(7)
            os.kill(pushed.pid, signal.SIGSTOP)
            os.kill(pushed.pid, signal.SIGCONT)
            pushed.await_work(pushed.work())
        assert pushed.interrupted() > 0
