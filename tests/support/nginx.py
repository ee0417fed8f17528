"""nginx under `mcr run`, with a configuration of its own, and clients that keep their connections."""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from gdb_mcr.dwarf.load import load_program
from gdb_mcr.proc.children import children
from gdb_mcr.update.recorded import find_recorded
from tests.support.mcr_server import McrServer, UpdateRun, run_mcr_update
from tests.support.memcached import free_port

TIMEOUT_S = 30.0
PAGE = b"hello-nginx\n"

_CONFIGURATION = """\
daemon off;
{model}
pid nginx.pid;
error_log error.log info;
events {{ worker_connections 1200; }}
http {{
    access_log access.log;
    keepalive_timeout 600s;
    keepalive_requests 1000000;
    server {{
        listen 127.0.0.1:{port};
        root html;
        location /status {{ stub_status; }}
    }}
}}
"""


@dataclass
class NginxServer:
    """``with NginxServer(binary, directory, workers=2) as server:``; without workers it is one process."""

    binary: Path
    directory: Path
    workers: int = 0
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        user = "user root;\n" if os.geteuid() == 0 else ""
        model = f"{user}worker_processes {self.workers};" if self.workers else "master_process off;"
        (self.directory / "html").mkdir()
        (self.directory / "logs").mkdir()
        (self.directory / "html" / "index.html").write_bytes(PAGE)
        (self.directory / "nginx.conf").write_text(_CONFIGURATION.format(model=model, port=self.port))
        self._updated: list[int] = []
        self._connections: list[http.client.HTTPConnection] = []
        self.server = McrServer([str(self.binary), "-p", f"{self.directory}/", "-c", "nginx.conf"])

    def __enter__(self) -> Self:
        self.server.__enter__()
        deadline = time.monotonic() + TIMEOUT_S
        while not self._serves():
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self._connections:
            one.close()
        # Workers outlive a master that is killed; a master that lives would make new ones.
        for pid in sorted(self.processes(), key=lambda one: one != self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.server.__exit__(kind, error, trace)

    @property
    def pid(self) -> int:
        """The first process that serves now."""
        return self._updated[0] if self._updated else self.server.pid

    @property
    def worker_pids(self) -> list[int]:
        """Its children."""
        return sorted(children(self.pid))

    @property
    def log(self) -> str:
        """Its error log."""
        return (self.directory / "error.log").read_text()

    @property
    def pid_file(self) -> int:
        """The pid that it has written down."""
        return int((self.directory / "nginx.pid").read_text())

    def update(self, new: Path, *options: str, fault: str = "") -> UpdateRun:
        """`mcr update` of what serves now. :param fault: see `gdb_mcr.update.faults`."""
        run = run_mcr_update(self.pid, new, *options, environment={"MCR_FAULT": fault})
        self.server.note_new(run.new_pids)
        self._updated = run.new_pids or self._updated
        return run

    def processes(self) -> set[int]:
        """Everything that has its error log open: all of O, and what is left of an N."""
        return {int(one.parts[2]) for one in Path("/proc").glob("[0-9]*/fd/*") if self._is_log(one)}

    def _is_log(self, link: Path) -> bool:
        try:
            return link.readlink() == self.directory / "error.log"
        except OSError:
            return False

    def connect(self, count: int) -> list[http.client.HTTPConnection]:
        """Connections on which one request each has been answered; closed with the server."""
        opened = [http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S) for _ in range(count)]
        self._connections += opened
        assert [ask(one) for one in opened] == [PAGE] * count
        return opened

    def accepted(self) -> int:
        """Connections that it has accepted in its life, by its own count."""
        (connection,) = self.connect(1)
        lines = ask(connection, "/status").splitlines()
        connection.close()
        return int(lines[2].split()[0])

    def _serves(self) -> bool:
        try:
            self.connect(1)[0].close()
        except OSError:
            return False
        return True


def ask(connection: http.client.HTTPConnection, path: str = "/") -> bytes:
    """The answer to one request on a connection that stays open; b"" if it was not 200."""
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    return body if answer.status == 200 else b""


def local_ports(connections: Sequence[http.client.HTTPConnection]) -> list[int]:
    """Our own ends: a connection that was opened anew has another port."""
    return [one.sock.getsockname()[1] for one in connections]


def ids_in_table(pid: int, binary: Path) -> set[int]:
    """The process ids in the variable `ngx_processes` of one of its processes."""
    program, process = load_program(binary), find_recorded(pid)
    table = next(one for one in program.variables if one.name == "ngx_processes")
    element = program.types.strip(program.types[table.type].target)
    image = next(one for one in process.log().modules if one.build_id == program.build_id)
    data = process.memory.read(image.base + table.address, table.size)
    assert element is not None
    assert element.members[0].name == "pid"
    ids = {int.from_bytes(data[at : at + 4], "little", signed=True) for at in range(0, table.size, element.size)}
    return ids - {0, -1}
