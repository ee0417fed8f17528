"""What the inspecting verbs say of a real server that runs under libmcr."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gdb_mcr.debugger.child_gdb import ChildGdb
from gdb_mcr.errors import TargetError, UnknownRuntime
from gdb_mcr.model.inspection import FdRow, LogRow, ThreadRow
from gdb_mcr.proc.status import status
from gdb_mcr.runtime_abi.layout import VERSION, Bank, ControlBlock
from gdb_mcr.update import inspection
from gdb_mcr.update.api import UpdateOptions
from gdb_mcr.update.recorded import find_recorded
from tests.support.memcached import MemcachedClient, free_port, server_arguments, wait_until_served
from tests.support.servers import nearest_server

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
RUN = "import sys; from gdb_mcr.update.run import prepare_run; prepare_run(sys.argv[1:])()"
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Server:
    """A recorded memcached."""

    pid: int
    port: int
    binary: Path


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    binary = nearest_server("memcached", "1.6.18-1+deb12u1").binary
    port = free_port()
    command = [sys.executable, "-c", RUN, str(binary), *server_arguments(port, megabytes=64, threads=4)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_until_served(port, TIMEOUT_S)
        deadline = time.monotonic() + TIMEOUT_S
        while not inspection.log(process.pid).complete:
            assert time.monotonic() < deadline
            time.sleep(0.01)  # nothing announces the end of the start-up
        yield Server(process.pid, port, binary)
    finally:
        process.kill()
        process.wait(TIMEOUT_S)


@pytest.fixture(scope="module")
def threads(server: Server) -> tuple[ThreadRow, ...]:
    with ChildGdb() as gdb:
        return inspection.threads(server.pid, gdb).threads


@pytest.fixture(scope="module")
def log(server: Server) -> tuple[LogRow, ...]:
    return inspection.log(server.pid).rows


def test_the_server_is_listed(server: Server) -> None:
    found = inspection.servers()
    assert server.pid in found
    assert os.getpid() not in found


def test_status_tells_what_it_is_and_that_nothing_stands_in_the_way(server: Server) -> None:
    (one,) = inspection.status(server.pid).servers
    assert (one.pid, one.state, one.generation, one.problems) == (server.pid, "recorded", 0, ())
    assert Path(one.build.path).samefile(server.binary)
    assert len(one.build.build_id) == 40
    assert (one.processes, one.threads) == (1, len(list(Path(f"/proc/{server.pid}/task").iterdir())))
    assert one.descriptors == len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
    assert one.chunks > 100
    assert one.bytes_heap > one.chunks
    assert one.command.endswith("-m 64 -t 4")
    assert server.pid in {other.pid for other in inspection.status(None).servers}


def test_status_when_a_debugger_holds_it_then_says_who(server: Server) -> None:
    with ChildGdb() as gdb:
        gdb_pid = gdb.pid
        gdb.stop(server.pid)
        (one,) = inspection.status(server.pid).servers
        (ours,) = inspection.status(server.pid, [gdb_pid]).servers
        gdb.let_go()
    assert [problem for problem in one.problems if f"traced by gdb (process {gdb_pid})" in problem]
    assert ours.problems == ()
    assert inspection.status(server.pid).servers[0].problems == ()


def test_status_of_a_server_under_another_libmcr_says_so(server: Server) -> None:
    with poked(server.pid, ControlBlock.version.offset, struct.pack("<I", VERSION + 1)):
        (one,) = [one for one in inspection.status(None).servers if one.pid == server.pid]
        with pytest.raises(UnknownRuntime, match="another version"):
            inspection.status(server.pid)
    assert (one.state, one.chunks) == ("unknown", 0)
    assert "another version" in one.problems[0]


@pytest.mark.parametrize("count", [1 << 50, (1 << 64) - 1])
def test_status_when_the_heap_tables_are_nonsense_then_leaves_the_heap_out(server: Server, count: int) -> None:
    """As they are if they have changed and their version has not."""
    offset = ControlBlock.banks.offset + Bank.span_count.offset
    with poked(server.pid, offset, struct.pack("<Q", count)):
        (one,) = inspection.status(server.pid).servers
    assert (one.state, one.chunks, one.bytes_heap) == ("recorded", 0, 0)
    assert inspection.status(server.pid).servers[0].chunks > 0


@contextmanager
def poked(pid: int, offset: int, data: bytes) -> Iterator[None]:
    """Other bytes stand in the control block of the process, which stands still meanwhile."""
    process = find_recorded(pid)
    address = process.control_address + offset
    before = process.memory.read(address, len(data))
    os.kill(pid, signal.SIGSTOP)
    try:
        while status(pid).state != "T":
            time.sleep(0.001)
        process.memory.write(address, data)
        yield
    finally:
        process.memory.write(address, before)
        os.kill(pid, signal.SIGCONT)


def test_a_process_that_was_not_recorded_is_refused() -> None:
    with pytest.raises(TargetError, match="not started by mcr run"):
        inspection.status(os.getpid())
    with pytest.raises(TargetError, match="not started by mcr run"):
        inspection.fds(os.getpid())


def test_the_main_thread_waits_for_clients(server: Server, threads: tuple[ThreadRow, ...]) -> None:
    main = threads[0]
    assert (main.tid, main.role, main.waits_in, main.stop_point) == (
        server.pid,
        "initiator",
        "epoll_wait",
        "quiescent",
    )
    assert main.stack[0] == "epoll_wait"
    assert main.stack.index("event_base_loop") < main.stack.index("main")
    assert main.stack[-1] == "main"
    assert main.created_by == ()


def test_the_workers_were_created_by_the_main_thread(threads: tuple[ThreadRow, ...]) -> None:
    workers = [one for one in threads if "worker_libevent" in one.stack]
    assert len(workers) == 4
    for one in workers:
        assert one.waits_in == "epoll_wait"
        assert "memcached_thread_init" in one.created_by
        assert one.created_by[-1] == "main"


def test_threads_that_wait_for_others_are_internal(threads: tuple[ThreadRow, ...]) -> None:
    by_role = {one.waits_in: one.role for one in threads}
    assert by_role["pthread_cond_wait"] == "internal"
    assert not any("mcr_" in name for one in threads for name in one.stack)


def test_the_server_serves_after_its_threads_were_looked_at(server: Server, threads: tuple[ThreadRow, ...]) -> None:
    assert threads
    with MemcachedClient(server.port, timeout=TIMEOUT_S) as client:
        assert client.version()


def test_descriptors_tell_start_up_from_run_time(server: Server) -> None:
    with MemcachedClient(server.port, timeout=TIMEOUT_S) as client:
        client.version()
        rows = inspection.fds(server.pid).descriptors
    listener = _listener(rows)
    assert listener.description == f"tcp 127.0.0.1:{server.port}"
    assert listener.origin == "start-up"
    assert "server_socket" in listener.created_by
    connections = [one for one in rows if one.kind == "socket"]
    assert len(connections) == 1
    assert connections[0].description.startswith(f"tcp 127.0.0.1:{server.port} - 127.0.0.1:")
    assert (connections[0].origin, connections[0].carried) == ("runtime", "passed on")
    assert connections[0].created_by == ()


def test_epoll_instances_are_rebuilt_and_the_rest_is_passed_on(server: Server) -> None:
    rows = inspection.fds(server.pid).descriptors
    epolls = [one for one in rows if one.kind == "epoll"]
    assert len(epolls) == 5, "one for each worker and the main thread"
    assert all(one.carried.startswith("rebuilt") for one in epolls)
    assert str(_listener(rows).fd) in {one.description.removeprefix("watches ") for one in epolls}
    assert all(one.carried.startswith("passed on") for one in rows if one.kind != "epoll")


def test_the_log_reads_like_the_program(server: Server, log: tuple[LogRow, ...]) -> None:
    calls = {f"{one.operation}({one.arguments})" for one in log}
    listener = _listener(inspection.fds(server.pid).descriptors).fd
    assert "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)" in calls
    assert f"bind({listener}, 127.0.0.1:{server.port})" in calls
    assert f"listen({listener}, 1024)" in calls
    assert f"setsockopt({listener}, SOL_SOCKET, SO_REUSEADDR, 1)" in calls
    workers = [one for one in log if (one.operation, one.arguments) == ("pthread_create", "worker_libevent")]
    assert len({one.result for one in workers}) == 4
    bound = next(one for one in log if one.operation == "bind")
    assert (bound.result, bound.stack) == ("0", ("server_socket", "server_sockets", "main"))
    assert int(bound.stack_id, 16)


def test_check_and_diff_take_a_running_server(server: Server) -> None:
    same = inspection.check(server.pid, server.binary, UpdateOptions())
    assert (same.findings, same.blocking) == ((), ())
    assert Path(same.old.path).samefile(server.binary)
    assert inspection.diff(server.pid, server.binary, ()).changes == ()


def test_annotations_are_told_with_their_places(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "mine.mcr"
    file.write_text("// a comment\nkeep old settings.maxconns;\n")
    bare = inspection.check_annotations((file,), None, None)
    assert bare.statements == (f"{file}:2: keep old settings.maxconns;",)
    assert bare.checked_against == ()
    checked = inspection.check_annotations((file,), server.pid, server.binary)
    assert checked.statements == bare.statements
    assert len(checked.checked_against) == 2


def _listener(rows: tuple[FdRow, ...]) -> FdRow:
    (found,) = [one for one in rows if one.kind == "listener"]
    return found
