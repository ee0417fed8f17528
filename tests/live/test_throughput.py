"""What libmcr costs memcached: the same load on a plain one and on one under `mcr run`, turn by turn, in one run.

Counted is the processor time that the server takes for a request: on a machine that others use, too, it varies by a
few per cent where requests a second vary by tens. Source: DESIGN section 16, "98 % of the throughput without".
"""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.mcr_server import McrServer
from tests.support.memcached import free_port, running_memcached, server_arguments, wait_until_served
from tests.support.servers import nearest_server

pytestmark = [pytest.mark.live, pytest.mark.slow]

SOURCE = Path(__file__).resolve().parents[1] / "targets" / "memcached_load.c"
ROUNDS = 30
KEYS = 10_000
REQUESTS = 40_000
CONNECTIONS, DEPTH, THREADS = 16, 8, 1
MAX_CPU_RATIO = 1.10
"""What this test demands, with room for noise; the aim is 1.02."""

Property = Callable[[str, object], None]


@dataclass(frozen=True)
class Slice:
    """One turn of the load on one server."""

    cpu_ns: float
    """Processor time of the server for each request."""
    rate: float
    """Requests a second."""


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Path:
    binary = tmp_path_factory.mktemp("load") / "memcached_load"
    subprocess.run(["gcc", "-std=gnu11", "-O2", "-o", str(binary), str(SOURCE)], check=True, timeout=60)
    return binary


def _cpu_ns(pid: int) -> int:
    """Time on a processor of all threads; proc(5), schedstat."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def _run(load: Path, pid: int, port: int, requests: int, sets: int) -> Slice:
    before = _cpu_ns(pid)
    words = [str(load), *map(str, (port, CONNECTIONS, DEPTH, requests, sets))]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=30)
    answered, nanoseconds = map(int, done.stdout.split())
    return Slice((_cpu_ns(pid) - before) / answered, answered * 1e9 / nanoseconds)


# One turn each, the order changing: who comes second finds the load's own code warm.
def _turns(load: Path, servers: list[tuple[int, int]], *, is_odd: bool) -> list[Slice]:
    turns = [_run(load, *server, requests=REQUESTS, sets=1) for server in (servers[::-1] if is_odd else servers)]
    return turns[::-1] if is_odd else turns


# The quickest quarter: other work on the machine only ever adds.
def _undisturbed(values: Iterable[float]) -> float:
    return statistics.quantiles(values, n=4)[0]


def test_load_when_under_libmcr_then_a_request_costs_hardly_more(load: Path, record_property: Property) -> None:
    binary = nearest_server("memcached", "1.6.38-1").binary
    port = free_port()
    with ExitStack() as stack:
        plain = stack.enter_context(running_memcached(binary, threads=THREADS))
        recorded = stack.enter_context(McrServer([str(binary), *server_arguments(port, threads=THREADS)]))
        wait_until_served(port)
        servers = [(plain.pid, plain.port), (recorded.pid, port)]
        for server in servers:
            _run(load, *server, requests=KEYS, sets=10)
        rounds = [_turns(load, servers, is_odd=bool(number % 2)) for number in range(ROUNDS)]
    cpu = _undisturbed(mine.cpu_ns for _, mine in rounds) / _undisturbed(other.cpu_ns for other, _ in rounds)
    rate = statistics.median(mine.rate / other.rate for other, mine in rounds)
    record_property("processor time of a request", f"{cpu:.3f} times that without libmcr (aim: at most 1.02)")
    record_property("requests a second", f"{rate:.3f} times those without libmcr (aim: at least 0.98)")
    assert cpu <= MAX_CPU_RATIO
