"""Real servers that are brought to rest and let go again and again while clients push them on.

A memcached, a redis whose background threads have work, and tinyproxy, which makes a thread for each connection.
"""

from __future__ import annotations

import random
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from gdb_mcr.errors import McrError
from gdb_mcr.runtime_abi.layout import State
from gdb_mcr.update.api import NoProgress
from gdb_mcr.update.recorded import find_recorded
from gdb_mcr.update.session import Session
from gdb_mcr.update.updater import Updater
from tests.support.fingerprint import debugger_traces
from tests.support.gap import GapSeries
from tests.support.memcached import free_port, server_arguments
from tests.support.memcached_load import Load, Progress
from tests.support.push_load import PushLoad
from tests.support.redis_client import RedisClient
from tests.support.servers import nearest_server
from tests.support.watched_server import WatchedServer

DEADLINE_S = 5.0
TIMEOUT_S = 20.0
BASELINE_S = 1.0
_LIFE_S = 3600.0
_BETWEEN_S = 0.03


class LoadResult(Protocol):
    """What clients saw."""

    @property
    def errors(self) -> int: ...
    @property
    def error_texts(self) -> tuple[str, ...]: ...
    @property
    def waits(self) -> GapSeries: ...


class AnyLoad(Protocol):
    """`memcached_load.Load` or `push_load.PushLoad`."""

    def __enter__(self) -> AnyLoad: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def progress(self) -> Progress: ...
    def stop(self) -> LoadResult: ...


@dataclass(frozen=True, slots=True)
class PushedServer:
    """A server, and who pushes it."""

    name: str
    version: str
    arguments: Callable[[int, Path], Sequence[str]]
    """Of its port and a directory of its own."""
    load: Callable[[int], AnyLoad]
    """Of its port."""
    idle: Callable[[int], str] = lambda _: ""
    """Of its port: what has not worked although it should, "" if all has."""


