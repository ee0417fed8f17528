"""The one form of annotation files: what it changes, what it leaves, and that it is one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gdb_mcr.annotations.files import format_files
from gdb_mcr.annotations.format import format_text
from gdb_mcr.annotations.grammar import parser, rule_files
from gdb_mcr.annotations.syntax import parse_text
from gdb_mcr.errors import InvalidAnnotations
from tests.support.annotation_texts import random_text

REPOSITORY = Path(__file__).parents[3]
TIDY = [
    *sorted((REPOSITORY / "grammar/examples").glob("*.mcr")),
    *rule_files(),
    *sorted((REPOSITORY / "scripts/annotations").glob("*.mcr")),
]


def words(text: str) -> list[str]:
    return [str(one) for one in parser().lex(text)]


@pytest.mark.parametrize("file", TIDY, ids=lambda file: file.stem)
def test_our_own_files_are_tidy(file: Path) -> None:
    assert format_text(file.read_text()) == file.read_text()


UNTIDY = [
    ("drop  a ;keep old b;", "drop a;\nkeep old b;\n"),
    ("\n\n// x\n\n\n\ndrop a;", "// x\n\ndrop a;\n"),
    ("drop a;//one\nkeep old bb; // two", "drop a;       //one\nkeep old bb;  // two\n"),
    ("rename a.b->c;", "rename a.b -> c;\n"),
    ("transfer a{new.x=old.p->q;}", "transfer a { new.x = old.p->q; }\n"),
    ("transfer a{new.x=1;new.y=2;}", "transfer a {\n    new.x = 1;\n    new.y = 2;\n}\n"),
    ("transfer a{\n\nnew.x=1;\n\n\nnew.y=2;\n\n}", "transfer a {\n    new.x = 1;\n\n    new.y = 2;\n}\n"),
    ("transfer a { if(x){f();}else{g();} }", "transfer a {\n    if (x) { f(); } else { g(); }\n}\n"),
    (
        "transfer a { if(x){f();\n}\nelse if(y){g();\n}\nelse{h();\n} }",
        "transfer a {\n    if (x) {\n        f();\n    } else if (y) {\n        g();\n    } else {\n        h();\n"
        "    }\n}\n",
    ),
    ("length a.b=-1*( -x )-~y&&!z;", "length a.b = -1 * (-x) - ~y && !z;\n"),
    (
        "length a.b=(int)x+(uint8_t)y*(struct c**)z;",
        "length a.b = (int)x + (uint8_t)y * (struct c **)z;\n",
    ),
    ("length a.b=sizeof(struct c *)*sizeof x;", "length a.b = sizeof(struct c *) * sizeof x;\n"),
    ("length a.b = old.c\n+ 1;", "length a.b = old.c\n    + 1;\n"),
    ("length a.b = old.c // why\n;", "length a.b = old.c  // why\n    ;\n"),
    ("/* a\n  b */drop x;", "/* a\n  b */\ndrop x;\n"),
    ("drop /* which? */ x;", "drop /* which? */ x;\n"),
    ("length a.b = f( ) + g(1,2)[ 3 ];", "length a.b = f() + g(1, 2)[3];\n"),
    ("active a.b when -1==old.x?a:b;", "active a.b when -1 == old.x ? a : b;\n"),
    ("tagged a.b&7;", "tagged a.b & 7;\n"),
    ("drop a;\r\ndrop b;\r\n", "drop a;\ndrop b;\n"),
    ("", ""),
    ("\n\n", ""),
]


@pytest.mark.parametrize(("text", "tidy"), UNTIDY)
def test_form(text: str, tidy: str) -> None:
    assert format_text(text) == tidy
    assert format_text(tidy) == tidy


@pytest.mark.parametrize("seed", range(200))
def test_form_is_one_and_changes_no_word(seed: int) -> None:
    text = random_text(random.Random(seed))
    assert parse_text(text, "a.mcr").problems == []
    tidy = format_text(text)
    assert format_text(tidy) == tidy
    assert words(tidy) == words(text)


def test_files_are_replaced_only_if_all_parse(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.mcr", tmp_path / "b.mcr"
    good.write_text("drop  a;")
    good.chmod(0o640)
    bad.write_text("drop ;")
    with pytest.raises(InvalidAnnotations):
        format_files([good, bad], write=True)
    assert good.read_text() == "drop  a;"
    assert format_files([good], write=False) == (good,)
    assert good.read_text() == "drop  a;"
    assert format_files([good], write=True) == (good,)
    assert good.read_text() == "drop a;\n"
    assert good.stat().st_mode & 0o777 == 0o640
    assert format_files([good], write=True) == ()
    assert sorted(tmp_path.iterdir()) == [good, bad]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "a.mcr").write_text("drop  a;")
    (tmp_path / "b.mcr").symlink_to("a.mcr")
    format_files([tmp_path / "b.mcr"], write=True)
    assert (tmp_path / "b.mcr").is_symlink()
    assert (tmp_path / "a.mcr").read_text() == "drop a;\n"
