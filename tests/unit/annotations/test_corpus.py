"""The examples are accepted, and each rejected file is rejected for what its first line says, at the places it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gdb_mcr.annotations.grammar import parser
from gdb_mcr.annotations.labels import Label
from gdb_mcr.annotations.load import load
from gdb_mcr.errors import InvalidAnnotations
from scripts.write_reference import PAGE, page
from tests.support.small_programs import new_program, old_program

GRAMMAR = Path(__file__).parents[3] / "grammar"
EXAMPLES = sorted((GRAMMAR / "examples").glob("*.mcr"))
REJECTED = sorted((GRAMMAR / "rejected").glob("*.mcr"))


def names(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("file", EXAMPLES, ids=names)
def test_examples_are_accepted(file: Path) -> None:
    assert load([file], old_program(), new_program()).statements


def expected(file: Path) -> list[str]:
    first = file.read_text().split("\n", 1)[0]
    return re.sub(r"^// expect: ", "", first).split(", ")


@pytest.mark.parametrize("file", REJECTED, ids=names)
def test_rejected_files_are_rejected_as_they_say(file: Path) -> None:
    with pytest.raises(InvalidAnnotations) as caught:
        load([file], old_program(), new_program())
    found = sorted(caught.value.problems, key=lambda one: one.span)
    assert [f"{one.label} {one.span.line}:{one.span.column}" for one in found] == expected(file), str(caught.value)


WITHOUT_A_FILE = {"unreadable", "too-many-errors", "bad-library"}
"""Labels that are about other files, or whole ones; other tests have them."""


def test_every_label_but_those_of_whole_files_has_a_rejected_file() -> None:
    assert {one.value for one in Label} - {file.stem for file in REJECTED} == WITHOUT_A_FILE


def test_the_reference_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run scripts/write-docs"


def test_the_reference_has_an_example_of_each_statement() -> None:
    names = [rule.expansion[0].name for rule in parser().rules if rule.origin.name == "statement"]
    text = PAGE.read_text()
    shown = [one for one in names if re.search(rf"^```\n{one}: (?:[^`\n]*\n)+```\n\n```mcr\n", text, re.MULTILINE)]
    assert set(names) - set(shown) == {"use"}, "an example of `use` needs a library"
