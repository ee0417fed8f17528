"""The plugin in a GDB of its own: help, answers, failures, completion, and the end of GDB."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gdb_mcr.commands.registry import FrontEnd
from gdb_mcr.commands.table import available
from gdb_mcr.plugin.location import gdbinit_file
from tests.support.gdb_script import run_gdb, run_script

pytestmark = pytest.mark.plugin


INTERRUPT = """
python
import os, signal, time
def stop(pid):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
u.on_update = stop
end
mcr-update 12 script.gdb
"""


@pytest.fixture(autouse=True)
def poor_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A charset that has no arrows and ellipses, as CI often has."""
    monkeypatch.setenv("LC_ALL", "C")


def test_sourced_file_brings_every_verb_with_its_help(tmp_path: Path) -> None:
    source = f"source {gdbinit_file()}"
    done = run_gdb(["-ex", source, "-ex", source, "-ex", "help mcr", "-ex", "help mcr-update"], tmp_path)
    assert done.status == 0
    assert done.errors == ""
    assert all(f"\n  mcr-{one.name}" in done.out for one in available(FrontEnd.GDB))
    assert "usage: mcr-update [PID] NEW_BIN" in done.out
    assert "mcr-shell" not in done.out


def test_file_says_where_it_looked_for_the_environment(tmp_path: Path) -> None:
    lonely = tmp_path / "gdb_mcr" / "plugin" / "gdbinit.py"
    lonely.parent.mkdir(parents=True)
    shutil.copy(gdbinit_file(), lonely)
    done = run_gdb(["-ex", f"source {lonely}", "-ex", "mcr-status"], tmp_path)
    assert done.status == 1
    assert "gdb_mcr is not loaded: its environment was not found" in done.errors
    assert f"{tmp_path}/.venv/lib/python3" in done.errors
    assert "Traceback" not in done.errors


def test_verbs_answer_in_text_and_json_and_set_the_status(tmp_path: Path) -> None:
    done = run_script(
        "mcr-status\nmcr-update 12 script.gdb --json out.json\noutput $_mcr_status\necho \\n\n"
        "mcr-check 12 script.gdb --json -\n",
        tmp_path,
    )
    assert done.status == 0, done.errors
    assert "4711  /srv/old/server" in done.out
    assert "committed: 4799 took over from 12" in done.out
    assert json.loads((tmp_path / "out.json").read_text())["verdict"] == "committed"
    status, _, answer = done.out.rpartition('{\n  "old"')
    assert status.endswith("\n0\n")
    assert json.loads('{\n  "old"' + answer)["exit_status"] == 0


@pytest.mark.parametrize(
    ("lines", "message", "status"),
    [
        ("mcr-update 12 gone", "there is no file gone\n  usage: mcr-update [PID] NEW_BIN", "2"),
        ("python u.outcome = fake_updater.REFUSED\nmcr-update 12 script.gdb", "refused", "1"),
        ("python u.outcome = fake_updater.ROLLED_BACK\nmcr-update 12 script.gdb", "rolled back", "3"),
        (INTERRUPT, "interrupted", "130"),
        ("mcr update 12", "mcr-update\n  `help mcr` lists them", "2"),
        ("mcr-run -- /no/such/server", "/no/such/server did not start: exit status 2", "2"),
    ],
    ids=["usage", "refused", "rolled back", "early Ctrl-C", "two words", "run"],
)
def test_what_fails_ends_the_script(tmp_path: Path, lines: str, message: str, status: str) -> None:
    show = "python gdb.events.gdb_exiting.connect(lambda _: print('status', gdb.convenience_variable('_mcr_status')))"
    done = run_script(f"{show}\n{lines}\necho went on\\n\n", tmp_path)
    assert done.status == 1
    assert message in done.errors
    assert f"status {status}\n" in done.out
    assert "went on" not in done.out


def test_completion_offers_what_may_stand_there(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "new-build").touch()
    asked = {
        "mcr-upd": ["mcr-update"],
        "mcr-update 47": ["mcr-update 4711"],
        "mcr-update 4711 d": ["mcr-update 4711 deep/er/new-build"],
        "mcr-update --policy s": ["mcr-update --policy strict"],
        "mcr-update --policy=s": ["mcr-update --policy=strict"],
        "mcr-update --dr": ["mcr-update --dry-run"],
        "mcr-update --yes-to R2:co": ["mcr-update --yes-to R2:conn.rbuf"],
        "mcr-update 'un": [],
        "set mcr-hand-over a": ["set mcr-hand-over ask"],
    }
    lines = ["python context.note_findings((fake_updater.LOSS,))"]
    lines += [line for text in asked for line in (f"complete {text}", "echo --\\n")]
    done = run_script("\n".join(lines), tmp_path)
    assert done.status == 0, done.errors
    found = [answer.splitlines() for answer in done.out.split("--\n")[:-1]]
    assert dict(zip(asked, found, strict=True)) == asked


def test_end_of_gdb_rolls_an_open_update_back(tmp_path: Path) -> None:
    done = run_script(
        "mcr-quiesce 12\n"
        "python import atexit\n"
        "python atexit.register(lambda: open('closed', 'w').write(str(u.session.closed)))\n",
        tmp_path,
    )
    assert done.status == 0, done.errors
    assert (tmp_path / "closed").read_text() == "True"


def test_children_of_gdb_get_no_odd_signal_state(tmp_path: Path) -> None:
    """Servers and debuggers are started from inside GDB; they inherit what it blocks and ignores."""
    done = run_script("python import subprocess; subprocess.run(['grep', '^Sig[BI]', '/proc/self/status'])", tmp_path)
    masks = [int(line.split()[1], 16) for line in done.out.splitlines()]
    assert masks == [0, 0]
