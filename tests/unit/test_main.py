"""The `mcr` program: exit statuses, what goes to which stream, and how it becomes a server."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from gdb_mcr.__main__ import BUG, main
from gdb_mcr.commands.registry import FrontEnd
from gdb_mcr.commands.table import available
from gdb_mcr.errors import TargetError
from gdb_mcr.plugin.location import gdbinit_file
from tests.support.fake_updater import REFUSED, ROLLED_BACK, FakeUpdater

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def updater() -> FakeUpdater:
    return FakeUpdater()


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("new").touch()


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_names_every_verb(words: list[str], capsys: Capture) -> None:
    assert main(words) == 0
    out = capsys.readouterr().out
    assert all(f"\n  mcr {one.name}" in out for one in available(FrontEnd.CLI))


@pytest.mark.parametrize("words", [["update", "--help"], ["help", "update"]])
def test_help_of_one_verb(words: list[str], capsys: Capture) -> None:
    assert main(words) == 0
    assert "usage: mcr update PID NEW_BIN" in capsys.readouterr().out


def test_no_words_are_bad_usage(capsys: Capture) -> None:
    assert main([]) == 2
    assert "Updating a server" in capsys.readouterr().out


def test_help_needs_no_update_machinery(capsys: Capture) -> None:
    def fail() -> FakeUpdater:
        raise TargetError("broken")

    assert main(["help", "status"], fail) == 0
    assert main(["status"], fail) == 2
    assert capsys.readouterr().err == "mcr: broken\n"


@pytest.mark.parametrize(("outcome", "status"), [(REFUSED, 1), (ROLLED_BACK, 3)], ids=["refused", "rolled back"])
def test_exit_status_is_the_verdict_s(updater: FakeUpdater, outcome: object, status: int) -> None:
    updater.outcome = outcome  # type: ignore[assignment]
    assert main(["update", "12", "new"], lambda: updater) == status


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["udpate"], "mcr: there is no verb `udpate`\n  did you mean `update`?\n"),
        (["commit"], "mcr: commit does not work here\n  it works in GDB as `mcr-commit`"),
        (["help", "nonsense"], "mcr: there is no verb `nonsense`"),
        (["update", "12"], "mcr: the following arguments are required: NEW_BIN\n  usage: mcr update PID NEW_BIN"),
    ],
)
def test_bad_usage_is_told_on_standard_error(words: list[str], message: str, capsys: Capture) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(message)
    assert captured.out == ""


def test_json_stands_alone_on_standard_output(updater: FakeUpdater, capsys: Capture) -> None:
    updater.fails = TargetError("no such process", hint="look again")
    assert main(["update", "12", "new", "--json", "-"], lambda: updater) == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["hint"] == "look again"
    assert captured.err == "mcr: no such process\n  look again\n"


def test_interrupt_and_bug_have_statuses_of_their_own(updater: FakeUpdater, capsys: Capture) -> None:
    def interrupted(pid: int) -> None:
        raise KeyboardInterrupt

    def broken(pid: int) -> None:
        raise ZeroDivisionError

    updater.on_update = interrupted
    assert main(["update", "12", "new", "--json", "result.json"], lambda: updater) == 130
    assert json.loads(Path("result.json").read_text())["error"]["message"] == "interrupted"
    updater.on_update = broken
    assert main(["update", "12", "new"], lambda: updater) == BUG
    assert "this is a bug in gdb_mcr\nTraceback" in capsys.readouterr().err


def test_run_becomes_the_server_after_its_json_is_written(updater: FakeUpdater) -> None:
    with pytest.raises(SystemExit, match="exec server -v"):
        main(["run", "--json", "run.json", "--", "server", "-v"], lambda: updater)
    assert json.loads(Path("run.json").read_text())["command"] == ["server", "-v"]


def test_shell_reads_a_script_and_has_its_exit_status(
    updater: FakeUpdater, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    updater.outcome = REFUSED
    monkeypatch.setattr(sys, "stdin", io.StringIO("status\nupdate 12 new\nthreads 12\n"))
    assert main(["shell"], lambda: updater) == 1
    assert [call[0] for call in updater.calls] == ["status", "update"]
    assert "/srv/old/server" in capsys.readouterr().out


def test_gdbinit_is_a_file_of_the_package(capsys: Capture) -> None:
    assert main(["gdbinit"]) == 0
    assert Path(capsys.readouterr().out.strip()) == gdbinit_file()
    assert gdbinit_file().is_file()
