"""Each verb has its page, and what was generated there is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdb_mcr.commands.pages import END, page
from gdb_mcr.commands.registry import Command
from gdb_mcr.commands.table import COMMANDS

PAGES = Path(__file__).parents[3] / "docs" / "commands"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.name)
def test_page_is_up_to_date(command: Command) -> None:
    text = (PAGES / f"{command.name}.md").read_text()
    assert text == page(command, text), "run scripts/write-docs"


def test_there_are_no_pages_of_other_verbs() -> None:
    assert {one.stem for one in PAGES.glob("*.md")} == {one.name for one in COMMANDS}


def test_what_was_written_by_hand_stays() -> None:
    old = f"# old\n{END}\n\nBy hand.\n"
    assert page(COMMANDS[0], old).endswith(f"{END}\nBy hand.\n")
