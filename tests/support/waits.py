"""Runs `tests/targets/waits.c`: a process with one thread in each kind of blocking system call."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "targets" / "waits.c"


def build_waits(directory: Path) -> Path:
    """Compiles the target into ``directory``."""
    binary = directory / "waits"
    command = ["gcc", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-pthread", "-o", str(binary), str(SOURCE)]
    subprocess.run(command, check=True, timeout=60)
    return binary


class Waits:
    """A running target, all of its threads asleep."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        word, count = self._line().split()
        assert word == "ready"
        self.threads = int(count) + 1
        """How many threads it has, the initial one included."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def ask(self, command: str) -> list[str]:
        """Sends "check", "wake" or "signal"; the words of the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self._line().split()

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the target ended"
        return line


@contextmanager
def running_waits(binary: Path) -> Iterator[Waits]:
    """The target, ready; its end of input ends it (so that its System V objects go), and a kill what is left."""
    process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Waits(process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(OSError):
            process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
