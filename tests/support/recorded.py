"""A memcached under libmcr, started as `mcr run` does, at the end of its start-up."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gdb_mcr.runtime_abi.layout import State
from gdb_mcr.update.recorded import RecordedProcess, find_recorded
from tests.support.memcached import free_port, server_arguments, wait_until_served

ROOT = Path(__file__).parents[2]
"""The server's working directory."""

TIMEOUT_S = 60.0
_RUN = "import sys; from gdb_mcr.update.run import prepare_run; prepare_run(sys.argv[1:])()"


@contextmanager
def recorded_memcached(binary: Path) -> Iterator[RecordedProcess]:
    """The server, serving; killed at the end."""
    port = free_port()
    command = [sys.executable, "-c", _RUN, str(binary), *server_arguments(port, megabytes=64)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_until_served(port, TIMEOUT_S)
        server = find_recorded(process.pid)
        deadline = time.monotonic() + TIMEOUT_S
        while server.control().state is not State.SERVING:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the start-up of process {process.pid} does not end")
            time.sleep(0.01)  # nothing announces it
        yield server
    finally:
        process.kill()
        process.wait(TIMEOUT_S)
