"""The parser reports every syntax error at its place, and survives anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lark import Lark
from lark.exceptions import UnexpectedToken

from gdb_mcr.annotations.grammar import parser, rule_files
from gdb_mcr.annotations.outline import STATEMENT_WORDS
from gdb_mcr.annotations.syntax import MAX_PROBLEMS, parse_text

GRAMMAR = Path(__file__).parents[3] / "grammar"
REPOSITORY = GRAMMAR.parent
WRITTEN = sorted((REPOSITORY / "scripts/annotations").glob("*.mcr"))


def statements(text: str) -> list[str]:
    parsed = parse_text(text, "a.mcr")
    assert parsed.problems == []
    return [str(one) for one in parsed.statements]


def problems(text: str) -> list[str]:
    return [f"{one.label} {one.span.line}:{one.span.column}" for one in parse_text(text, "a.mcr").problems]


@pytest.mark.parametrize(
    "text",
    [
        "rename conn.a.b -> c.d;",
        'rename "dict.h"::struct dict.a -> b;',
        "rename type struct a -> union b;",
        'rename variable f::x -> "a.c"::f::y;',
        "keep old conn.type;",
        "keep new struct conn.old;",
        r'drop "a\"b\\.c"::x;',
        "counter stats.total;",
        "never merge type pthread_mutex_t;",
        'never merge library "libc.so*";',
        'library "libevent*" points to struct event;',
        "free struct cache_free_s;",
        'free "cache.h"::chunk;',
        "bytes conn.rbuf;",
        "bytes main::line;",
        "tagged conn.next & 7;",
        "length conn.items = old.count * 2;",
        "points conn.data to struct item;",
        "active conn.as_int when old.type == 1;",
        "opaque conn.scratch;",
        "precise stats.rate;",
    ],
)
def test_statement_is_written_as_it_was_read(text: str) -> None:
    assert statements(text) == [text]


IN_A_HANDLER = [
    ("new.x = 1 +;", "unexpected 1:12"),
    ("new.y = 2\n new.z = 3;", "missing-semicolon 1:10"),
    ("new.z = 2", "missing-semicolon 1:10"),
    ("if (x { new.a = 1; } else { }", "unexpected 1:7"),
    ("foreach in x { }", "unexpected 1:12"),
    ("new.x = 7up;", "bad-character 1:9"),
    ("let = 2;", "unexpected 1:5"),
    ("f(1,);", "unexpected 1:5"),
]


@pytest.mark.parametrize(("step", "problem"), IN_A_HANDLER)
def test_a_wrong_step_is_left_out_and_the_rest_is_read(step: str, problem: str) -> None:
    parsed = parse_text(f"transfer a {{\n{step}\nnew.n == 1; }}\ndrop b;", "a.mcr")
    label, place = problem.split()
    line, column = map(int, place.split(":"))
    found = [(one.label, one.span.line, one.span.column) for one in parsed.problems]
    assert found[0] == (label, line + 1, column)
    assert [one for one, *_ in found[1:]] == ["unexpected"]
    assert [str(one) for one in parsed.statements] == ["drop b;"]


def test_a_block_without_end_ends_where_the_next_statement_begins() -> None:
    parsed = parse_text("transfer a {\n  new.x = 1;\n\ndrop b;\nkeep old c;", "a.mcr")
    assert [(one.label, one.span.line) for one in parsed.problems] == [("incomplete", 2)]
    assert [str(one) for one in parsed.statements] == ["drop b;", "keep old c;"]


def test_steps_may_be_named_as_statements_begin() -> None:
    text = "transfer a {\nlet length = old.free;\nlength = length + 1;\nnew.drop = length;\n}"
    assert statements(text) == ["transfer a { … }"]


def test_a_keyword_is_no_bare_name() -> None:
    assert problems("drop variable;") == ["unexpected 1:14"]
    assert statements("drop variable variable;") == ["drop variable;"]


@pytest.mark.parametrize("word", [*STATEMENT_WORDS, "type", "variable", "old", "new", "struct", "to"])
def test_keywords_are_names_of_fields(word: str) -> None:
    assert statements(f"rename conn.{word} -> {word};") == [f"rename conn.{word} -> {word};"]


@pytest.mark.parametrize("text", ["keep oldconn.x;", "renametype a -> b;", "neverer merge type x;"])
def test_a_keyword_ends_where_a_name_would_go_on(text: str) -> None:
    assert len(problems(text)) == 1


@pytest.mark.parametrize("text", ["", "\n\n", "// nothing", "/* nothing */", "/* a /* b */", "// x\r\n"])
def test_no_statement_is_no_error(text: str) -> None:
    assert statements(text) == []


def test_comments_and_strings_may_hold_anything() -> None:
    text = 'drop a; // b; "c\n/* d; " */ drop "x;//y"::z;'
    assert statements(text) == ["drop a;", 'drop "x;//y"::z;']


def test_good_statements_around_a_bad_one_are_kept() -> None:
    parsed = parse_text("drop a; drop ; drop b;\ndrop c\ndrop d;", "a.mcr")
    assert [str(one) for one in parsed.statements] == ["drop a;", "drop b;", "drop d;"]
    assert len(parsed.problems) == 2


def test_windows_line_ends_and_tabs_count_as_one_column() -> None:
    assert problems("drop a;\r\n\tdrop ;\r\n") == ["unexpected 2:7"]


def test_a_flood_of_errors_ends() -> None:
    labels = problems("drop ;\n" * (MAX_PROBLEMS * 3))
    assert len(labels) == MAX_PROBLEMS + 1
    assert labels[-1].startswith("too-many-errors")


def test_statement_words_are_those_of_the_grammar() -> None:
    with pytest.raises(UnexpectedToken) as caught:
        parser().parse("x")
    assert {one.strip("_").lower() for one in caught.value.accepts if one != "$END"} == set(STATEMENT_WORDS)


def test_terminals_do_not_collide() -> None:
    pytest.importorskip("interegular")
    Lark((GRAMMAR / "mcr.lark").read_text(), parser="lalr", strict=True)


def test_built_in_rules_parse() -> None:
    for file in rule_files():
        assert parse_text(file.read_text(), str(file)).problems == []


@pytest.mark.parametrize("file", WRITTEN, ids=lambda file: file.stem)
def test_annotations_of_real_updates_parse(file: Path) -> None:
    parsed = parse_text(file.read_text(), str(file))
    assert parsed.problems == []
    assert parsed.statements


def test_every_statement_in_the_manual_parses_and_every_kind_is_there() -> None:
    manual = (REPOSITORY / "docs/annotations.md").read_text().partition("## Names")[0]
    rows = re.findall(r"^\| `([^`]+[;}])` \|", manual, re.MULTILINE)
    assert {row.split()[0] for row in rows} == set(STATEMENT_WORDS)
    assert [len(statements(row)) for row in rows] == [1] * len(rows)


def test_the_worked_example_of_the_manual_is_in_the_file() -> None:
    manual = (REPOSITORY / "docs/annotations.md").read_text()
    _, worked = manual.split("## A worked example")
    example = "".join(re.findall(r"^```mcr\n(.*?)^```", worked, re.MULTILINE | re.DOTALL))
    (file,) = [one for one in WRITTEN if one.stem == "memcached-1.6.18-1.6.38"]
    assert statements(example)
    assert set(statements(example)) <= set(statements(file.read_text()))
