"""Words to values: the interface's command lines, and every way to get one wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdb_mcr.commands.parsing import HelpText, Invocation, parse
from gdb_mcr.commands.registry import FrontEnd
from gdb_mcr.commands.table import find
from gdb_mcr.errors import UsageError


def values(line: list[str], front_end: FrontEnd = FrontEnd.CLI) -> dict[str, object]:
    parsed = parse(find(line[0], front_end), line[1:], front_end)
    assert isinstance(parsed, Invocation)
    return dict(parsed.values)


def fails(line: list[str], front_end: FrontEnd = FrontEnd.CLI) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse(find(line[0], front_end), line[1:], front_end)
    assert caught.value.exit_status == 2
    return caught.value


def test_update_takes_all_of_the_interface(new: Path) -> None:
    words = [
        "update",
        "4711",
        "new",
        "--annotations",
        "a.mcr",
        "--dry-run",
        "--timeout",
        "2.5",
        "--annotations",
        "b.mcr",
    ]
    found = values([*words, "--args", "-t 4 -m '1 2'", "--yes-to", "R2:x", "--yes-to=R11:y"])
    assert found == {
        "pid": 4711,
        "new": new,
        "annotations": (Path("a.mcr"), Path("b.mcr")),
        "args": ("-t", "4", "-m", "1 2"),
        "dry_run": True,
        "timeout": 2.5,
        "yes_to": ("R2:x", "R11:y"),
        "policy": "default",
        "memory": "mcr",
        "strategy": "barrier",
        "profile": None,
    }


@pytest.mark.usefixtures("new")
def test_no_arguments_differ_from_the_old_ones() -> None:
    assert values(["update", "4711", "new"])["args"] is None
    assert values(["update", "4711", "new", "--args", ""])["args"] == ()
    assert values(["update", "4711", "new", "--args", "--help"])["args"] == ("--help",)


@pytest.mark.parametrize("front_end", [FrontEnd.GDB, FrontEnd.SHELL])
@pytest.mark.usefixtures("new")
def test_pid_may_be_left_out_where_one_is_known(front_end: FrontEnd) -> None:
    assert values(["update", "new"], front_end)["pid"] is None
    assert values(["update", "12", "new"], front_end)["pid"] == 12
    assert values(["check", "new"], front_end)["old"] is None
    assert values(["object", "settings"], front_end)["expression"] == "settings"


def test_check_takes_a_pid_or_a_file(new: Path) -> None:
    assert values(["check", "12", "new"])["old"] == 12
    assert values(["check", "new", "new"])["old"] == new


def test_json_may_be_standard_output() -> None:
    parsed = parse(find("status", FrontEnd.CLI), ["--json", "-"], FrontEnd.CLI)
    assert isinstance(parsed, Invocation)
    assert parsed.json == "-"


@pytest.mark.parametrize(
    "line",
    [
        ["run", "--", "srv", "-x", "--", "y"],
        ["run", "srv", "-x", "--", "y"],
        ["run", "--json", "f", "srv", "-x", "--", "y"],
    ],
)
def test_run_keeps_the_server_s_words(line: list[str]) -> None:
    assert values(line)["server"] == ("srv", "-x", "--", "y")


def test_values_of_options_are_no_server() -> None:
    given = values(["profile", "--load", "sleep 1", "--seconds", "2", "srv", "--load", "x"])
    assert (given["load"], given["seconds"], given["server"]) == ("sleep 1", 2.0, ("srv", "--load", "x"))


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_wins_over_everything_else(word: str) -> None:
    assert isinstance(parse(find("update", FrontEnd.CLI), ["nonsense", word], FrontEnd.CLI), HelpText)
    assert isinstance(parse(find("run", FrontEnd.CLI), [word], FrontEnd.CLI), HelpText)


def test_help_of_the_server_is_the_server_s() -> None:
    assert values(["run", "--", "srv", "--help"])["server"] == ("srv", "--help")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["update"], "required: PID, NEW_BIN"),
        (["update", "12"], "required: NEW_BIN"),
        (["update", "x", "new"], "PID: `x` is no process id"),
        (["update", "0", "new"], "PID: `0` is no process id"),
        (["update", "-3", "new"], "`-3` is no process id"),
        (["update", "12", "gone"], "NEW_BIN: there is no file gone"),
        (["update", "12", "."], "is a directory"),
        (["update", "12", "34"], "a file of that name is ./34"),
        (["update", "12", "new", "more"], "`more` is one word too many"),
        (["update", "12", "new", "--timeout", "0"], "no number of seconds above 0"),
        (["update", "12", "new", "--timeout", "nan"], "no number of seconds above 0"),
        (["update", "12", "new", "--timeout"], "expected one argument"),
        (["update", "12", "new", "--policy", "mild"], "invalid choice: 'mild'"),
        (["update", "12", "new", "--yes-to", "R6:x"], "findings of kind R6 cannot be overridden"),
        (["update", "12", "new", "--yes-to", "all"], "`all` is no finding's id"),
        (["update", "12", "new", "--args", "'"], "no closing quotation"),
        (["log", "12", "--last", "0"], "no number above 0"),
        (["run"], "which server?"),
        (["run", "--"], "which server?"),
    ],
)
@pytest.mark.usefixtures("new")
def test_wrong_words_are_a_usage_error_with_the_usage(line: list[str], message: str) -> None:
    error = fails(line)
    assert message in str(error)
    assert error.hint.startswith(f"usage: mcr {line[0]} ")


def test_unknown_option_names_the_nearest() -> None:
    error = fails(["status", "--jsno", "x"])
    assert str(error) == "there is no option --jsno"
    assert error.hint == "did you mean `--json`?"


def test_options_are_not_abbreviated() -> None:
    assert str(fails(["status", "--js", "x"])) == "there is no option --js"
