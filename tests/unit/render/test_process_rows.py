"""Status of a server of several processes: each stands below its parent."""

from __future__ import annotations

from dataclasses import replace

from gdb_mcr.model.inspection import ProcessRow, StatusResult
from gdb_mcr.render.text import lines
from tests.support.fake_updater import SERVER


def test_status_when_a_server_is_a_tree_then_each_process_is_indented_below_its_parent() -> None:
    rows = (
        ProcessRow(21, SERVER.pid, 1, "server: worker", True),
        ProcessRow(22, 21, 2, "server: helper", True),
        ProcessRow(23, SERVER.pid, 1, "sh", False),
    )
    told = list(lines(StatusResult((replace(SERVER, children=rows, problems=()),))))
    assert told[-3:] == [
        "    21  server: worker",
        "        22  server: helper",
        "    23  sh  (not forked in start-up)",
    ]
