"""Every verb is declared fully, its function takes what is declared, and it has its page."""

from __future__ import annotations

import inspect
import shlex
from pathlib import Path

import pytest

from gdb_mcr.commands.arguments import Kind
from gdb_mcr.commands.help import called, command_help, overview
from gdb_mcr.commands.parsing import Invocation, parse
from gdb_mcr.commands.registry import Command, FrontEnd
from gdb_mcr.commands.table import COMMANDS, available, find
from gdb_mcr.errors import UsageError
from gdb_mcr.model.steps import Step

ALL = pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.name)


def test_the_verbs_are_these() -> None:
    updates = "run check update diff annotations annotate start quiesce release transfer audit commit rollback"
    others = "status threads fds object log history profile shell gdbinit fmt"
    assert [one.name for one in COMMANDS] == f"{updates} {others}".split()


def test_each_step_has_its_verb_where_an_update_can_stay_open() -> None:
    steps = {one.step: one for one in COMMANDS if one.step is not None}
    assert set(steps) == set(Step)
    for step, command in steps.items():
        assert command.name == step.value
        assert command.front_ends == FrontEnd.GDB | FrontEnd.SHELL


@ALL
def test_verb_has_help_a_description_and_an_example(command: Command) -> None:
    assert command.help.endswith(".")
    assert command.description.endswith((".", "PID"))
    assert command.examples
    assert all(one.help for one in command.options)


@ALL
def test_function_takes_exactly_what_is_declared(command: Command) -> None:
    context, *others = inspect.signature(command.function).parameters.values()
    assert context.name == "context"
    assert [one.name for one in others] == [one.key for one in command.arguments]
    assert all(one.kind is inspect.Parameter.KEYWORD_ONLY for one in others)


@ALL
def test_examples_parse_in_every_front_end_of_the_verb(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("memcached-new", "memcached-old", "new"):
        (tmp_path / name).touch()
    for front_end in command.front_ends:
        for one in command.examples:
            assert isinstance(parse(command, shlex.split(one.line), front_end), Invocation)


@ALL
def test_positions_come_before_what_may_be_left_out(command: Command) -> None:
    positions = [one for one in command.arguments if not one.is_option and one.kind is not Kind.REST]
    assert not any(one.optional for one in positions[:-1])


@pytest.mark.parametrize("front_end", FrontEnd, ids=lambda one: one.name)
def test_help_of_a_front_end_names_its_verbs_and_no_others(front_end: FrontEnd) -> None:
    text = overview(COMMANDS, front_end)
    for one in COMMANDS:
        assert (f"\n  {called(one, front_end)} " in text) == (front_end in one.front_ends), one.name
    assert max(map(len, text.splitlines())) <= 100


@ALL
def test_help_of_a_verb_names_all_it_takes(command: Command) -> None:
    text = command_help(command, FrontEnd.SHELL)
    assert all(one.name in text if one.is_option else one.shown in text for one in command.options)
    assert all(example.line in text for example in command.examples)


def test_find_explains_where_a_verb_works() -> None:
    with pytest.raises(UsageError, match="commit does not work here") as caught:
        find("commit", FrontEnd.CLI)
    assert caught.value.hint == "it works in GDB as `mcr-commit` and in `mcr shell` as `commit`"


def test_find_names_the_nearest_verb_of_this_front_end() -> None:
    with pytest.raises(UsageError) as caught:
        find("udpate", FrontEnd.CLI)
    assert caught.value.hint == "did you mean `update`?"


@pytest.mark.parametrize("name", ["mcr", "mcr-update"])
def test_verb_as_other_front_ends_call_it_is_told_its_name_in_the_shell(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        find(name, FrontEnd.SHELL)
    assert "leave out `mcr`" in caught.value.hint


def test_available_are_those_of_the_front_end() -> None:
    assert {"shell", "gdbinit"}.isdisjoint(one.name for one in available(FrontEnd.GDB))
