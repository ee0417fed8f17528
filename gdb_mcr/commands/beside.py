"""`run` for front ends that stay: the server is started beside them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from gdb_mcr.errors import TargetError
from gdb_mcr.model.results import RunResult

READY_S = 120.0
"""Seconds that preparing a program may take; it is analysed once for each build."""

LOOK_S = 0.01


@dataclass(slots=True)
class Beside:
    """Starts servers as processes of their own."""

    interpreter: str
    """A Python that has gdb_mcr installed."""
    output: TextIO | None = None
    """Where servers' standard output goes; None = to ours."""
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """Children of this process, which must reap them when they end."""

    def start(self, command: Sequence[str], profile: Path | None = None) -> RunResult:
        """Start ``command`` as `mcr run` does, in a session of its own: our end and Ctrl-C do not reach it.

        :param profile: as for `LiveUpdater.prepare_run`.
        :raises TargetError: it ended before it became the server; what it said stands on standard error.
        """
        options = [] if profile is None else ["--profile", str(profile)]
        run = ["-m", "gdb_mcr", "run", *options, "--", *command]
        server = subprocess.Popen(
            [self.interpreter, *run], stdin=subprocess.DEVNULL, stdout=self.output, start_new_session=True
        )
        self.servers.append(server)
        _await_exec(server, run, command[0])
        return RunResult(server.pid, tuple(command))

    def reap(self) -> None:
        """Let go of the servers that have ended."""
        self.servers = [one for one in self.servers if one.poll() is None]


# `mcr run` becomes the server by exec, which gives the process other arguments; one that ends has none.
def _await_exec(server: subprocess.Popen[bytes], run: Sequence[str], name: str) -> None:
    deadline = time.monotonic() + READY_S
    while not (now := _arguments(server.pid)) or now.endswith(_as_arguments(run)):
        if server.poll() is not None:
            raise TargetError(f"{name} did not start: exit status {server.returncode}", hint="its message stands above")
        if time.monotonic() > deadline:
            raise TargetError(f"{name} is still not running after {READY_S:g} s, as process {server.pid}")
        time.sleep(LOOK_S)


def _as_arguments(words: Sequence[str]) -> bytes:
    return b"".join(os.fsencode(word) + b"\0" for word in words)


def _arguments(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
