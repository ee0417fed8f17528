"""What must be true of a memcached after an update that did not happen: it serves as before, and nothing is left over.

with Bystander(pid, port) as bystander:
    run_mcr("update", …, environment=bystander.environment)
    assert bystander.harm() == []
"""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from gdb_mcr.debugger.target_process import task_states
from gdb_mcr.runtime_abi.layout import State
from gdb_mcr.update.recorded import find_recorded
from tests.support.memcached_client import ClientFailure, MemcachedClient
from tests.support.server_view import listener_owners, server_fds, thread_ids

MARK = "MCR_TEST_MARK"
"""The environment variable by which the programs that an `mcr` started are found: its GDBs, its launcher."""

ITEMS = 20


class Bystander:
    """Enter it before the update is tried. It gives the server some items, and keeps one command half sent.

    :param pid: a recorded memcached that serves on ``port``.
    :param patience_s: seconds in which everything must have ended that `mcr` started; more if `mcr` is killed.
    """

    def __init__(self, pid: int, port: int, patience_s: float = 3.0) -> None:
        self._pid = pid
        self._port = port
        self._patience_s = patience_s
        self._mark = uuid.uuid4().hex

    def __enter__(self) -> Self:
        # mcr may run as another user
        self._directory = tempfile.TemporaryDirectory(prefix="mcr-bystander-")
        Path(self._directory.name).chmod(0o1777)
        self._client = MemcachedClient(self._port)
        for number in range(ITEMS):
            self._client.set(_key(number), _value(number))
        self._client.set(b"unharmed:counter", b"1")
        self._client.send(b"set unharmed:half 0 0 10\r\n01234")
        self._generation = find_recorded(self._pid).control().generation
        self._before = self._shape()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self._directory.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        """For the `mcr` that is tried."""
        return {MARK: self._mark, "TMPDIR": self._directory.name}

    def harm(self) -> list[str]:
        """What is wrong, one text each; empty if the server is unharmed. The command goes on that was half sent."""
        return [*self._state(), *self._left_over(), *self._answers()]

    def _state(self) -> Iterator[str]:
        states = task_states(self._pid)
        if not states:
            yield f"process {self._pid} is gone"
            return
        yield from (f"thread {tid} is in state {state}" for tid, state in states.items() if state in "TtZX")
        yield from (f"thread {tid} is traced by {tracer}" for tid in states if (tracer := _tracer(self._pid, tid)))
        control = find_recorded(self._pid).control()
        if control.hold:
            yield "libmcr still holds the server's threads"
        if (control.state, control.generation) != (State.SERVING, self._generation):
            yield f"libmcr is in state {control.state.name}, generation {control.generation}"
        yield from (f"{name}: {was} before, {now} now" for name, was, now in self._changes())

    def _changes(self) -> Iterator[tuple[str, object, object]]:
        for name, now in self._shape().items():
            if now != self._before[name]:
                yield name, self._before[name], now

    def _shape(self) -> dict[str, object]:
        return {"threads": thread_ids(self._pid), "descriptors": server_fds(self._pid)}

    # A process that is not waited for may need a moment to end.
    def _left_over(self) -> list[str]:
        deadline = time.monotonic() + self._patience_s
        while found := [*self._others()]:
            if time.monotonic() > deadline:
                return found
            time.sleep(0.02)
        return [f"{file} was left" for file in sorted(Path(self._directory.name).rglob("*"))]

    def _others(self) -> Iterator[str]:
        for pid in listener_owners(self._port):
            if pid != self._pid:
                yield f"process {pid} has the server's socket: {_command(pid)}"
        for pid in _marked(self._mark):
            yield f"process {pid} still runs: {_command(pid)}"

    def _answers(self) -> Iterator[str]:
        try:
            self._client.send(b"56789\r\n")
            self._client.expect_line(b"STORED")
            if (value := self._client.get(b"unharmed:half")) is None or value.data != b"0123456789":
                yield f"the half-sent item is {value}"
            if (counter := self._client.incr(b"unharmed:counter")) != 2:
                yield f"the counter is {counter}"
            with MemcachedClient(self._port) as other:
                for number in range(ITEMS):
                    if (value := other.get(_key(number))) is None or value.data != _value(number):
                        yield f"item {number} is {value}"
        except ClientFailure as failure:
            yield str(failure)


def _key(number: int) -> bytes:
    return b"unharmed:%d" % number


def _value(number: int) -> bytes:
    return b"%d" % number * 100


def _tracer(pid: int, tid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/task/{tid}/status").read_text().splitlines():
            if line.startswith("TracerPid:"):
                return int(line.split()[1])
    return 0


def _marked(mark: str) -> Iterator[int]:
    wanted = f"{MARK}={mark}".encode()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if wanted in Path(f"/proc/{entry.name}/environ").read_bytes().split(b"\0"):
                    yield int(entry.name)


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return "?"
