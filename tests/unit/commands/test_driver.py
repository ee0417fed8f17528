"""A verb from its words to its answer: results, JSON, exit statuses, and what is legal when."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gdb_mcr.errors import TargetError, UpdateFailed, UsageError, WrongState
from gdb_mcr.model.steps import SessionState
from gdb_mcr.update.api import ProfileOptions, Strictness, UpdateOptions
from tests.support.fake_front_end import FakeFrontEnd, FakeServices
from tests.support.fake_updater import COMMITTED, DOUBT, LOSS, NEW_PID, REFUSED, ROLLED_BACK, WOULD_COMMIT

ALL_STEPS = ["start new", "quiesce", "transfer", "audit", "commit"]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(COMMITTED, 0), (WOULD_COMMIT, 0), (REFUSED, 1), (ROLLED_BACK, 3)],
    ids=lambda one: str(one)[:9],
)
@pytest.mark.usefixtures("new")
def test_exit_status_is_the_interface_s(cli: FakeFrontEnd, outcome: Any, status: int) -> None:  # noqa: ANN401
    cli.updater.outcome = outcome
    assert cli.type("update 12 new").exit_status == status


@pytest.mark.parametrize(("findings", "status"), [((), 0), ((DOUBT,), 0), ((DOUBT, LOSS), 1)])
@pytest.mark.usefixtures("new")
def test_check_s_exit_status_says_whether_something_speaks_against_it(
    cli: FakeFrontEnd, findings: tuple[Any, ...], status: int
) -> None:
    cli.updater.findings = findings
    assert cli.type("check new new").exit_status == status


def test_update_passes_the_user_s_wishes_on(cli: FakeFrontEnd, new: Path) -> None:
    cli.type("update 12 new --policy strict --yes-to R2:x --args '-t 4'")
    options = UpdateOptions(args=("-t", "4"), yes_to=frozenset({"R2:x"}), policy=Strictness.STRICT)
    assert cli.updater.calls == [("update", 12, new, options)]


@pytest.mark.usefixtures("new")
def test_json_file_has_the_interface_s_keys(cli: FakeFrontEnd, tmp_path: Path) -> None:
    cli.updater.outcome = REFUSED
    cli.type("update 12 new --json out.json")
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["verdict"] == "refused"
    assert content["old_pids"] == [12]
    assert content["new_pids"] == []
    assert content["phases"][0] == {"name": "ANALYZE", "seconds": 0.001, "counts": {"objects": 0, "bytes_copied": 0}}
    assert content["findings"][1]["id"] == LOSS.id
    assert set(content["findings"][1]) == {"id", "kind", "certain", "text", "path", "settle"}
    assert content["exit_status"] == 1
    assert "refused" in cli.text


@pytest.mark.usefixtures("new")
def test_json_to_standard_output_stands_alone(cli: FakeFrontEnd) -> None:
    cli.type("update 12 new --json -")
    assert json.loads(cli.text)["verdict"] == "committed"


@pytest.mark.parametrize(
    ("error", "verdict"), [(TargetError("no such process"), "error"), (UpdateFailed("disk full"), "rolled-back")]
)
@pytest.mark.usefixtures("new")
def test_json_says_what_failed(cli: FakeFrontEnd, tmp_path: Path, error: Any, verdict: str) -> None:  # noqa: ANN401
    cli.updater.fails = error
    with pytest.raises(type(error)):
        cli.type("update 12 new --json out.json")
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["verdict"] == verdict
    assert content["error"] == {"kind": type(error).__name__, "message": str(error), "hint": ""}
    assert content["exit_status"] == error.exit_status


@pytest.mark.usefixtures("new")
def test_unwritable_json_file_is_told_before_anything_is_touched(cli: FakeFrontEnd) -> None:
    with pytest.raises(UsageError, match="cannot write no/dir: No such file"):
        cli.type("update 12 new --json no/dir")
    assert cli.updater.calls == []


@pytest.mark.usefixtures("new")
def test_full_disk_under_the_json_file_does_not_change_the_answer(cli: FakeFrontEnd) -> None:
    assert cli.type("update 12 new --json /dev/full").exit_status == 0
    assert "warning: /dev/full is incomplete" in cli.text


@pytest.mark.parametrize(
    "line",
    ["status", "status 12", "threads 12", "fds 12", "log 12", "object 12 settings", "history", "history 12"],
)
def test_inspecting_verbs_ask_for_what_they_say(cli: FakeFrontEnd, line: str) -> None:
    assert cli.type(line).exit_status == 0
    name, *words = line.split()
    call = cli.updater.calls[0]
    assert call[0] == ("explain" if name == "object" else name)
    assert call[1] == (int(words[0]) if words else None)
    assert cli.text


def test_last_keeps_the_newest(cli: FakeFrontEnd) -> None:
    cli.type("log 12 --last 2")
    assert '"/etc/3"' in cli.text
    assert '"/etc/2"' not in cli.text
    cli.printed.clear()
    cli.type("history --last 1")
    assert "2025" not in cli.text


def test_all_steps_in_a_row_commit(shell: FakeFrontEnd, new: Path) -> None:
    shell.services.pid = 12
    states = [(shell.type(line), shell.context.state)[1] for line in ALL_STEPS]
    assert [one.value for one in states] == ["started", "ready", "transferred", "audited", "idle"]
    assert shell.updater.calls[0] == ("open_session", 12)
    assert shell.updater.calls[1] == ("start", new, UpdateOptions())
    assert shell.updater.session is not None
    assert shell.updater.session.closed
    assert shell.context.session is None


@pytest.mark.usefixtures("new")
def test_each_step_says_which_may_come_next(shell: FakeFrontEnd) -> None:
    said = []
    for line in ["start 12 new", "quiesce", "transfer", "audit", "commit"]:
        shell.printed.clear()
        shell.type(line)
        said.append(shell.text.splitlines()[-1])
    assert said[:4] == [
        "next: quiesce or rollback",
        "next: transfer or rollback",
        "next: audit or rollback",
        "next: commit or rollback",
    ]
    assert not said[4].startswith("next")


@pytest.mark.usefixtures("new")
def test_quiesce_may_come_first_and_release_undoes_it(shell: FakeFrontEnd) -> None:
    states = [(shell.type(line), shell.context.state.value)[1] for line in ["quiesce 12", "start new", "release"]]
    assert states == ["quiesced", "ready", "started"]
    shell.type("rollback")
    assert shell.context.session is None


STATES = {
    "idle": [],
    "started": ["start 12 new"],
    "quiesced": ["quiesce 12"],
    "ready": ["start 12 new", "quiesce"],
    "transferred": ["start 12 new", "quiesce", "transfer"],
    "audited": ["start 12 new", "quiesce", "transfer", "audit"],
}
LEGAL = {
    "start": {"idle", "quiesced"},
    "quiesce": {"idle", "started"},
    "release": {"quiesced", "ready"},
    "transfer": {"ready"},
    "audit": {"transferred"},
    "commit": {"audited"},
    "rollback": {"started", "quiesced", "ready", "transferred", "audited"},
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("step", LEGAL)
@pytest.mark.usefixtures("new")
def test_a_step_is_taken_where_it_is_legal_and_refused_elsewhere(shell: FakeFrontEnd, state: str, step: str) -> None:
    for line in STATES[state]:
        shell.type(line)
    line = {"start": "start 12 new", "quiesce": "quiesce 12"}.get(step, step)
    if state in LEGAL[step]:
        assert shell.type(line).exit_status == 0
        return
    before = list(shell.updater.calls)
    with pytest.raises(WrongState, match=f"this one is {state}") as caught:
        shell.type(line)
    assert shell.updater.calls == before
    assert shell.context.state.value == state
    assert caught.value.hint.startswith("next: ")


@pytest.mark.usefixtures("new")
def test_transfer_may_only_be_planned(shell: FakeFrontEnd) -> None:
    for line in ["start 12 new", "quiesce", "transfer --dry-run"]:
        shell.type(line)
    assert shell.context.state is SessionState.READY


@pytest.mark.usefixtures("new")
def test_findings_stop_a_step_and_are_remembered(shell: FakeFrontEnd) -> None:
    shell.updater.findings = (LOSS,)
    assert shell.type("start 12 new").exit_status == 1
    assert shell.context.session is None
    assert shell.context.finding_ids == (LOSS.id,)


def test_no_rest_in_time_leaves_nothing_open(shell: FakeFrontEnd) -> None:
    shell.updater.converges = False
    assert shell.type("quiesce 12").exit_status == 3
    assert "worker 3" in shell.text
    assert shell.context.session is None


@pytest.mark.usefixtures("new")
def test_one_update_at_a_time(shell: FakeFrontEnd) -> None:
    shell.type("start 12 new")
    with pytest.raises(UsageError, match="an update of 12 is open, not of 13"):
        shell.type("quiesce 13")
    with pytest.raises(UsageError, match="step-wise update of 12 is open"):
        shell.type("update 13 new")
    shell.printed.clear()
    shell.type("status")
    assert "open update of 12 by 4799: started" in shell.text


@pytest.mark.usefixtures("new")
def test_a_session_whose_first_step_fails_is_closed(shell: FakeFrontEnd) -> None:
    def gone(pid: int) -> None:
        raise TargetError(f"{pid} is gone")

    shell.updater.on_update = gone
    with pytest.raises(TargetError, match="12 is gone"):
        shell.type("quiesce 12")
    assert shell.updater.session is not None
    assert shell.updater.session.closed
    assert shell.context.session is None


@pytest.mark.usefixtures("new")
def test_annotation_files_stay_for_the_verbs_that_follow(shell: FakeFrontEnd) -> None:
    shell.type("annotations a.mcr b.mcr")
    shell.type("check 12 new --annotations c.mcr")
    options = shell.updater.calls[-1][3]
    assert isinstance(options, UpdateOptions)
    assert options.annotations == (Path("a.mcr"), Path("b.mcr"), Path("c.mcr"))
    shell.type("annotations")
    shell.type("check 12 new")
    options = shell.updater.calls[-1][3]
    assert isinstance(options, UpdateOptions)
    assert options.annotations == ()


def test_annotations_need_files_and_both_programs_or_none(cli: FakeFrontEnd) -> None:
    with pytest.raises(UsageError, match="which files"):
        cli.type("annotations")
    with pytest.raises(UsageError, match="two programs"):
        cli.type("annotations a.mcr --old 12")


@pytest.mark.usefixtures("new")
def test_without_any_server_the_question_is_which(shell: FakeFrontEnd) -> None:
    with pytest.raises(UsageError, match="which server"):
        shell.type("threads")
    with pytest.raises(UsageError, match="which old build"):
        shell.type("check new")


def test_tools_are_the_front_end_s(cli: FakeFrontEnd) -> None:
    cli.type("gdbinit")
    assert cli.text == "/somewhere/gdbinit.py"
    assert cli.type("shell").exit_status == 0
    cli.type("run -- srv -v")
    assert cli.printed[-1] == "started 123: srv -v"


def test_a_profile_is_made_of_a_server_beside(cli: FakeFrontEnd) -> None:
    cli.type("profile --load 'sleep 1' --output out.toml -- srv -v")
    assert cli.updater.calls == [("profile", 123, ProfileOptions("sleep 1", 600.0, Path("out.toml")))]
    assert "warning: the load ended with exit status 1" in cli.text
    assert "2 processes (stable), forked by spawn < main" in cli.text
    cli.type("profile -- srv")
    assert cli.updater.calls[-1] == ("profile", 123, ProfileOptions("", 10.0, None))


def test_closing_rolls_back(shell: FakeFrontEnd) -> None:
    shell.type("quiesce 12")
    shell.context.close()
    assert shell.updater.session is not None
    assert shell.updater.session.closed


@pytest.mark.usefixtures("new")
def test_verb_that_traces_borrows_the_server_and_gives_back_what_serves(shell: FakeFrontEnd) -> None:
    shell.services.pid = 12
    shell.type("update new")
    assert shell.services.lent == [12, -NEW_PID]
    shell.type("threads")
    assert shell.services.lent[2:] == [12, -12]
    shell.type("fds")
    assert shell.services.lent[4:] == [-12], "nothing was lent, so that there is nothing to give back"


@pytest.mark.usefixtures("new")
def test_pid_is_settled_before_the_front_end_gives_the_server_up(shell: FakeFrontEnd) -> None:
    class Forgetful(FakeServices):
        def lend(self, pid: int) -> None:
            self.pid = None

    shell.context.services = Forgetful(12)
    shell.type("update new")
    assert shell.updater.calls[0][1] == 12


@pytest.mark.usefixtures("new")
def test_server_stays_borrowed_while_an_update_is_open(shell: FakeFrontEnd) -> None:
    shell.type("quiesce 12")
    shell.type("status")
    shell.type("start new")
    assert shell.services.lent == [12]
    shell.type("rollback")
    assert shell.services.lent == [12, -12]


@pytest.mark.usefixtures("new")
def test_server_is_given_back_after_a_failure(shell: FakeFrontEnd) -> None:
    shell.updater.fails = TargetError("it is busy")
    with pytest.raises(TargetError):
        shell.type("update 12 new")
    assert shell.services.lent == [12, None]
