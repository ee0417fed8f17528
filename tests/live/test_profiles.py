"""Profiles of real servers, made as a user makes them, against what a reader of the servers' sources would write."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gdb_mcr.model.profile import ProcessClass, Profile, ThreadClass
from gdb_mcr.model.stop_point import StopPointKind
from gdb_mcr.quiescence.profile import named
from gdb_mcr.update.profiles import read_profile
from tests.support.mcr_server import ROOT, run_mcr
from tests.support.memcached import free_port, server_arguments
from tests.support.servers import nearest_server

LOAD_S = 2.0
TIMEOUT_S = 180.0


@dataclass(frozen=True)
class Expected:
    """A class of threads, and the one place where each of its threads waits for work."""

    start: str
    created_by: tuple[str, ...]
    threads: int
    role: str
    loop: str
    call: str
    stack: tuple[str, ...]
    """Without functions of libraries that have no symbols."""

    @staticmethod
    def of(one: ThreadClass) -> Expected:
        """What a profile says."""
        assert one.is_long_lived, one
        assert one.stability.value == "stable", one
        assert len(one.quiescent) == 1, one
        point = one.quiescent[0]
        loop = one.loop.function if one.loop is not None else ""
        return Expected(one.start, one.created_by, one.threads, one.role.value, loop, point.call, named(point.stack))


# memcached -t 4, thread by thread (SERVERS.md: "10 threads with -t 4"). Names are those of 1.6.18's source.
MEMCACHED = (
    # main() loops around libevent, one round of events at a time (memcached.c, `while (!stop_main_loop)`): new
    # connections, and a clock. libevent's own loop ends after each round, so main's is the one that lives.
    Expected("main", (), 1, "initiator", "main", "epoll_wait", ("event_base_loop", "main")),
    # thread.c: each worker leaves the looping to libevent, whose loop has the descriptors of all its connections.
    Expected(
        "worker_libevent",
        ("create_worker", "memcached_thread_init", "main"),
        4,
        "initiator",
        "event_base_loop",
        "epoll_wait",
        ("event_base_loop", "worker_libevent"),
    ),
    # logger.c: writes out what workers have logged; without watchers it waits until somebody wakes it.
    Expected(
        *("logger_thread", ("start_logger_thread", "logger_init", "main"), 1, "internal", "logger_thread"),
        *("pthread_cond_wait", ("logger_thread",)),
    ),
    # items.c: moves items between the LRU's parts, and sleeps in between for up to a second. Time wakes it: initiator.
    Expected(
        *("lru_maintainer_thread", ("start_lru_maintainer_thread", "main"), 1, "initiator", "lru_maintainer_thread"),
        *("usleep", ("lru_maintainer_thread",)),
    ),
    # assoc.c, crawler.c, slabs.c: each waits for its signal to grow the hash table, to crawl, to move a slab.
    *(
        Expected(start, (creator, "main"), 1, "internal", start, "pthread_cond_wait", (start,))
        for start, creator in (
            ("assoc_maintenance_thread", "start_assoc_maintenance_thread"),
            ("item_crawler_thread", "start_item_crawler_thread"),
            ("slab_rebalance_thread", "start_slab_maintenance_thread"),
        )
    ),
)

# redis.
REDIS = (
    # ae.c: aeMain() calls aeProcessEvents() until it is told to stop; clients and the timer of serverCron end the wait.
    Expected("main", (), 1, "initiator", "aeMain", "epoll_wait", ("aeApiPoll", "aeProcessEvents", "aeMain", "main")),
    # bio.c: one thread for each of three kinds of jobs (close, fsync, free), which the main thread queues.
    Expected(
        *("bioProcessBackgroundJobs", ("bioInit", "InitServerLast", "main"), 3, "internal"),
        *("bioProcessBackgroundJobs", "pthread_cond_wait", ("bioProcessBackgroundJobs",)),
    ),
)

# nginx with two workers. The master waits for signals only (os/unix/ngx_process_cycle.c, `for ( ;; )`).
NGINX_MASTER = (
    Expected(
        *("main", (), 1, "internal", "ngx_master_process_cycle"),
        *("sigsuspend", ("ngx_master_process_cycle", "main")),
    ),
)
# Where the master makes the workers: ngx_start_worker_processes() has a loop, too, but that is the master's: the worker
# never comes back to it.
NGINX_FORK = ("ngx_spawn_process", "ngx_start_worker_processes", "ngx_master_process_cycle", "main")
NGINX_WORKERS = (
    Expected(
        *("main", (), 2, "initiator", "ngx_worker_process_cycle", "epoll_wait"),
        stack=(
            *("ngx_epoll_process_events", "ngx_process_events_and_timers", "ngx_worker_process_cycle"),
            *NGINX_FORK,
        ),
    ),
)


def test_memcached(tmp_path: Path) -> None:
    port = free_port()
    binary = nearest_server("memcached", "1.6.18-1+deb12u1").binary
    request = "set key 0 0 5\\r\\nvalue\\r\\nget key\\r\\n"
    found = profile_of([str(binary), *server_arguments(port, megabytes=64)], port, request, tmp_path)
    assert [one.processes for one in found.processes] == [1]
    check(found.processes[0], MEMCACHED)


def test_redis(tmp_path: Path) -> None:
    port = free_port()
    binary = nearest_server("redis", "7.0.15-1~deb12u10").binary
    options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path), "--save", "", "--appendonly", "yes"]
    found = profile_of([str(binary), *options], port, "SET key value\\r\\n", tmp_path)
    assert [one.processes for one in found.processes] == [1]
    check(found.processes[0], REDIS)


NGINX_CONFIGURATION = """
daemon off; master_process on; worker_processes 2; pid nginx.pid; error_log error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path cb; proxy_temp_path px; fastcgi_temp_path fc; uwsgi_temp_path uw; scgi_temp_path sc;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "hello"; }} }}
}}
"""


def test_nginx_master_and_workers(tmp_path: Path) -> None:
    port = free_port()
    binary = nearest_server("nginx", "1.22.1-9+deb12u9").binary
    (tmp_path / "nginx.conf").write_text(NGINX_CONFIGURATION.format(port=port))
    request = "GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n"
    command = [str(binary), "-p", f"{tmp_path}/", "-e", "error.log", "-c", "nginx.conf"]
    found = profile_of(command, port, request, tmp_path)
    assert [(one.created_by, one.processes) for one in found.processes] == [((), 1), (NGINX_FORK, 2)]
    check(found.processes[0], NGINX_MASTER)
    check(found.processes[1], NGINX_WORKERS)


def profile_of(command: Sequence[str], port: int, request: str, directory: Path) -> Profile:
    """`mcr profile` of a server under a load; its answer says the same as its file."""
    file, answer = directory / "profile.toml", directory / "answer.json"
    load = [sys.executable, "-m", "tests.support.request_load", str(port), str(LOAD_S), request]
    words = ["--load", f"cd {shlex.quote(str(ROOT))} && exec {shlex.join(load)}", "--output", str(file)]
    done = run_mcr("profile", *words, "--json", str(answer), "--", *command, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the server was not ended"
    result: dict[str, Any] = json.loads(answer.read_text())
    assert "load ended" not in str(result["warnings"]), done.stderr
    found = read_profile(file)
    assert len(result["profile"]["processes"]) == len(found.processes)
    return found


def check(process: ProcessClass, expected: Sequence[Expected]) -> None:
    """All classes are there and no others; what a stop at a bad moment has shown besides is not quiescent."""
    assert process.stability.value == "stable"
    by_start = {one.start: Expected.of(one) for one in process.threads}
    assert by_start == {one.start: one for one in expected}
    assert len(process.threads) == len(expected)
    others = [stop for one in process.threads for stop in one.stops if stop not in one.quiescent]
    assert all(one.kind in (StopPointKind.BLOCKING, StopPointKind.CANCELLATION) for one in others)


def test_a_server_that_ends_by_itself_is_told(tmp_path: Path) -> None:
    source, binary = tmp_path / "ends.c", tmp_path / "ends"
    source.write_text("int main(void) { return 3; }\n")
    subprocess.run(["gcc", "-g", "-o", str(binary), str(source)], check=True, timeout=60)
    done = run_mcr("profile", "--output", str(tmp_path / "profile.toml"), "--", str(binary), timeout=TIMEOUT_S)
    assert done.returncode in (2, 3), done.stderr  # whether it ended before or after it was found
    assert "this is a bug" not in done.stderr
    assert not (tmp_path / "profile.toml").exists()
