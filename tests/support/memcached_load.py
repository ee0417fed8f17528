"""A load on a memcached from a process of its own: `with Load(port) as load: …; result = load.stop()`.

The process obeys lines on its standard input (`progress`, `stop`) and answers each with one line of JSON; it ends when
its standard input is closed, so it cannot outlive its controller.
"""

from __future__ import annotations

import gc
import json
import os
import select
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.gap import Gap, GapSeries
from tests.support.memcached_traffic import LoadOptions, LoadResult, Traffic

_ROOT = Path(__file__).resolve().parents[2]
_START_S = 30.0


class LoadError(Exception):
    """The load's own process failed; this says nothing of the server."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Right answers and errors up to now."""

    requests: int
    errors: int


class Load:
    """A running load. Enter to start it; it answers requests for progress until `stop`.

    :param port: where the server listens.
    :param connections: how many; each has at most one request in flight.
    :param rate: requests a second over all connections, None = closed loop without a limit.
    :param timeout: seconds after which an unanswered request is an error.
    :raises LoadError: when entering: the server cannot be reached; later: the load's process died.
    """

    def __init__(
        self, port: int, connections: int = 16, *, rate: float | None = 5000.0, timeout: float = 5.0, seed: int = 1
    ) -> None:
        self.options = LoadOptions(port, connections, rate, timeout, seed)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.memcached_load", json.dumps(asdict(self.options))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
        )
        try:
            self._read_line(_START_S)
        except LoadError:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        """The load's process."""
        return self._running.pid

    def progress(self) -> Progress:
        """What happened up to now; costs the load next to nothing."""
        self._write(b"progress\n")
        answer = json.loads(self._read_line(_START_S))
        return Progress(answer["requests"], answer["errors"])

    def wait_for(self, requests: int, timeout: float) -> Progress:
        """Wait until so many more right answers have come, or there is an error, of now or of before.

        :raises LoadError: neither came within ``timeout`` seconds.
        """
        begin = self.progress()
        for _ in range(int(timeout / 0.01) + 1):
            now = self.progress()
            if now.requests >= begin.requests + requests or now.errors:
                return now
            select.select([], [], [], 0.01)
        raise LoadError(f"only {now.requests - begin.requests} of {requests} answers in {timeout} s")

    def stop(self) -> LoadResult:
        """Stop sending, wait for what is due, and say what the clients saw."""
        self._write(b"stop\n")
        line = self._read_line(self.options.timeout + _START_S)
        self._end()
        return result_from_json(json.loads(line))

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise LoadError("the load is not running")
        return self._process

    def _write(self, line: bytes) -> None:
        stdin = self._running.stdin
        assert stdin is not None, "opened with a pipe"
        try:
            stdin.write(line)
            stdin.flush()
        except OSError as error:
            raise LoadError(f"the load's process is gone: {error}") from error

    def _read_line(self, timeout: float) -> bytes:
        stdout = self._running.stdout
        assert stdout is not None, "opened with a pipe"
        if not select.select([stdout], [], [], timeout)[0]:
            raise LoadError(f"the load's process said nothing in {timeout} s")
        line = stdout.readline()
        if not line.endswith(b"\n"):
            raise LoadError("the load's process ended; its standard error says why")
        return line

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def result_from_json(data: dict[str, Any]) -> LoadResult:
    """What `result_to_json` was given. ``data`` is used up."""
    for name in ("gaps", "waits"):
        data[name] = GapSeries(tuple(Gap(start, end) for start, end in data[name]))
    for name in ("error_texts", "histogram"):
        data[name] = tuple(data[name])
    return LoadResult(**data | {"stall": Gap(*data["stall"])})


def result_to_json(result: LoadResult) -> dict[str, object]:
    """A result as JSON has it."""

    def pair(gap: Gap) -> tuple[float, float]:
        return gap.start, gap.end

    data: dict[str, object] = {name: getattr(result, name) for name in LoadResult.__dataclass_fields__}
    data["gaps"] = [pair(gap) for gap in result.gaps.gaps]
    data["waits"] = [pair(gap) for gap in result.waits.gaps]
    data["stall"] = pair(result.stall)
    return data


def _say(data: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(data) + "\n")
    sys.stdout.flush()


def _main() -> None:
    traffic = Traffic(LoadOptions(**json.loads(sys.argv[1])), wake_fd=0)
    gc.freeze()
    gc.disable()  # a collection would show as a gap
    _say({"ready": True})
    while True:
        if not traffic.step():
            continue
        words = os.read(0, 4096).split()
        if b"stop" in words:
            _say(result_to_json(traffic.finish()))
            return
        if not words:
            return
        _say({"requests": traffic.requests, "errors": traffic.errors})


if __name__ == "__main__":
    _main()
