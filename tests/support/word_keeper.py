"""Runs `tests/targets/word_keeper.c`: a server that keeps addresses of its own image in words that no type explains."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gdb_mcr.runtime_abi.layout import State
from gdb_mcr.update.recorded import find_recorded
from tests.support.mcr_server import McrServer, UpdateRun

SOURCE = Path(__file__).parents[1] / "targets" / "word_keeper.c"
TIMEOUT_S = 20.0
TEXTS = ("an even text:{}", "an odd text:{}")


def build_word_keeper(binary: Path, *, later: bool = False) -> Path:
    """Compiles it. :param later: the version in which all functions and constants stand elsewhere."""
    define = ["-DLATER"] if later else []
    command = ["gcc", "-std=gnu11", "-O2", "-g", *define, "-o", str(binary), str(SOURCE)]
    subprocess.run(command, check=True, timeout=TIMEOUT_S)
    return binary


@dataclass(frozen=True, slots=True)
class WordKeeper:
    """The running server."""

    server: McrServer
    socket_path: Path

    def ask(self, letter: str) -> str:
        """Its answer to one letter."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(TIMEOUT_S)
            client.connect(str(self.socket_path))
            client.sendall(letter.encode())
            return b"".join(iter(lambda: client.recv(4096), b"")).decode()

    def update(self, new: Path, *options: str) -> UpdateRun:
        """`mcr update`, which must succeed."""
        run = self.server.update(new, *options)
        assert run.status == 0, run.told()
        return run


@contextmanager
def running_word_keeper(
    binary: Path,
    directory: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> Iterator[WordKeeper]:
    """The server at the end of its start-up; ended at the end. :param options: of `mcr run`."""
    path = directory / "keeper.sock"
    with McrServer([str(binary), str(path), *arguments], environment or {}, options) as server:
        deadline = time.monotonic() + TIMEOUT_S
        while not path.exists() or find_recorded(server.pid).control().state is not State.SERVING:
            assert time.monotonic() < deadline, "the start-up does not end"
            time.sleep(0.01)  # nothing announces it
        yield WordKeeper(server, path)


def expected(count: int) -> str:
    """What it must recall of so many notes."""
    values = [number * 2 if number % 2 else number * number for number in range(count)]
    return "".join(f"{TEXTS[number % 2].format(value)}\n" for number, value in enumerate(values))
