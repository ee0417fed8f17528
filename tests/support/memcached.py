"""The client side of the live proofs with memcached, in one place; see the modules named here.

Before an update: `fill`, `prepare_checks`, enter an `UpdateScene` and a `Load`. After it: `Load.stop`,
`UpdateScene.finish`, `verify`, `run_after_checks` (in this order: the last one throws the items away).
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.memcached_checks import (
    CheckState,
    prepare_checks,
    run_after_checks,
    run_destructive_checks,
    run_gentle_checks,
)
from tests.support.memcached_client import (
    HOST,
    AnswerTimeout,
    ClientFailure,
    ConnectionLost,
    MemcachedClient,
    MetaAnswer,
    UnexpectedAnswer,
    Value,
)
from tests.support.memcached_items import FilledItems, ItemPlan, Lifetime, WrongItem, fill, verify
from tests.support.memcached_load import Load, LoadError, Progress
from tests.support.memcached_scene import SceneError, UpdateScene
from tests.support.memcached_traffic import LoadOptions, LoadResult

__all__ = [
    "AnswerTimeout",
    "CheckState",
    "ClientFailure",
    "ConnectionLost",
    "FilledItems",
    "ItemPlan",
    "Lifetime",
    "Load",
    "LoadError",
    "LoadOptions",
    "LoadResult",
    "MemcachedClient",
    "MetaAnswer",
    "Progress",
    "RunningServer",
    "SceneError",
    "UnexpectedAnswer",
    "UpdateScene",
    "Value",
    "WrongItem",
    "fill",
    "free_port",
    "prepare_checks",
    "run_after_checks",
    "run_destructive_checks",
    "run_gentle_checks",
    "running_memcached",
    "server_arguments",
    "verify",
    "wait_until_served",
]


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A memcached that a test started."""

    pid: int
    port: int


def free_port() -> int:
    """A TCP port of the loopback address that nobody used a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def server_arguments(port: int, *, megabytes: int = 1024, threads: int = 4) -> list[str]:
    """memcached's arguments as every proof uses them, without the program's name."""
    return ["-l", HOST, "-p", str(port), "-U", "0", "-u", "root", "-m", str(megabytes), "-t", str(threads)]


def wait_until_served(port: int, timeout: float = 10.0) -> str:
    """Wait until the port answers; returns the version that it says.

    :raises ClientFailure: it does not within ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            with MemcachedClient(port, timeout=timeout) as client:
                return client.version()
        except ConnectionLost:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)  # memcached has no way to tell that it listens


@contextmanager
def running_memcached(binary: Path, *, megabytes: int = 1024, threads: int = 4) -> Iterator[RunningServer]:
    """A plain memcached on a free port, killed at the end."""
    port = free_port()
    process = subprocess.Popen([binary, *server_arguments(port, megabytes=megabytes, threads=threads)])
    try:
        wait_until_served(port)
        yield RunningServer(process.pid, port)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
