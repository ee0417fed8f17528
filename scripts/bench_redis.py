"""The work of `scripts/bench-redis`: redis under libmcr against a plain one; updates against a floor and a restart."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.mcr_server import McrServer
from tests.support.memcached import free_port
from tests.support.redis_client import RedisClient, wait_until_served
from tests.support.servers import nearest_server

VERSION = "7.0.15-1~deb12u10"
FLOOR_SOURCE = Path(__file__).resolve().parents[1] / "tests" / "targets" / "heap_floor.c"
SMALL_KEYS = 1_000_000
VALUE_BYTES = 50
WAIT_S = 600.0

UPDATE_PHASES = ("TRANSFER", "AUDIT")
"""What the engine does while the server stands still."""


def main(words: Sequence[str]) -> int:
    """:returns: 0; the figures are for reading, not for judging."""
    options = _options(words)
    old, new = nearest_server("redis", VERSION, "nocve"), nearest_server("redis", VERSION)
    parts: dict[str, Callable[[], None]] = {
        "throughput": lambda: _throughput(new.binary, options.rounds),
        "memory": lambda: _memory(new.binary),
        "sizes": lambda: _sizes(old.binary, new.binary, options.keys),
    }
    for name, part in parts.items():
        if options.only in ("", name):
            part()
    return 0


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench-redis", description=__doc__)
    parser.add_argument("--only", default="", choices=("throughput", "memory", "sizes"), help="one part")
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="pairs of throughput runs")
    parser.add_argument(
        "--keys",
        type=int,
        nargs="+",
        default=[10_000, 100_000, 1_000_000, 5_000_000],
        metavar="N",
        help="sizes to update",
    )
    return parser.parse_args(words)


# What libmcr costs a server that nobody updates.


def _throughput(binary: Path, rounds: int) -> None:
    print("requests a second under libmcr against plain, and processor time for a request; medians of pairs")
    with ExitStack() as stack:
        servers = [stack.enter_context(_plain(binary)), stack.enter_context(_recorded(binary))]
        for pipeline in (1, 16):
            pairs = [_pair(binary, servers, pipeline, is_odd=bool(number % 2)) for number in range(rounds)]
            rate = statistics.median(mine.rate / other.rate for other, mine in pairs)
            cpu = statistics.median(mine.cpu_ns / other.cpu_ns for other, mine in pairs)
            print(
                f"    pipeline {pipeline:2}: {rate:6.1%} of the requests (aim 98 %), {cpu:6.1%} of the time", flush=True
            )


@dataclass(frozen=True)
class _Turn:
    rate: float
    cpu_ns: float


def _pair(binary: Path, servers: list[_Server], pipeline: int, *, is_odd: bool) -> tuple[_Turn, _Turn]:
    turns = [_turn(binary, server, pipeline) for server in (servers[::-1] if is_odd else servers)]
    plain, recorded = turns[::-1] if is_odd else turns
    return plain, recorded


def _turn(binary: Path, server: _Server, pipeline: int) -> _Turn:
    requests = 100_000 * (4 if pipeline > 1 else 1)
    words = [
        "-p",
        str(server.port),
        "-t",
        "set,get",
        "-n",
        str(requests),
        "-P",
        str(pipeline),
        "-r",
        "100000",
        "-q",
        "--csv",
    ]
    before = _cpu_ns(server.pid)
    begun = time.monotonic()
    subprocess.run(
        [str(binary.parent / "redis-benchmark"), *words], check=True, capture_output=True, timeout=WAIT_S, text=True
    )
    return _Turn(2 * requests / (time.monotonic() - begun), (_cpu_ns(server.pid) - before) / (2 * requests))


# Time on a processor of all threads; proc(5), schedstat.
def _cpu_ns(pid: int) -> int:
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def _memory(binary: Path) -> None:
    sizes = []
    for serve in (_plain, _recorded):
        with serve(binary) as server, RedisClient(server.port, WAIT_S) as client:
            client.call("DEBUG", "POPULATE", SMALL_KEYS, "k", 10)
            sizes.append(_resident(server.pid))
    plain, recorded = sizes
    print(f"resident with {SMALL_KEYS} small keys: plain {plain >> 20} MiB, under libmcr {recorded >> 20} MiB,")
    print(f"    {recorded / plain:.2f} times as much (aim 1.2)", flush=True)


def _resident(pid: int) -> int:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


# What an update costs, by size.


def _sizes(old: Path, new: Path, all_keys: Sequence[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        floor = Path(directory) / "heap_floor"
        subprocess.run(["gcc", "-std=gnu11", "-O2", "-o", str(floor), str(FLOOR_SOURCE)], check=True, timeout=60)
        print("keys       floor: copy  walk    update: engine  pause  client gap    restart with RDB: gap   (ms)")
        for keys in all_keys:
            _size(old, new, floor, keys)


def _size(old: Path, new: Path, floor: Path, keys: int) -> None:
    with _recorded(old) as server:
        _fill(server.port, keys)
        copy, walk = _floor(floor, server.pid)
        with _pings(server.port) as waits:
            run = server.mcr.update(new, "--timeout", "300", timeout=WAIT_S)
        if run.status:
            raise SystemExit(f"bench-redis: {keys} keys: {run.told()}")
        gap = max(waits) * 1000
    engine = sum(one["seconds"] * 1000 for one in run.result["phases"] if one["name"] in UPDATE_PHASES)
    pause = run.result["pause_s"] * 1000
    restart = _restart(old, new, keys) * 1000
    print(
        f"{keys:8} {copy:11.1f} {walk:6.1f} {engine:15.1f} {pause:7.1f} {gap:10.1f} {restart:22.1f}"
        f"      engine {engine / (copy + walk):.1f} times the floor (aim 3)",
        flush=True,
    )


def _floor(floor: Path, pid: int) -> tuple[float, float]:
    done = subprocess.run([str(floor), str(pid)], check=True, capture_output=True, text=True, timeout=WAIT_S)
    copy, walk = map(int, done.stdout.split()[2:])
    return copy / 1e6, walk / 1e6


# Seconds between the last answer of the old server and the first of the new one, which has loaded its keys then.
def _restart(old: Path, new: Path, keys: int) -> float:
    with tempfile.TemporaryDirectory() as directory:
        with _plain(old, directory) as server:
            _fill(server.port, keys)
            begun = time.monotonic()
            with RedisClient(server.port, WAIT_S) as client:
                client.send(b"SHUTDOWN SAVE\r\n")
                server.wait()
        with _plain(new, directory) as server, RedisClient(server.port, WAIT_S) as client:
            while client.call("DBSIZE") != keys:
                time.sleep(0.001)
            return time.monotonic() - begun


def _fill(port: int, keys: int) -> None:
    with RedisClient(port, WAIT_S) as client:
        client.call("DEBUG", "POPULATE", keys, "k", VALUE_BYTES)
        if client.call("DBSIZE") != keys:
            raise SystemExit(f"bench-redis: the server did not take {keys} keys")


# A client that asks again as soon as it is answered; how long each answer took, in seconds.
@contextmanager
def _pings(port: int) -> Iterator[list[float]]:
    waits: list[float] = []
    over = threading.Event()

    def ask() -> None:
        with RedisClient(port, WAIT_S) as client:
            while not over.wait(0.001):
                begun = time.monotonic()
                client.call("GET", "k:1")
                waits.append(time.monotonic() - begun)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield waits
    finally:
        over.set()
        thread.join()


# Servers.


@dataclass(frozen=True)
class _Server:
    pid: int
    port: int
    process: subprocess.Popen[bytes] | None = None
    recorded: McrServer | None = None

    @property
    def mcr(self) -> McrServer:
        """A server that can be updated."""
        assert self.recorded is not None
        return self.recorded

    def wait(self) -> None:
        """Until it has ended."""
        assert self.process is not None
        self.process.wait(WAIT_S)


def _words(binary: Path, port: int, directory: str) -> list[str]:
    fixed = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--enable-debug-command", "yes"]
    return [str(binary), "--port", str(port), "--dir", directory, "--logfile", "/dev/null", *fixed]


@contextmanager
def _plain(binary: Path, directory: str = "/") -> Iterator[_Server]:
    port = free_port()
    with subprocess.Popen(_words(binary, port, directory)) as process:
        try:
            wait_until_served(port)
            yield _Server(process.pid, port, process)
        finally:
            process.kill()


@contextmanager
def _recorded(binary: Path) -> Iterator[_Server]:
    port = free_port()
    with McrServer(_words(binary, port, "/")) as server:
        wait_until_served(port)
        yield _Server(server.pid, port, recorded=server)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
