"""What checked annotations mean for two given programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gdb_mcr.annotations.load import MAX_BYTES, load, parse_files
from gdb_mcr.engine.records import ShapeFlag
from gdb_mcr.errors import InvalidAnnotations
from gdb_mcr.model.annotation import Annotations
from gdb_mcr.model.place import Subject
from gdb_mcr.model.statement import Treatment
from gdb_mcr.tracing.policy import Policy
from tests.support.small_programs import new_program, old_program

OLD, NEW = old_program(), new_program()

Says = Callable[[str], Annotations]


@pytest.fixture
def says(tmp_path: Path) -> Says:
    """Loads a text as a file."""

    def load_text(text: str) -> Annotations:
        file = tmp_path / "a.mcr"
        file.write_text(text)
        return load([file], OLD, NEW)

    return load_text


def one_place(annotations: Annotations, treatment: Treatment) -> tuple[str, tuple[str, ...]]:
    (place,) = annotations.places(treatment)
    return place.key, place.new_path


def test_no_file_says_nothing_of_the_user() -> None:
    assert load([], OLD, NEW).statements == ()


def test_renamed_field_has_both_paths_and_both_types(says: Says) -> None:
    annotations = says("rename conn.retry.tries -> retry.attempts;")
    assert annotations.new_field_paths == {"conn.retry.tries": "retry.attempts"}
    (place,) = annotations.fields
    assert OLD.types[place.old].name == NEW.types[place.new].name == "conn"


def test_type_and_field_renames_go_together_in_any_order(says: Says) -> None:
    annotations = says("keep old item_v1.refs; rename item_v1.refs -> refcount; rename type item_v1 -> item;")
    assert annotations.new_type_names == {"item_v1": "item"}
    assert one_place(annotations, Treatment.KEEP_OLD) == ("item_v1.refs", ("refcount",))


def test_inner_renames_apply_inside_outer_paths(says: Says) -> None:
    annotations = says("rename struct settings.verbose -> verbosity; keep new settings.verbose;")
    assert one_place(annotations, Treatment.KEEP_NEW) == ("settings.verbose", ("verbosity",))
    (place,) = annotations.places(Treatment.KEEP_NEW)
    assert place.subject is Subject.VARIABLE


def test_renamed_function_static_is_named_with_its_function(says: Says) -> None:
    annotations = says("rename variable main::port -> main::listen_port; keep old main::port;")
    assert annotations.new_variable_names == {"main::port": "main::listen_port"}
    (place,) = annotations.places(Treatment.KEEP_OLD)
    assert NEW.variables[place.new].name == "listen_port"


def test_file_tells_statics_apart(says: Says) -> None:
    (place,) = says('counter "b.c"::lock;').places(Treatment.COUNTER)
    assert (OLD.variables[place.old].decl_file, NEW.variables[place.new].decl_file) == ("b.c", "b.c")


def test_two_structs_of_one_name_stay_apart(says: Says) -> None:
    (place,) = says('keep old "hiredis/dict.h"::dict.count;').places(Treatment.KEEP_OLD)
    assert (OLD.types[place.old].decl_file, NEW.types[place.new].decl_file) == ("deps/hiredis/dict.h",) * 2


def test_bare_name_is_a_variable_before_a_tag(says: Says) -> None:
    places = list(says("keep old settings.port; keep new struct settings.port;").rules)
    assert [rule.place.subject for rule in places] == [Subject.VARIABLE, Subject.TYPE]


def test_dropped_place_has_no_new_side(says: Says) -> None:
    (place,) = says("drop old_only;").places(Treatment.DROP)
    assert (place.new, place.new_path) == (-1, ())


def test_field_of_unnamed_union_is_found(says: Says) -> None:
    assert one_place(says("drop conn.as_long;"), Treatment.DROP)[0] == "conn.as_long"


def test_never_merge_and_libraries(says: Says) -> None:
    text = 'never merge type buf; never merge library "x*.so"; library "libevent*" points to conn;'
    annotations = says(text)
    assert "buf" in annotations.never_merge_types
    assert "x*.so" in annotations.never_merge_libraries
    (rule,) = [one for one in annotations.libraries if one.type_name == "conn"]
    assert OLD.types[rule.old_types[0]].name == NEW.types[rule.new_types[0]].name == "conn"


def test_free_types_are_indices_of_the_old_program(says: Says) -> None:
    assert [OLD.types[index].name for index in says("free free_chunk; free struct buf;").free_types] == [
        "free_chunk",
        "buf",
    ]


def test_pointers_to_plain_bytes_are_places_of_the_old_program(says: Says) -> None:
    places = says("bytes conn.rbuf; bytes log_line; bytes main::line; bytes session_t.note;").plain_pointers
    assert [one.key for one in places] == ["conn.rbuf", "log_line", "main::line", "session.note"]
    assert [one.new for one in places][1:] == [-1, -1, -1]


def test_policy_carries_what_free_and_bytes_say(says: Says) -> None:
    policy = Policy.of(says("free free_chunk; bytes conn.rbuf;"))
    assert policy.plain_fields == {"conn.rbuf"}
    flagged = [one.name for one in OLD.types if policy.shape_flags(one) & ShapeFlag.FREE]
    assert flagged == ["free_chunk"]


def test_a_free_type_is_never_merged_wherever_that_is_said(says: Says) -> None:
    for text in ("free buf;\nnever merge type buf;", "never merge type buf;\nfree buf;"):
        with pytest.raises(InvalidAnnotations, match="free memory in line"):
            says(text)


def test_built_in_rules_may_free_what_a_program_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = tmp_path / "libc.mcr"
    rules.write_text("free struct no_such; free free_chunk; bytes no.such; bytes conn.rbuf;")
    monkeypatch.setattr("gdb_mcr.annotations.load.rule_files", lambda: (rules,))
    annotations = load([], OLD, NEW)
    assert len(annotations.free_types) == len(annotations.plain_pointers) == 1


def test_all_errors_of_all_files_come_at_once(tmp_path: Path) -> None:
    texts = {"a.mcr": "keep old nothing;\nkep;", "b.mcr": "drop conn.fd;"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InvalidAnnotations) as caught:
        load([tmp_path / name for name in texts], OLD, NEW)
    assert {one.label for one in caught.value.problems} == {"unknown-name", "unknown-statement", "still-exists"}


def test_contradiction_between_files_names_the_other_file(tmp_path: Path) -> None:
    (tmp_path / "a.mcr").write_text("keep old conn.fd;")
    (tmp_path / "b.mcr").write_text("keep new conn.fd;")
    with pytest.raises(InvalidAnnotations, match=r"contradicts .*a\.mcr:1"):
        load([tmp_path / "a.mcr", tmp_path / "b.mcr"], OLD, NEW)


def test_renamed_and_dropped_is_a_contradiction(tmp_path: Path) -> None:
    file = tmp_path / "a.mcr"
    file.write_text("rename type item_v1 -> item; rename item_v1.refs -> refcount; drop item_v1.refs;")
    with pytest.raises(InvalidAnnotations, match="still has"):
        load([file], OLD, NEW)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\xff;", "byte 0 is not UTF-8"), (b" " * (MAX_BYTES + 1), "more than"), (None, "No such file")],
)
def test_unreadable_file_is_a_problem_with_its_reason(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "a.mcr"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidAnnotations, match=reason) as caught:
        parse_files([file])
    assert [one.label for one in caught.value.problems] == ["unreadable"]


def test_built_in_rules_may_name_what_a_program_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = tmp_path / "libc.mcr"
    rules.write_text("never merge type pthread_mutex_t; never merge type buf; keep new conn.fd; keep old no.such;")
    monkeypatch.setattr("gdb_mcr.annotations.load.rule_files", lambda: (rules,))
    annotations = load([], OLD, NEW)
    assert annotations.never_merge_types == {"buf"}
    assert [rule.place.key for rule in annotations.rules] == ["conn.fd"]
    assert annotations.statements == ()


def test_the_user_overrules_built_in_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules, mine = tmp_path / "libc.mcr", tmp_path / "mine.mcr"
    rules.write_text("keep new conn.fd;")
    mine.write_text("keep old conn.fd;")
    monkeypatch.setattr("gdb_mcr.annotations.load.rule_files", lambda: (rules,))
    (rule,) = load([mine], OLD, NEW).rules
    assert rule.treatment is Treatment.KEEP_OLD


def test_syntax_errors_in_built_in_rules_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = tmp_path / "libc.mcr"
    rules.write_text("never;")
    monkeypatch.setattr("gdb_mcr.annotations.load.rule_files", lambda: (rules,))
    with pytest.raises(InvalidAnnotations, match=r"libc\.mcr:1:6"):
        load([], OLD, NEW)
