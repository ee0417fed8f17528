"""One memcached under a light load that is updated with faults again and again, and looked over after each of them.

`FaultBench.run(fault)` does one update and answers a `FaultReport`; it asserts nothing, so that a campaign can go on.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gdb_mcr.errors import McrError
from gdb_mcr.model.steps import Phase
from gdb_mcr.update.faults import VARIABLE, Fault, FaultAction, When
from tests.support.descendants import adopting, descendants, reap, wait_for_leftovers
from tests.support.disturb import Disturb, nothing
from tests.support.fingerprint import Fingerprint, debugger_traces, take_fingerprint
from tests.support.mcr_server import ROOT, McrServer, mcr
from tests.support.memcached import (
    ClientFailure,
    ItemPlan,
    Load,
    LoadResult,
    MemcachedClient,
    fill,
    free_port,
    server_arguments,
    verify,
    wait_until_served,
)
from tests.support.server_view import listener_owners

UPDATE_S = 60.0
LEFTOVER_S = 3.0
"""Seconds for what a killed controller leaves to end by itself."""

SERVICE_S = 5.0
"""Seconds within which every request after an update must be answered."""

_CONNECTIONS = 4
_KEPT_FILES = ("history.jsonl",)

ALL_FAULTS = tuple(Fault(phase, when, action) for phase in Phase for when in When for action in FaultAction)


def is_after_commit(fault: Fault) -> bool:
    """Whether the new server serves already when the fault comes."""
    return (fault.phase, fault.when) == (Phase.COMMIT, When.AFTER)


def fault_name(fault: Fault) -> str:
    """As the environment says it."""
    return f"{fault.phase.value}:{fault.when.value}:{fault.action.value}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one `mcr update` ended."""

    status: int
    """Its exit status; negative: the signal that ended it."""
    output: str
    errors: str
    result: Mapping[str, Any]
    """Its JSON, empty if it wrote none."""
    began: float
    """CLOCK_MONOTONIC, in seconds."""
    seconds: float

    @property
    def message(self) -> str:
        """How it says it ended, and what it warns of."""
        said = [*self.output.splitlines()[:1], *self.errors.splitlines()]
        return " | ".join([*said, *self.result.get("warnings", [])])


@dataclass(frozen=True, slots=True)
class FaultReport:
    """One update with a fault, and what was seen after it."""

    name: str
    outcome: Outcome
    committed: bool
    """Whether another process serves than before."""
    first_answer_s: float
    """From the end of `mcr update` to the first answer to a request."""
    leftovers_s: float
    """From then until everything that it had started was gone."""
    problems: tuple[str, ...]
    """What is not as it must be."""

    def told(self) -> str:
        """Everything, for an assertion's message."""
        outcome = self.outcome
        lines = (*self.problems, f"exit status {outcome.status}", outcome.output, outcome.errors)
        return "\n".join((self.name, *lines))


