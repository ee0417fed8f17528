"""A load of `pushers` from a process of its own: `with PushLoad("redis", port) as load: …; result = load.stop()`.

The process obeys lines on its standard input (`progress`, `stop`) and answers each with one line of JSON; it ends when
its standard input is closed, so it cannot outlive its controller.
"""

from __future__ import annotations

import gc
import json
import select
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.gap import Gap, GapRecorder, GapSeries
from tests.support.memcached_load import LoadError, Progress
from tests.support.pushers import PUSHERS, WrongAnswer

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class PushResult:
    """What the clients saw. Times are seconds of CLOCK_MONOTONIC."""

    requests: int
    errors: int
    """Wrong answers, closed connections, time-outs. A client ends with its first one."""
    error_texts: tuple[str, ...]
    waits: GapSeries
    """From a request to its answer."""


class PushLoad:
    """A running load. A context manager.

    :param pause_s: seconds that each client waits between two requests.
    """

    def __init__(self, kind: str, port: int, clients: int = 6, pause_s: float = 0.004) -> None:
        self._words = [kind, str(port), str(clients), str(pause_s)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.push_load", *self._words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            bufsize=0,
        )
        self.progress()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.kill()
        self._process.wait()

    def progress(self) -> Progress:
        """What happened up to now."""
        answer = self._ask(b"progress\n")
        return Progress(answer["requests"], answer["errors"])

    def stop(self) -> PushResult:
        """Send no more, and say what the clients saw."""
        answer = self._ask(b"stop\n")
        gaps = GapSeries(tuple(Gap(start, end) for start, end in answer["waits"]))
        return PushResult(answer["requests"], answer["errors"], tuple(answer["texts"]), gaps)

    def _ask(self, line: bytes) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line)
        if not select.select([self._process.stdout], [], [], TIMEOUT_S)[0]:
            raise LoadError("the load's process says nothing")
        answer = self._process.stdout.readline()
        if not answer.endswith(b"\n"):
            raise LoadError("the load's process ended; its standard error says why")
        result: dict[str, Any] = json.loads(answer)
        return result


class _Clients:
    def __init__(self, kind: str, port: int, count: int, pause_s: float) -> None:
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._pause_s = pause_s
        self.requests = self.errors = 0
        self.texts: list[str] = []
        self.waits = GapRecorder(time.monotonic(), count)
        self._pushers = [PUSHERS[kind](port, index) for index in range(count)]
        self._threads = [threading.Thread(target=self._run, args=(index,), daemon=True) for index in range(count)]
        for one in self._threads:
            one.start()

    def stop(self) -> None:
        self._over.set()
        for one in self._threads:
            one.join(TIMEOUT_S)

    def _run(self, index: int) -> None:
        number = 0
        while not self._over.wait(self._pause_s):
            number += 1
            began = time.monotonic()
            try:
                self._pushers[index].push(number)
                text = ""
            except (OSError, WrongAnswer) as error:
                text = f"client {index}, request {number}: {error or type(error).__name__}"
            with self._lock:
                self.waits.add(began, time.monotonic())
                self.requests += not text
                if text:
                    self.errors += 1
                    self.texts.append(text)
                    return


def _say(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _main() -> None:
    kind, port, count, pause_s = sys.argv[1:]
    clients = _Clients(kind, int(port), int(count), float(pause_s))
    gc.freeze()
    gc.disable()  # a collection would show as a wait
    for line in sys.stdin:
        if line == "stop\n":
            clients.stop()
            waits = [(one.start, one.end) for one in clients.waits.series().gaps]
            texts = clients.texts[:10]
            _say({"requests": clients.requests, "errors": clients.errors, "texts": texts, "waits": waits})
        else:
            _say({"requests": clients.requests, "errors": clients.errors})


if __name__ == "__main__":
    _main()