def _redis(port: int, directory: Path) -> Sequence[str]:
    words = ("--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory), "--save", "", "--loglevel", "warning")
    return (*words, "--appendonly", "yes", "--appendfsync", "everysec")


# Its threads free what was unlinked and write the log of commands to the disk.
def _idle_redis(port: int) -> str:
    with RedisClient(port) as client:
        answer = client.call("INFO")
    assert isinstance(answer, bytes)
    facts = dict(line.split(":", 1) for line in answer.decode().splitlines() if ":" in line)
    if int(facts["lazyfreed_objects"]) == 0:
        return "no object was freed by a thread"
    return "" if facts["aof_enabled"] == "1" else "there is no log of commands"


def _tinyproxy(port: int, directory: Path) -> Sequence[str]:
    rows = (f"Port {port}", "Listen 127.0.0.1", "Timeout 600", "MaxClients 50", "LogLevel Error")
    file = directory / "tinyproxy.conf"
    file.write_text("".join(f"{row}\n" for row in (*rows, f'LogFile "{directory}/log"')))
    return ("-d", "-c", str(file))


SERVERS = (
    PushedServer(
        "memcached",
        "1.6.18-1+deb12u1",
        lambda port, _: server_arguments(port, megabytes=64),
        lambda port: Load(port, 8, rate=1500.0),
    ),
    PushedServer("redis", "7.0.15-1~deb12u10", _redis, lambda port: PushLoad("redis", port), _idle_redis),
    PushedServer("tinyproxy", "1.11.3-1", _tinyproxy, lambda port: PushLoad("proxy", port)),
)


class Pushed:
    """One of these servers while it runs under libmcr and is pushed. A context manager."""

    def __init__(self, server: PushedServer, directory: Path) -> None:
        """:param directory: for what is compiled."""
        self._server = server
        self._directory = directory
        self._binary = nearest_server(server.name, server.version).binary

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            own = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self._port = free_port()
            command = [str(self._binary), *self._server.arguments(self._port, own)]
            self._run = stack.enter_context(WatchedServer(command, self._directory))
            self._await_served()
            self.load = stack.enter_context(self._server.load(self._port))
            self.await_work(0)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._run.pid

    def end(self) -> None:
        """SIGKILL, as a crash would end it."""
        self._run.end()

    def work(self) -> int:
        """Right answers up to now."""
        return self.load.progress().requests

    def await_work(self, more_than: int) -> int:
        """The same once there are more than so many, or when they do not come in time."""
        deadline = time.monotonic() + TIMEOUT_S
        while (now := self.load.progress()).requests <= more_than and not now.errors and time.monotonic() < deadline:
            time.sleep(0.002)
        return now.requests

    def complaints(self) -> Iterator[str]:
        """What clients have to complain of."""
        if errors := self.load.progress().errors:
            yield f"clients saw {errors} errors: {'; '.join(self.load.stop().error_texts)}"

    def interrupted(self) -> int:
        """The program's calls that were interrupted."""
        return self._run.calls().interrupted

    def idle(self) -> Iterator[str]:
        """What has not worked although it should."""
        if not self._run.calls().calls:
            yield "no call was counted"
        if text := self._server.idle(self._port):
            yield text

    def _await_served(self) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not self._is_ready():
            if time.monotonic() > deadline or not self._run.is_running:
                raise TimeoutError(f"the start-up of {self._server.name} does not end")
            time.sleep(0.01)  # nothing announces it

    def _is_ready(self) -> bool:
        try:
            control = find_recorded(self.pid).control()
            with socket.create_connection(("127.0.0.1", self._port), 1.0):
                return control.state is State.SERVING
        except (McrError, OSError):
            return False


@dataclass
class PushedOutcome:
    """What came of some cycles. Times in seconds."""

    name: str
    cycles: int = 0
    seconds: list[float] = field(default_factory=list)
    """To quiescence, of each cycle that converged."""
    pauses: list[float] = field(default_factory=list)
    """For which all stood still."""
    gaps: list[float] = field(default_factory=list)
    """The longest wait of a client in each cycle."""
    baseline_s: float = 0.0
    """Of a hundred waits without a cycle all but one were shorter."""
    interrupted: int = 0
    """Calls of the program that were interrupted."""
    threads: int = 0
    """The most that were at rest at once."""
    problems: list[str] = field(default_factory=list)


def try_cycles(server: PushedServer, directory: Path, cycles: int, seed: int) -> PushedOutcome:
    """Brings it to rest and lets it go again so often, at moments that depend on the seed."""
    outcome, dice = PushedOutcome(server.name), random.Random(f"{server.name} {seed}")
    windows: list[tuple[float, float]] = []
    with Pushed(server, directory) as pushed:
        session = Updater().open_session(pushed.pid)
        session.phases.timeout_s = _LIFE_S
        try:
            begin = time.monotonic()
            time.sleep(BASELINE_S)
            baseline = (begin, time.monotonic())
            while outcome.cycles < cycles:
                time.sleep(dice.uniform(0.0, _BETWEEN_S))
                windows.append(_cycle(session, outcome))
        finally:
            session.close()
        if pushed.await_work(before := pushed.work()) <= before:
            outcome.problems.append("its work does not go on")
        outcome.problems += [*debugger_traces(pushed.pid), *pushed.idle(), *pushed.complaints()]
        outcome.interrupted = pushed.interrupted()
        if outcome.interrupted:
            outcome.problems.append(f"the program saw {outcome.interrupted} interrupted calls")
        waits = pushed.load.stop().waits
    outcome.gaps = [waits.longest(*window).seconds for window in windows]
    outcome.baseline_s = waits.percentile(99, *baseline)
    return outcome


def _cycle(session: Session, outcome: PushedOutcome) -> tuple[float, float]:
    began = time.monotonic()
    outcome.cycles += 1
    found = session.quiesce(DEADLINE_S, NoProgress())
    if found.converged:
        outcome.seconds.append(found.seconds)
        outcome.threads = max(outcome.threads, len(found.threads))
        outcome.pauses.append(session.release().paused_s)
    else:
        outcome.problems.append(f"cycle {outcome.cycles}: {'; '.join(found.obstacles)}")
    return began, time.monotonic()
