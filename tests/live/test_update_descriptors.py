"""Updates of servers with many descriptors, under the limits that servers give themselves. Source: getrlimit(2)."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from gdb_mcr.update.recorded import find_recorded
from tests.support.mcr_server import ROOT, UPDATE_TIMEOUT_S, McrServer, UpdateRun, mcr
from tests.support.memcached import MemcachedClient, free_port
from tests.support.redis_client import RedisClient, wait_until_served
from tests.support.served import served_memcached
from tests.support.servers import nearest_server

pytestmark = pytest.mark.live

LOW = 1024
"""The soft limit that most systems give a process, and the hard one that memcached gives itself."""

MEMCACHED_CLIENTS = 970
REDIS_CLIENTS = 1100


def test_a_start_up_that_lowers_its_limit_finds_numbers_below_it() -> None:
    """memcached does so, and only then looks for its user in /etc/passwd."""
    with served_memcached() as served:
        with ExitStack() as stack:
            for _ in range(MEMCACHED_CLIENTS):
                stack.enter_context(MemcachedClient(served.port)).version()
        run = served.server.update(served.binary)
        assert run.status == 0, run.told()
        with MemcachedClient(served.port) as client:
            assert client.version()


def test_numbers_do_not_climb_with_each_update() -> None:
    """N's start-up takes numbers above all of O's; in the next update they must not count as O's."""
    with served_memcached() as served:
        for _ in range(2):
            run = served.server.update(served.binary)
            assert run.status == 0, run.told()
            with MemcachedClient(served.port) as client:
                client.version()
            highest = max(int(name) for name in os.listdir(f"/proc/{served.server.pid}/fd"))  # noqa: PTH208
            assert find_recorded(served.server.pid).control().highest_fd <= highest + 1


def test_more_clients_than_soft_limits_allow() -> None:
    """redis raises its own limit; N gets its clients before it can do so, and the controller holds copies of all."""
    binary, port = nearest_server("redis", "7.0.15-1~deb12u10").binary, free_port()
    words = ("--bind", "127.0.0.1", "--port", str(port), "--save", "", "--maxclients", str(REDIS_CLIENTS + 100))
    with ExitStack() as stack:
        with soft_limit(LOW):
            server = stack.enter_context(McrServer([str(binary), *words]))
            wait_until_served(port)
        clients = [stack.enter_context(RedisClient(port)) for _ in range(REDIS_CLIENTS)]
        assert [one.call("PING") for one in clients] == [b"PONG"] * REDIS_CLIENTS
        run = update_under(LOW, server, binary)
        assert run.status == 0, run.told()
        assert [one.call("PING") for one in clients] == [b"PONG"] * REDIS_CLIENTS


def update_under(limit: int, server: McrServer, new: Path) -> UpdateRun:
    """`mcr update` by a user who may have so many descriptors, unless the program raises its limit."""
    words = ["prlimit", f"--nofile={limit}:", *mcr("update", str(server.pid), str(new), "--json", "-")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=UPDATE_TIMEOUT_S, check=False)
    result = json.loads(done.stdout) if done.stdout else {}
    run = UpdateRun(done.returncode, done.stdout, done.stderr, result)
    server.note_new(run.new_pids)
    return run


@contextmanager
def soft_limit(number: int) -> Iterator[None]:
    """What is started in the block may have so many descriptors, unless it raises its limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