class FaultBench:
    """``with FaultBench(binary) as bench:`` starts the server, fills it, and starts the load."""

    def __init__(self, binary: Path, new: Path | None = None, options: Sequence[str] = ()) -> None:
        self._binary = binary
        self._new = binary if new is None else new
        self._options = options
        self._stack = ExitStack()
        self._errors = self._turn = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(adopting())
            self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self._environment = {
                name: str(self._directory) for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "TMPDIR")
            }
            self._port = free_port()
            command = [str(self._binary), *server_arguments(self._port, megabytes=64, threads=2)]
            self._server = stack.enter_context(McrServer(command, self._environment))
            wait_until_served(self._port)
            self._filled = fill(self._port, plan=ItemPlan(300, largest=20_000, total=1_000_000, shortest_ttl=600))
            self._clients = [stack.enter_context(MemcachedClient(self._port)) for _ in range(_CONNECTIONS)]
            self._half = stack.enter_context(MemcachedClient(self._port))
            self._send_half()
            self._load = stack.enter_context(Load(self._port, 4, rate=200.0))
            self._known = set(descendants())
            warm = self._update(nothing, {}, "--dry-run")
            assert warm.status == 0, warm
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def pid(self) -> int:
        """The process that serves now."""
        return self._server.pid

    def stop_load(self) -> LoadResult:
        """Ends the load, and with it the use of the bench: what the clients saw all the time."""
        return self._load.stop()

    def run(self, fault: Fault) -> FaultReport:
        """One update that breaks at ``fault``."""
        name, after = fault_name(fault), is_after_commit(fault)
        report = self.run_with(name, nothing, {VARIABLE: name}, committed=after)
        killed = fault.action is FaultAction.KILL_CONTROLLER
        wanted = ("", -9) if killed else ("committed", 0) if after else ("rolled-back", 3)
        seen = (report.outcome.result.get("verdict", ""), report.outcome.status)
        wrong = [f"it answered {seen}, not {wanted}"] if seen != wanted else []
        if not killed and not (after and fault.action is FaultAction.RAISE) and not _names(fault, report.outcome):
            wrong.append(f"the message does not say what happened: {report.outcome.message}")
        return replace_problems(report, (*wrong, *report.problems))

    def run_with(
        self,
        name: str,
        disturb: Disturb,
        environment: Mapping[str, str] | None = None,
        *,
        committed: bool | None = False,
        options: Sequence[str] = (),
    ) -> FaultReport:
        """One update, while which ``disturb`` is called with the running `mcr update`.

        :param committed: whether the new server must serve afterwards; None: either may.
        """
        old, before, files = self.pid, take_fingerprint(self.pid), self._files()
        outcome = self._update(disturb, environment or {}, *options)
        first_answer_s = self._first_answer()
        owner = self._owner(outcome)
        left, leftovers_s = wait_for_leftovers(self._known, LEFTOVER_S)
        changed = owner != old
        problems = [f"left over: {left}"] if left else []
        problems += [f"left over: {one}" for one in sorted(self._files() - files)]
        if committed is not None and committed != changed:
            problems.append(f"process {owner} serves; {old} served before")
        problems += self._problems(None if changed else before, first_answer_s)
        return FaultReport(name, outcome, changed, first_answer_s, leftovers_s, tuple(problems))

    def lose_server(self, disturb: Disturb) -> tuple[Outcome, dict[int, str]]:
        """One update that ends the server: how it ended, and which processes it left. The bench is of no use then."""
        outcome = self._update(disturb, {})
        left, _ = wait_for_leftovers(self._known, LEFTOVER_S)
        return outcome, left

    # ---- parts

    def _update(self, disturb: Disturb, environment: Mapping[str, str], *options: str) -> Outcome:
        file = self._directory / "result.json"
        words = ("update", str(self.pid), str(self._new), "--json", str(file), *self._options, *options)
        began = time.monotonic()
        with subprocess.Popen(
            mcr(*words),
            cwd=ROOT,
            env={**os.environ, **self._environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            disturb(process)
            output, errors = process.communicate(timeout=UPDATE_S)
        seconds = time.monotonic() - began
        text = file.read_text() if file.exists() else ""
        file.unlink(missing_ok=True)
        return Outcome(process.returncode, output, errors, json.loads(text) if text else {}, began, seconds)

    # A new connection, as any client would make one.
    def _first_answer(self) -> float:
        began = time.monotonic()
        try:
            with MemcachedClient(self._port, timeout=SERVICE_S) as client:
                client.version()
        except ClientFailure:
            return SERVICE_S
        return time.monotonic() - began

    # Between the old server's end and the new one's release both may hold the socket for a moment.
    def _owner(self, outcome: Outcome) -> int:
        deadline = time.monotonic() + LEFTOVER_S
        while len(owners := listener_owners(self._port)) != 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        new = outcome.result.get("new_pids") or owners
        if len(new) == 1 and new[0] != self.pid:
            reap(self.pid)
            self._server.note_new(new)
            self._known.add(new[0])
        return owners[0] if len(owners) == 1 else 0

    def _files(self) -> set[str]:
        ours = [one for one in self._directory.rglob("*") if one.is_file() and one.name not in _KEPT_FILES]
        shared = Path("/dev/shm").glob("*mcr*")
        return {str(one) for one in (*ours, *shared)}

    def _problems(self, before: Fingerprint | None, first_answer_s: float) -> Iterator[str]:
        if first_answer_s >= SERVICE_S:
            yield f"a new connection got no answer in {SERVICE_S:g} s"
        try:
            yield from self._service_problems()
            yield from debugger_traces(self.pid)
            if before is not None:
                yield from before.changes(take_fingerprint(self.pid))
        except (ClientFailure, McrError) as error:
            yield str(error)

    def _service_problems(self) -> Iterator[str]:
        self._finish_half()
        for number, client in enumerate(self._clients):
            client.set(b"own:%d" % number, b"%d" % self._turn)
            value = client.get(b"own:%d" % number)
            if value is None or value.data != b"%d" % self._turn:
                yield f"connection {number} reads {value} instead of {self._turn}"
        yield from (f"item {one.key!r} {one.why}" for one in verify(self._port, self._filled, limit=3))
        progress = self._load.wait_for(20, SERVICE_S)
        if progress.errors > self._errors:
            yield f"the load saw {progress.errors - self._errors} errors"
            self._errors = progress.errors
        self._send_half()

    # A set of which the server has the head and half of the value while it is updated.
    def _send_half(self) -> None:
        self._turn += 1
        self._half.send(b"set half 0 0 2000\r\n" + b"a" * 1000)

    def _finish_half(self) -> None:
        self._half.send(b"b" * 1000 + b"\r\n")
        self._half.expect_line(b"STORED")
        value = self._half.get(b"half")
        assert value is not None, "stored a moment ago"
        if value.data != b"a" * 1000 + b"b" * 1000:
            raise ClientFailure("the half-sent value was stored wrongly")


def _names(fault: Fault, outcome: Outcome) -> bool:
    message = outcome.message
    if fault.action is FaultAction.RAISE:
        return f"injected {fault.when.value} {fault.phase.value}" in message
    return "signal 9" in message and "GDB" in message


def replace_problems(report: FaultReport, problems: tuple[str, ...]) -> FaultReport:
    """The same report with other problems."""
    return FaultReport(
        report.name, report.outcome, report.committed, report.first_answer_s, report.leftovers_s, problems
    )
