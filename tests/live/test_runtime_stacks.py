"""Call stacks by module tables: libmcr's walks against the full unwinder, and IDs from start to start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gdb_mcr.model.startup_log import OperationKind, StartupLog
from gdb_mcr.runtime_abi.layout import ErrorKind, State
from gdb_mcr.runtime_abi.settings import record_settings
from gdb_mcr.runtime_abi.tables import read_snapshot, read_startup_log
from gdb_mcr.update.run import module_tables
from tests.support.memcached import free_port, server_arguments
from tests.support.preloaded import Preloaded, build_target
from tests.support.servers import nearest_server


@contextmanager
def recorded(*argv: str) -> Iterator[Preloaded]:
    settings = record_settings(module_tables(Path(argv[0])))
    try:
        with Preloaded(argv, settings) as server:
            yield server
    finally:
        os.close(settings)


def test_walks_are_those_of_the_full_unwinder(tmp_path: Path) -> None:
    with recorded(str(build_target("deep_calls", tmp_path))) as server:
        expected = [[int(word, 16) for word in server.read_line().split()] for _ in range(3)]
        control = server.wait_for(State.SERVING)
        log = read_startup_log(server.memory, control)
    calls = [one for one in log.operations if one.kind is OperationKind.SOCKET]
    assert [len(one) > 5 for one in expected] == [True] * 3
    found = [list(one.returns[1:]) for one in calls]
    assert found == [addresses[: len(ours)] for ours, addresses in zip(found, expected, strict=True)]
    assert [len(addresses) - len(ours) for ours, addresses in zip(found, expected, strict=True)] == [0, 0, 1], (
        "of a thread, all but the kernel's entry"
    )
    assert len({one.stack_id for one in calls}) == 3


def test_stack_ids_are_the_same_from_start_to_start_and_across_versions() -> None:
    builds = ["1.6.18-1+deb12u1", "1.6.18-1+deb12u1", "1.6.38-1"]
    starts = [read_memcached(nearest_server("memcached", version).binary) for version in builds]
    ids = [[one.creation_id for one in log.threads] for log in starts]
    assert ids[0] == ids[1] == ids[2]
    assert len(ids[0]) == 10
    assert len(set(ids[0])) == 7, "the initial thread, four workers of one place, five others"
    listens = [[one.stack_id for one in log.operations if one.kind is OperationKind.LISTEN] for log in starts]
    assert listens[0] == listens[1] == listens[2] != []


def read_memcached(binary: Path) -> StartupLog:
    """The log of one start."""
    with recorded(str(binary), *server_arguments(free_port())) as server:
        control = server.wait_for(State.SERVING)
        assert (control.error, control.error_text) == (ErrorKind.OK, "")
        assert 0 < read_snapshot(server.memory, control).size < 8 << 20, "of 64 MB that memcached may use"
        return read_startup_log(server.memory, control)
