"""Annotations in comments of C source are read where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdb_mcr.annotations.embedded import annotations_of
from gdb_mcr.annotations.files import format_files
from gdb_mcr.annotations.load import load, parse_files
from gdb_mcr.errors import InvalidAnnotations, UsageError
from tests.support.small_programs import new_program, old_program

SOURCE = """\
/* nothing of ours: drop x; */
struct conn {
    int fd;      /* @mcr keep old conn.fd; */
    char *rbuf;  // @mcr is no annotation here
};
const char *text = "/* @mcr drop y; */", quote = '"';
/* @mcr
 * rename conn.rbuf -> read_buffer;  // was shorter
 * length value.items =
 *     old.used * 2;
 */
"""


def source_file(directory: Path, text: str) -> Path:
    file = directory / "conn.c"
    file.write_text(text)
    return file


def test_only_our_comments_count(tmp_path: Path) -> None:
    statements = parse_files([source_file(tmp_path, SOURCE)])
    assert [(str(one), one.span.line, one.span.column) for one in statements] == [
        ("keep old conn.fd;", 3, 26),
        ("rename conn.rbuf -> read_buffer;", 8, 4),
        ("length value.items = old.used * 2;", 9, 4),
    ]


def test_all_else_is_blank_and_nothing_moves() -> None:
    text = annotations_of(SOURCE)
    assert len(text) == len(SOURCE)
    assert [one for one in range(len(text)) if text[one] not in (" ", SOURCE[one])] == []
    assert "text" not in text


def test_errors_show_the_line_of_the_source(tmp_path: Path) -> None:
    file = source_file(tmp_path, "int a; /* @mcr drop conn.nothing; */")
    with pytest.raises(InvalidAnnotations) as caught:
        load([file], old_program(), new_program())
    (problem,) = caught.value.problems
    assert (problem.span.line, problem.span.column) == (1, 26)
    assert problem.source_line == "int a; /* @mcr drop conn.nothing; */"


def test_syntax_errors_show_the_line_of_the_source_too(tmp_path: Path) -> None:
    with pytest.raises(InvalidAnnotations) as caught:
        parse_files([source_file(tmp_path, "int a; /* @mcr drop ; */")])
    (problem,) = caught.value.problems
    assert (problem.span.column, problem.source_line) == (21, "int a; /* @mcr drop ; */")


def test_source_is_not_formatted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="C source"):
        format_files([source_file(tmp_path, SOURCE)], write=True)
