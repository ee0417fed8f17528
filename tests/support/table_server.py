"""Builds and clients of tests/targets/table_server.c, whose start-up loops make strings and structs."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.mcr_server import McrServer
from tests.support.memcached import free_port

SOURCE = Path(__file__).resolve().parents[1] / "targets" / "table_server.c"
STARTUP = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
"""What start-up makes in every build, in this order."""

_TIMEOUT_S = 10.0
_START_TIMEOUT_S = 60.0  # `mcr run` analyses a new binary first, and the machine may be busy


def build(directory: Path, *options: str) -> Path:
    """A build of the server. :param options: of the compiler, such as ``-DEXTRA_AT=0``."""
    binary = directory / "_".join(["table_server", *(one.strip("-") for one in options)])
    if not binary.exists():
        flags = ["-std=gnu11", "-O2", "-g", "-fPIE", "-pie", "-Wall", "-Wextra"]
        subprocess.run(["gcc", *flags, *options, "-o", str(binary), str(SOURCE)], check=True, timeout=60)
    return binary


class LineClient:
    """A connection to a server that answers each line with one: `ask` sends it and gives the words of the answer."""

    def __init__(self, port: int, timeout_s: float = _TIMEOUT_S) -> None:
        self._socket = _connected(port, timeout_s)
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._socket.close()

    def ask(self, line: str) -> list[str]:
        """:raises OSError: no answer comes."""
        self._socket.sendall(line.encode() + b"\n")
        answer = self._lines.readline()
        if not answer.endswith(b"\n"):
            raise ConnectionError(f"the connection ended instead of an answer to {line!r}")
        return answer.decode().split()


class TableClient(LineClient):
    """A connection to the table server."""

    def count_up(self, name: str, times: int) -> None:
        """Makes the entry this connection's own and counts it up so often."""
        self.ask(f"pick {name}")
        for _ in range(times):
            self.ask("mine")


def _connected(port: int, timeout_s: float) -> socket.socket:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)  # it does not say when it listens


@contextmanager
def running(binary: Path) -> Iterator[tuple[McrServer, int]]:
    """The server under `mcr run`, and its port. It has answered once."""
    port = free_port()
    with McrServer([str(binary), str(port)]) as server:
        with TableClient(port, _START_TIMEOUT_S) as client:
            client.ask("names")
        yield server, port
