"""Runs the programs of `tests/targets/zoo/` under libmcr: each a trap for the detection of quiescence.

with Zoo(binary, "fed") as animal:
    animal.open_gate()
    report = animal.report()
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from gdb_mcr.dwarf.symbols import symbol_address
from gdb_mcr.engine.direct_memory import DirectMemory
from gdb_mcr.errors import McrError
from gdb_mcr.proc.mappings import mappings
from gdb_mcr.runtime_abi.layout import State
from gdb_mcr.update.recorded import find_recorded

SOURCES = Path(__file__).parents[1] / "targets" / "zoo"
ROOT = Path(__file__).parents[2]
TIMEOUT_S = 20.0

_RUN = "import sys; from gdb_mcr.update.run import prepare_run; prepare_run(sys.argv[1:])()"
_FLAGS = ("-std=gnu11", "-O2", "-g", "-pthread", "-Wall", "-Wextra", "-Werror", f"-ffile-prefix-map={ROOT}=.")


def build_zoo(name: str, directory: Path, *options: str) -> Path:
    """Compiles a program of the zoo, once."""
    binary = directory / "_".join([name, *(one.strip("-") for one in options)])
    if not binary.exists():
        command = ["gcc", *_FLAGS, *options, "-o", str(binary), str(SOURCES / f"{name}.c")]
        subprocess.run(command, check=True, timeout=60)
    return binary


@dataclass(frozen=True, slots=True)
class ZooReport:
    """What a program says of itself."""

    work: int
    eintr: int
    """Interrupted calls that nothing in the program explains."""
    wrong: int
    """Broken invariants."""
    busy: int
    """Pieces of work that have begun and not ended."""


Peer = Callable[[socket.socket, threading.Event], None]
"""What the other end of a program's socket does until the event is set."""


def silent(_: socket.socket, __: threading.Event) -> None:
    """Neither sends nor reads."""


def feeder(peer: socket.socket, over: threading.Event) -> None:
    """Sends a byte every five milliseconds."""
    while not over.wait(0.005):
        with suppress(BlockingIOError):
            peer.send(b"x", socket.MSG_DONTWAIT)


class SlowReader:
    """Reads a little every millisecond, and checks what `writer.c` writes."""

    def __init__(self) -> None:
        self.seen = 0
        self.wrong = 0

    def __call__(self, peer: socket.socket, over: threading.Event) -> None:
        """A `Peer`."""
        while not over.wait(0.001):
            if not select.select([peer], [], [], 0.05)[0]:
                continue
            data = peer.recv(20_000)
            first = self.seen % 251
            expected = bytes((first + i) % 251 for i in range(251)) * (len(data) // 251 + 1)
            self.wrong += data != expected[: len(data)]
            self.seen += len(data)


class Zoo:
    """One running program, its threads behind the gate at first. A context manager."""

    def __init__(self, binary: Path, mode: str = "", peer: Peer = silent, *, locked_file: bool = False) -> None:
        self._binary = binary
        self._mode = mode
        self._peer = peer
        self._over = threading.Event()
        self._locked = _locked_file() if locked_file else None

    def __enter__(self) -> Self:
        self._here, there = socket.socketpair()
        self._peer_here, peer_there = socket.socketpair()
        self._here.settimeout(TIMEOUT_S)
        number = self._locked.fileno() if self._locked is not None else peer_there.fileno()
        with there, peer_there:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _RUN, str(self._binary), self._mode, str(number)],
                cwd=ROOT,
                stdin=there.fileno(),
                pass_fds=[number],
            )
        self.pid = self._process.pid
        self._lines = self._here.makefile("r")
        self._thread = threading.Thread(target=self._peer, args=(self._peer_here, self._over), daemon=True)
        self._thread.start()
        self._await_startup()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(TIMEOUT_S)
        self._lines.close()
        self._here.close()
        try:
            self._process.wait(2.0 if self._process.poll() is None and not self.is_stopped() else 0.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._peer_here.close()
        if self._locked is not None:
            self._locked.close()

    def open_gate(self) -> None:
        """The trap begins."""
        self._ask("g")

    def report(self) -> ZooReport:
        """What it says of itself now."""
        words = self._ask("r").split()
        return ZooReport(*map(int, words[1::2]))

    def work(self) -> int:
        """Pieces of work done."""
        return self.report().work

    def await_work(self, more_than: int) -> int:
        """The same once there are more than so many; the last number if it does not get there in time."""
        deadline = time.monotonic() + TIMEOUT_S
        while (work := self.work()) <= more_than and time.monotonic() < deadline:
            time.sleep(0.002)
        return work

    def complaints(self) -> Iterator[str]:
        """What it has seen that it should not, interrupted calls aside."""
        if wrong := self.report().wrong:
            yield f"{wrong} of its own checks failed"

    def interrupted(self) -> int:
        """Calls that it saw interrupted although nothing in it explains that."""
        return self.report().eintr

    def end(self) -> None:
        """SIGKILL, as a crash would end it."""
        self._process.kill()
        self._process.wait()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def is_stopped(self) -> bool:
        """Whether a thread stands in a stop."""
        states = [_state(task) for task in Path(f"/proc/{self.pid}/task").glob("*/stat")]
        return any(state in "tT" for state in states)

    def number(self, symbol: str, index: int = 0) -> int:
        """A long of the program as it is now, also while it stands still."""
        value: int = struct.unpack("<q", DirectMemory(self.pid).read(self._address(symbol) + 8 * index, 8))[0]
        return value

    def _address(self, symbol: str) -> int:
        base = next(one.range.start for one in mappings(self.pid) if one.path == str(self._binary))
        return base + symbol_address(self._binary, symbol)

    def _ask(self, letter: str) -> str:
        self._here.sendall(letter.encode())
        line = self._lines.readline()
        if not line:
            raise ConnectionError(f"{self._binary.name} {self._mode} has ended")
        return line

    def _await_startup(self) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not self._has_started():
            if time.monotonic() > deadline or not self.is_running:
                raise TimeoutError(f"the start-up of {self._binary.name} {self._mode} does not end")
            time.sleep(0.005)  # nothing announces it

    def _has_started(self) -> bool:
        try:
            return find_recorded(self.pid).control().state is State.SERVING
        except (McrError, OSError):
            return False


# As long as it is open here, nobody else gets the lock.
def _locked_file() -> IO[bytes]:
    file = tempfile.NamedTemporaryFile(prefix="zoo-")  # noqa: SIM115 - closed with the program
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _state(stat: Path) -> str:
    try:
        return stat.read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"
