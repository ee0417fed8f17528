"""Highlighters know the words of the language, and no text is foreign to them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pygments.lexer import RegexLexer
from pygments.token import Comment, Error, Keyword, Name, Number, String, Text

from gdb_mcr.annotations.grammar import keywords, rule_files
from gdb_mcr.annotations.outline import STATEMENT_WORDS
from gdb_mcr.console.highlighting import AnnotationLexer, ShellLexer
from scripts.write_reference import TEXTMATE, textmate_text

GRAMMAR = Path(__file__).parents[3] / "grammar"
FILES = [*sorted((GRAMMAR / "examples").glob("*.mcr")), *rule_files()]


def tokens(lexer: RegexLexer, text: str) -> list[tuple[object, str]]:
    return [(kind, word) for kind, word in lexer.get_tokens(text) if word.strip()]


def test_keywords_are_those_of_the_grammar() -> None:
    assert set(STATEMENT_WORDS) <= keywords()
    assert {"struct", "old", "unsigned", "foreach", "when", "sizeof"} <= keywords()
    assert not {"conn", "NAME", "STRING"} & keywords()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_word_of_our_files_has_a_kind(file: Path) -> None:
    found = tokens(AnnotationLexer(), file.read_text())
    assert found
    assert not [word for kind, word in found if kind in (Error, Text)]


def test_words_of_a_handler() -> None:
    found = tokens(AnnotationLexer(), "transfer job { let n = old.type + 0x1f; // x\n }")
    assert (Keyword, "transfer") in found
    assert (Keyword, "let") in found
    assert (Name.Builtin.Pseudo, "old") in found
    assert (Name.Attribute, "type") in found
    assert (Number, "0x1f") in found
    assert (Comment.Single, "// x") in found


@pytest.mark.parametrize("text", ['"', "'", "/*", "é@#", "1e", "0x"])
def test_broken_text_is_no_error(text: str) -> None:
    assert "".join(word for _, word in AnnotationLexer().get_tokens(text)).strip() == text


def test_a_line_of_the_shell() -> None:
    line = 'update 4711 ./new --annotations "a b.mcr" --yes-to R2:conn.rbuf'
    assert tokens(ShellLexer(), line) == [
        (Keyword, "update"),
        (Number, "4711"),
        (Name, "./new"),
        (Name.Attribute, "--annotations"),
        (String, '"a b.mcr"'),
        (Name.Attribute, "--yes-to"),
        (Name.Label, "R2:conn.rbuf"),
    ]


def test_a_verb_is_one_only_at_the_beginning() -> None:
    assert tokens(ShellLexer(), "help update") == [(Keyword, "help"), (Name, "update")]
    assert tokens(ShellLexer(), "updated") == [(Name, "updated")]


def test_the_grammar_for_editors_is_up_to_date() -> None:
    assert TEXTMATE.read_text() == textmate_text(), "run scripts/write-docs"


def test_the_grammar_for_editors_knows_every_keyword_and_its_patterns_work() -> None:
    patterns = json.loads(TEXTMATE.read_text())["patterns"]
    kinds = {one["name"].split(".")[0]: one for one in patterns}
    assert {"comment", "string", "keyword", "storage", "constant"} <= set(kinds)
    matches = [re.compile(one["match"]) for one in patterns if "match" in one and "?<=" not in one["match"]]
    for word in keywords():
        assert any(one.fullmatch(word) for one in matches), word
