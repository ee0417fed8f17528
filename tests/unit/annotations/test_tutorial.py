"""The recipes of the tutorial are right as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gdb_mcr.annotations.format import format_text
from gdb_mcr.annotations.load import load
from gdb_mcr.annotations.syntax import parse_text
from tests.support.small_programs import new_program, old_program

TUTORIAL = Path(__file__).parents[3] / "docs/annotations-tutorial.md"
BLOCKS = re.findall(r"^```mcr (\w+)\n(.*?)^```", TUTORIAL.read_text(), re.MULTILINE | re.DOTALL)
RECIPES = [text for kind, text in BLOCKS if kind == "recipe"]


@pytest.mark.parametrize("text", RECIPES)
def test_recipe_is_accepted(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.mcr").write_text(text)
    assert load([tmp_path / "a.mcr"], old_program(), new_program()).handlers


def test_the_tutorial_s_texts_are_tidy() -> None:
    assert len(RECIPES) == 8
    for _, text in BLOCKS:
        assert parse_text(text, "a.mcr").problems == []
        assert format_text(text) == text
