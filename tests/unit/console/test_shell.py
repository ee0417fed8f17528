"""`mcr shell` without a terminal: scripts, and a prompt that is typed at through a pipe."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from gdb_mcr.console.completer import VerbCompleter
from gdb_mcr.console.history import open_history
from gdb_mcr.console.shell import Shell, make_shell
from gdb_mcr.model.results import ShellResult
from tests.support.fake_updater import NEW_PID, OLD_PID, REFUSED, FakeUpdater


@pytest.fixture
def updater() -> FakeUpdater:
    return FakeUpdater()


@pytest.fixture
def printed() -> list[str]:
    return []


@pytest.fixture
def shell(updater: FakeUpdater, printed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell in a directory that has a file `new`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new").touch()
    return make_shell(lambda: updater, printed.append)


@pytest.fixture
def keyboard() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe:
        yield pipe


Type = Callable[[str], ShellResult]


@pytest.fixture
def type_(shell: Shell, keyboard: PipeInput) -> Type:
    """Types at the prompt until the shell ends."""

    def type_text(text: str) -> ShellResult:
        keyboard.send_text(text)
        return shell.interactive(InMemoryHistory(), keyboard, DummyOutput())

    return type_text


def test_script_runs_to_its_end(shell: Shell, printed: list[str]) -> None:
    assert shell.script(["status\n", "# a comment\n", "\n", "update 12 new\n"]) == ShellResult(2, 0)
    assert "committed: 4799 took over from 12" in "\n".join(printed)


def test_script_ends_at_the_first_verb_that_fails(shell: Shell, updater: FakeUpdater, printed: list[str]) -> None:
    updater.outcome = REFUSED
    assert shell.script(["update 12 new", "status"]) == ShellResult(1, 1)
    assert [call[0] for call in updater.calls] == ["update"]
    assert "refused" in "\n".join(printed)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("udpate 12 new", "did you mean `update`?"),
        ("update 12 'new", "this line does not parse: no closing quotation"),
        ("shell", "shell does not work here"),
        ("threads 12 13", "`13` is one word too many"),
    ],
)
def test_wrong_line_is_bad_usage(shell: Shell, printed: list[str], line: str, message: str) -> None:
    assert shell.script([line, "status"]).exit_status == 2
    assert message in "\n".join(printed)
    assert "/srv/old/server" not in "\n".join(printed)


def test_script_that_leaves_an_update_open_has_it_rolled_back(
    shell: Shell, updater: FakeUpdater, printed: list[str]
) -> None:
    assert shell.script(["quiesce 12", "quit", "status"]) == ShellResult(1, 0)
    assert updater.session is not None
    assert updater.session.closed
    assert printed[-1] == "rolling back the open update of 12: quiesced"


def test_verb_without_pid_means_the_server_that_was_named_last(shell: Shell, updater: FakeUpdater) -> None:
    updater.pids = (12, 13)
    assert shell.script(["threads 13", "fds"]).exit_status == 0
    assert updater.calls == [("threads", 13), ("fds", 13)]
    assert shell.script(["update new", "fds"]).exit_status == 2, "the new server, 4799, is none of the two"


def test_prompt_goes_on_after_a_failure(type_: Type, printed: list[str]) -> None:
    assert type_("nonsense\rstatus\rhelp update\rquit\r") == ShellResult(2, 0)
    text = "\n".join(printed)
    assert "there is no verb `nonsense`" in text
    assert "/srv/old/server" in text
    assert "usage: update [PID] NEW_BIN" in text


def test_control_c_empties_the_line_and_control_d_ends_the_shell(type_: Type, updater: FakeUpdater) -> None:
    assert type_("update 12 new\x03status\r\x04") == ShellResult(1, 0)
    assert [call[0] for call in updater.calls] == ["status"]


def test_tab_completes(type_: Type, updater: FakeUpdater, keyboard: PipeInput, monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = VerbCompleter.get_completions

    # The rest is typed when the candidates are known, as a person would.
    def then_type(self: VerbCompleter, document: Document, event: CompleteEvent) -> Iterator[Completion]:
        yield from candidates(self, document, event)
        keyboard.send_text(f" {OLD_PID}\r\x04")

    monkeypatch.setattr(VerbCompleter, "get_completions", then_type)
    type_("thr\t")
    assert updater.calls == [("threads", OLD_PID)]


def test_toolbar_says_which_server_and_how_far_the_update_is(shell: Shell) -> None:
    assert shell.toolbar() == "no server named yet"
    shell.run("threads 12")
    assert shell.toolbar() == "server 12"
    shell.run("start 12 new")
    assert shell.toolbar() == f"open update of 12 by {NEW_PID}: started"
    shell.run("rollback")
    assert shell.toolbar() == "server 12"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("st", ["start", "status"]),
        ("help com", ["commit"]),
        ("help", ["help"]),
        ("nonsense ", []),
        ("update 4711 n", ["new"]),
        ("update 4711 'n", ["new"]),
    ],
)
def test_completer_offers_verbs_and_their_words(shell: Shell, line: str, expected: list[str]) -> None:
    found = VerbCompleter(shell.context).get_completions(Document(line), CompleteEvent())
    assert [one.display_text for one in found] == expected


@pytest.mark.parametrize("typed", ["a", "'a", "a\\ "])
def test_word_that_needs_quotes_gets_them(shell: Shell, tmp_path: Path, typed: str) -> None:
    (tmp_path / "a b").touch()
    (found,) = VerbCompleter(shell.context).get_completions(Document(f"update 12 {typed}"), CompleteEvent())
    assert (found.text, found.start_position) == ("'a b'", -len(typed))


def test_history_is_its_owner_s_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert isinstance(open_history(), FileHistory)
    (path,) = (tmp_path / "gdb_mcr").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_history_that_cannot_be_kept_stays_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "gdb_mcr").mkdir()
    (tmp_path / "gdb_mcr" / "shell-history").symlink_to("/dev/null")
    assert isinstance(open_history(), InMemoryHistory)
