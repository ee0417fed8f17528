"""A server that a shell or GDB starts beside itself; a stand-in for `mcr run` execs it without libmcr."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdb_mcr.commands.beside import Beside
from gdb_mcr.errors import TargetError

# Takes the words of `python -m gdb_mcr run -- SERVER ARGS`.
STAND_IN = '#!/bin/sh\nshift 4\nexec "$@"\n'


@pytest.fixture
def beside(tmp_path: Path) -> Beside:
    stand_in = tmp_path / "python"
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o700)
    return Beside(str(stand_in))


def test_server_has_a_session_of_its_own_and_is_reaped(beside: Beside) -> None:
    result = beside.start(["sleep", "60"])
    (server,) = beside.servers
    try:
        assert result.pid == server.pid
        assert Path(f"/proc/{server.pid}/cmdline").read_bytes() == b"sleep\x0060\x00"
        assert Path(f"/proc/{server.pid}/stat").read_text().split()[5] == str(server.pid), "session id"
        beside.reap()
        assert beside.servers == [server]
    finally:
        server.kill()
        server.wait(timeout=10)
    beside.reap()
    assert beside.servers == []


def test_server_that_does_not_start_is_told(beside: Beside) -> None:
    with pytest.raises(TargetError, match="/no/such/server did not start: exit status 127"):
        beside.start(["/no/such/server"])
