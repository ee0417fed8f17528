"""A recorded memcached that updates are tried on which must not happen, and what they say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gdb_mcr.runtime_abi.layout import State
from gdb_mcr.update.recorded import find_recorded
from tests.support.mcr_server import McrServer, UpdateRun
from tests.support.memcached import free_port, server_arguments, wait_until_served
from tests.support.servers import nearest_server
from tests.support.unharmed import Bystander

_STARTUP_S = 20.0
_UPDATE_S = 60.0


@dataclass(frozen=True)
class Served:
    """A recorded memcached, its binary and its arguments."""

    server: McrServer
    binary: Path
    port: int
    arguments: str

    def update(self, bystander: Bystander, new: Path, *options: str, **environment: str) -> UpdateRun:
        """`mcr update` of it."""
        return self.server.update(
            new, *options, environment={**bystander.environment, **environment}, timeout=_UPDATE_S
        )


@contextmanager
def served_memcached() -> Iterator[Served]:
    """The server at the end of its start-up; ended at the end."""
    binary, port = nearest_server("memcached", "1.6.18-1+deb12u1").binary, free_port()
    arguments = server_arguments(port, megabytes=64, threads=2)
    with McrServer([str(binary), *arguments]) as server:
        wait_until_served(port)
        deadline = time.monotonic() + _STARTUP_S
        while find_recorded(server.pid).control().state is not State.SERVING:
            assert time.monotonic() < deadline, "the start-up does not end"
            time.sleep(0.01)  # nothing announces it
        yield Served(server, binary, port, " ".join(arguments))


def told(run: UpdateRun, status: int) -> str:
    """What it said. It must have ended with ``status`` and show no Python; below 2 and with 3 there is a result."""
    assert run.status == status, run.told()
    assert "Traceback" not in run.errors
    if status == 2:
        assert run.errors.startswith("mcr: "), run.told()
        return run.errors
    assert run.result["verdict"] in ("refused", "rolled_back", "rolled-back"), run.told()
    return run.output
