"""A server that runs under `mcr run`, and its updates through the `mcr` program, as a user would do them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
UPDATE_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class UpdateRun:
    """One `mcr update`."""

    status: int
    output: str
    errors: str
    result: Mapping[str, Any]
    """Its JSON; empty if it wrote none."""

    @property
    def new_pids(self) -> list[int]:
        """The processes that serve now, if it committed."""
        return list(self.result.get("new_pids", []))

    @property
    def finding_ids(self) -> set[str]:
        """Of all findings."""
        return {one["id"] for one in self.result.get("findings", [])}

    def told(self) -> str:
        """Everything that it said, for an assertion's message."""
        return f"exit status {self.status}\n{self.output}\n{self.errors}"


def mcr(*words: str) -> list[str]:
    """The command line of the `mcr` program of this checkout."""
    return [sys.executable, "-m", "gdb_mcr", *words]


def run_mcr(
    *words: str, timeout: float = UPDATE_TIMEOUT_S, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs `mcr` to its end."""
    return subprocess.run(
        mcr(*words),
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def run_mcr_update(
    pid: int,
    new: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
    timeout: float = UPDATE_TIMEOUT_S,
) -> UpdateRun:
    """`mcr update PID NEW` to its end."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "result.json"
        words = ("update", str(pid), str(new), "--json", str(file), *options)
        done = run_mcr(*words, timeout=timeout, environment=environment)
        result = json.loads(file.read_text()) if file.exists() and file.stat().st_size else {}
    return UpdateRun(done.returncode, done.stdout, done.stderr, result)


@dataclass
class McrServer:
    """``with McrServer([binary, *args]) as server:`` runs it; all processes that ever served are ended at the end."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    options: Sequence[str] = ()
    """Of `mcr run`."""

    def __post_init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._pids: list[int] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            mcr("run", *self.options, "--", *self.command), cwd=ROOT, env={**os.environ, **self.environment}
        )
        self._pids.append(self._process.pid)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pid in self._pids[1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """The process that serves now."""
        return self._pids[-1]

    @property
    def first_exit_status(self) -> int | None:
        """How the process that was started first ended; None while it runs."""
        assert self._process is not None
        return self._process.poll()

    def update(
        self, new: Path, *options: str, environment: Mapping[str, str] | None = None, timeout: float = UPDATE_TIMEOUT_S
    ) -> UpdateRun:
        """`mcr update` of what serves now."""
        run = run_mcr_update(self.pid, new, *options, environment=environment, timeout=timeout)
        self.note_new(run.new_pids)
        return run

    def note_new(self, pids: Sequence[int]) -> None:
        """These processes serve now; they are ended with the server."""
        self._pids += pids
