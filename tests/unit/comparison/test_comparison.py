"""Two builds of a made-up server: what continues, what differs, what that speaks against."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gdb_mcr.annotations.load import load
from gdb_mcr.comparison.differences import differences
from gdb_mcr.comparison.match import match_programs
from gdb_mcr.comparison.static_findings import common_percent, static_findings
from gdb_mcr.model.annotation import Annotations
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.program import Function, Program
from tests.support.small_programs import new_program, old_program
from tests.support.type_builder import Types


def _with_functions(program: Program, *names: str, imports: frozenset[str] = frozenset()) -> Program:
    functions = tuple(Function(name, 16 * n, 16 * n + 16, "main.c") for n, name in enumerate(names))
    return replace(program, functions=functions, imports=imports)


def _ids(findings: tuple[Finding, ...]) -> set[str]:
    return {one.id for one in findings}


@pytest.fixture(scope="module")
def old() -> Program:
    """Version 1."""
    return _with_functions(old_program(), "main", "serve", "gone")


@pytest.fixture(scope="module")
def new() -> Program:
    """Version 2."""
    return _with_functions(new_program(), "serve", "main", "added")


def test_match_when_two_structs_share_a_name_then_the_file_decides(old: Program, new: Program) -> None:
    match = match_programs(old, new, Annotations())
    dicts = {one.decl_file: one.index for one in old.types.named("dict")}
    targets = {new.types[match.types[index]].decl_file for index in dicts.values()}
    assert targets == set(dicts) == {"src/dict.h", "deps/hiredis/dict.h"}


def test_match_when_statics_share_a_name_then_the_file_decides(old: Program, new: Program) -> None:
    match = match_programs(old, new, Annotations())
    locks = [index for index, one in enumerate(old.variables) if one.name == "lock"]
    assert [new.variables[match.variables[index]].decl_file for index in locks] == ["a.c", "b.c"]


def test_match_when_functions_are_reordered_then_pairs_them_by_name(old: Program, new: Program) -> None:
    match = match_programs(old, new, Annotations())
    assert {old.functions[a].name: new.functions[b].name for a, b in match.functions.items()} == {
        "main": "main",
        "serve": "serve",
    }


def test_findings_when_names_are_gone_then_tells_each_until_an_annotation_settles_it(
    old: Program, new: Program, tmp_path: Path
) -> None:
    bare = Annotations()
    told = _ids(static_findings(old, new, match_programs(old, new, bare), bare))
    assert {"R1:conn", "R2:conn.rbuf", "R2:old_only", "R2:cur_time"} <= told
    file = tmp_path / "a.mcr"
    file.write_text("rename conn.rbuf -> read_buffer;\nrename variable cur_time -> current_time;\ndrop old_only;\n")
    settled = load([file], old, new)
    left = _ids(static_findings(old, new, match_programs(old, new, settled), settled))
    assert told - left == {"R2:conn.rbuf", "R2:old_only", "R2:cur_time"}
    assert left <= told


def test_findings_when_nothing_changed_then_none(old: Program) -> None:
    match = match_programs(old, old, Annotations())
    assert static_findings(old, old, match, Annotations()) == ()
    assert differences(old, old, match) == ()
    assert common_percent(old, old, match) == 100


def test_findings_when_processes_became_threads_then_refuses_for_certain(old: Program) -> None:
    forking = replace(old, imports=frozenset({"fork", "accept"}))
    threaded = replace(old, imports=frozenset({"pthread_create", "accept"}))
    (finding,) = static_findings(forking, threaded, match_programs(forking, threaded, Annotations()), Annotations())
    assert (finding.id, finding.certain) == ("R8:process-model", True)


def test_findings_when_two_programs_have_nothing_in_common_then_says_only_that(old: Program) -> None:
    other = replace(_with_functions(old, "a", "b", "c"), variables=())
    (finding,) = static_findings(old, other, match_programs(old, other, Annotations()), Annotations())
    assert (finding.id, finding.certain) == ("R8:program", True)


def test_findings_when_two_programs_have_only_a_main_in_common_then_says_only_that(old: Program) -> None:
    server, other = _with_functions(old, "main", "serve"), replace(_with_functions(old, "main", "f"), variables=())
    (finding,) = static_findings(server, other, match_programs(server, other, Annotations()), Annotations())
    assert finding.id == "R8:program"


def test_differences_when_a_member_moves_then_one_line_for_it_and_for_the_size(old: Program, new: Program) -> None:
    changes = {one.name: one for one in differences(old, new, match_programs(old, new, Annotations()))}
    buffer = changes["struct buf"]
    assert (buffer.subject, buffer.what) == ("type", "changed")
    assert buffer.details == ("size 16 -> 24 bytes", "+ long size at 16")
    assert changes["gone"].what == "removed"
    assert changes["added"].what == "added"
    assert changes["old_only"].subject == "variable"


def _two_shapes_of_one_name(*, swapped: bool) -> Types:
    types = Types()
    shapes = [("tm_zone", types.long), ("__tm_zone", types.long)]
    for field, one in reversed(shapes) if swapped else shapes:
        types.struct("tm", 8, (field, 0, one))
    return types


def test_match_when_one_header_declares_two_shapes_then_the_shape_decides(old: Program) -> None:
    before = replace(old, types=_two_shapes_of_one_name(swapped=False).table(), variables=())
    after = replace(old, types=_two_shapes_of_one_name(swapped=True).table(), variables=())
    match = match_programs(before, after, Annotations())
    assert {before.types[a].members[0].name: after.types[b].members[0].name for a, b in match.types.items()} == {
        "tm_zone": "tm_zone",
        "__tm_zone": "__tm_zone",
    }


def _entry_with_enum(**constants: int) -> Types:
    types = Types()
    enum = types.enum("directive", **constants)
    types.struct("entry", 16, ("name", 0, types.pointer(types.char)), ("value", 8, enum))
    return types


def test_findings_when_an_enum_is_renumbered_then_tells_it_once_and_not_of_structs_that_hold_it(old: Program) -> None:
    before = replace(old, types=_entry_with_enum(FIRST=0, LAST=1).table(), variables=())
    after = replace(old, types=_entry_with_enum(FIRST=0, NEXT=1, LAST=2).table(), variables=())
    match = match_programs(before, after, Annotations())
    (finding,) = static_findings(before, after, match, Annotations())
    assert finding.id == "R10:directive"
    assert "LAST = 1 -> 2" in finding.text
    assert "NEXT" not in finding.text
    assert [one.name for one in differences(before, after, match)] == ["directive"]
