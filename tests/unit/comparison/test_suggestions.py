"""The skeleton of annotations: all of it comments, and right where the comment marks are taken out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gdb_mcr.annotations.load import load, parse_files
from gdb_mcr.annotations.syntax import parse_text
from gdb_mcr.comparison.match import match_programs
from gdb_mcr.comparison.static_findings import static_findings
from gdb_mcr.comparison.suggestions import suggestions
from tests.support.small_programs import new_program, old_program

OLD, NEW = old_program(), new_program()


def suggested(*files: Path) -> list[str]:
    annotations = load(files, OLD, NEW)
    match = match_programs(OLD, NEW, annotations)
    return list(suggestions(OLD, NEW, match, annotations, static_findings(OLD, NEW, match, annotations)))


def test_every_line_is_a_comment() -> None:
    lines = suggested()
    assert all(not line or line.startswith("//") for line in lines)
    assert parse_text("\n".join(lines), "a.mcr").statements == []


def test_what_is_gone_may_be_what_is_new() -> None:
    lines = suggested()
    at = lines.index("//   char * rbuf is gone (R2:conn.rbuf); one of:")
    assert lines[at + 1 : at + 3] == ["// rename conn.rbuf -> read_buffer;", "// drop conn.rbuf;"]
    at = lines.index("// int cur_time (main.c) is gone (R2:cur_time); one of:")
    assert lines[at + 1] == "// rename variable cur_time -> current_time;"
    assert "// drop variable cur_time;" in lines


def test_a_handler_names_what_changed_and_what_is_new() -> None:
    lines = suggested()
    at = lines.index("// transfer job {")
    assert lines[at + 1] == "//     // old.count: unsigned int"
    assert "//     new.ticks = old.ticks;  // long became int" in lines
    assert "//     new.busy = …;  // _Bool, new" in lines


@pytest.mark.parametrize("alternative", ["rename", "drop"])
def test_alternatives_are_right_as_they_stand(tmp_path: Path, alternative: str) -> None:
    file = tmp_path / "a.mcr"
    taken: dict[str, str] = {}
    for line in suggested():
        found = re.fullmatch(rf"// ({alternative}(?: variable)? (\S+?)(?: -> (\S+))?;)", line)
        if found:
            taken.setdefault(found[3] or found[2], found[1])
    file.write_text("\n".join({text.split(" -> ")[0]: text for text in reversed(taken.values())}.values()))
    assert parse_files([file])
    left = suggested(file)
    assert not any(f"// {text}" in left for text in parse_texts(file))


def parse_texts(file: Path) -> list[str]:
    return [str(one) for one in parse_files([file])]


def test_what_a_handler_does_is_not_suggested_again(tmp_path: Path) -> None:
    file = tmp_path / "a.mcr"
    file.write_text("transfer job { new.total = fits(old.count); }")
    assert "// transfer job {" not in suggested(file)


def test_one_of_several_types_of_a_name_is_named_with_its_file() -> None:
    assert '// transfer "src/dict.h"::struct dict {' in suggested()
    assert "// transfer dict {" not in suggested()
