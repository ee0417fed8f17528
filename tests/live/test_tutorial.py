"""docs/annotations-tutorial.md, step by step: refused, begun, mistaken, checked, done."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from tests.support.mcr_server import ROOT, McrServer, run_mcr
from tests.support.memcached import free_port, server_arguments, wait_until_served
from tests.support.servers import nearest_server

pytestmark = [pytest.mark.live, pytest.mark.slow]

TUTORIAL = (ROOT / "docs/annotations-tutorial.md").read_text()
FINDINGS = {
    "R2:LIBEVENT_THREAD.notify_event",
    "R4:_mc_resp_bundle/struct cache_free_s",
    "R4:cache_free_s/struct _mc_resp",
}


def block(kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_tutorial_holds(tmp_path: Path) -> None:
    old, new = nearest_server("memcached", "1.6.18-1+deb12u1"), nearest_server("memcached", "1.6.38-1")
    port, mine = free_port(), tmp_path / "mine.mcr"
    with McrServer([str(old.binary), *server_arguments(port)]) as server:
        wait_until_served(port)
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client, client.makefile("rwb") as stream:
            # Many at once, so that responses come from bundles and go back to their cache.
            stream.write(b"set greeting 0 0 5\r\nhello\r\n" * 300)
            stream.flush()
            assert {stream.readline() for _ in range(300)} == {b"STORED\r\n"}

            refused = server.update(new.binary)
            assert refused.status == 1, refused.told()
            assert refused.finding_ids >= FINDINGS

            sides = ("--old", str(server.pid), "--new", str(new.binary))
            begun = run_mcr("annotate", str(server.pid), str(new.binary), "--suggest")
            assert "// drop LIBEVENT_THREAD.notify_event;" in begun.stdout
            mine.write_text(begun.stdout)
            assert run_mcr("annotations", str(mine), *sides).returncode == 0

            mine.write_text("drop LIBEVENT_THREAD.notify_evnt;\nfree cache_free_s\n")
            wrong = run_mcr("annotations", str(mine), *sides)
            assert wrong.returncode == 2
            assert "did you mean `notify_event` or `notify_event_fd`?" in wrong.stderr
            assert "`;` is missing behind this statement" in wrong.stderr

            mine.write_text(block("mcr tutorial"))
            assert "3 statements in 1 file" in run_mcr("annotations", str(mine), *sides).stdout
            done = server.update(new.binary, f"--annotations={mine}")
            assert done.status == 0, done.told()

            stream.write(b"version\r\nget greeting\r\n")
            stream.flush()
            assert stream.readline() == b"VERSION 1.6.38\r\n"
            assert stream.readline() == b"VALUE greeting 0 5\r\n"
            assert stream.readline() == b"hello\r\n"
