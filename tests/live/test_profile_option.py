"""`--profile`: the user names the file by which a server's threads are judged, once at its start or at each update."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from gdb_mcr.update.api import NoProgress
from gdb_mcr.update.profiles import write_profile
from gdb_mcr.update.updater import Updater
from tests.support.mcr_server import run_mcr
from tests.support.profiles import profile_of, stop, thread_class
from tests.support.word_keeper import build_word_keeper, running_word_keeper

pytestmark = pytest.mark.live

UNLISTED = "which the profile does not list"


def test_a_server_keeps_the_profile_that_it_was_started_with(tmp_path: Path) -> None:
    binary = build_word_keeper(tmp_path / "keeper")
    right, wrong = tmp_path / "right.toml", tmp_path / "wrong.toml"
    write_profile(profile_of(binary, thread_class("main", 0, stop("accept", "main"))), right)
    write_profile(profile_of(binary, thread_class("main", 0, stop("recv", "main"))), wrong)
    with running_word_keeper(binary, tmp_path, options=("--profile", str(wrong))) as keeper:
        for _ in range(2):  # the second time, of a successor
            assert any(UNLISTED in one for one in obstacles(keeper.server.pid))
            keeper.update(binary, "--profile", str(right))
        wrong.unlink()
        unreadable = keeper.server.update(binary)
        assert unreadable.status == 2
        assert f"{wrong} cannot be read: No such file" in unreadable.errors
        assert keeper.ask("r") == ""


def obstacles(pid: int) -> tuple[str, ...]:
    """What stands in the way of the server's rest, judged by the profile that it has."""
    with closing(Updater().open_session(pid)) as session:
        return session.quiesce(0.5, NoProgress()).obstacles


def test_a_bad_profile_is_told_before_the_server_starts(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a profile")
    done = run_mcr("run", "--profile", str(file), "--", "/bin/true")
    assert done.returncode == 2
    assert str(file) in done.stderr
