"""What is read from DWARF agrees with GDB, for optimised and plain code and for both DWARF versions in use."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from gdb_mcr.dwarf.frames import FunctionIndex
from gdb_mcr.dwarf.identity import identify
from gdb_mcr.dwarf.load import load_library, load_program
from gdb_mcr.dwarf.module_table import module_table
from gdb_mcr.dwarf.names import hash_names
from gdb_mcr.dwarf.needed import libraries
from gdb_mcr.dwarf.symbols import symbol_address
from gdb_mcr.dwarf.table_format import ABI_VERSION, HEADER, MAGIC, NAME_ROW, UNWIND_ROW
from gdb_mcr.errors import AnalysisError
from gdb_mcr.model.program import SiteRule
from tests.support.programs import site_types, variable

ROOT = Path(__file__).parents[2]
TARGETS = Path(__file__).parent / "targets"

BUILDS = [(level, version) for level in ("-O0", "-O2") for version in ("-gdwarf-5", "-gdwarf-4")]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def build(directory: Path, source: str, *flags: str) -> Path:
    """Compiles a target as a position-independent program with debug information."""
    program = directory / "program"
    command = ["gcc", "-g", "-fPIE", "-pie", "-pthread", *flags, str(TARGETS / source), "-o", str(program)]
    subprocess.run(command, check=True, timeout=60, capture_output=True, text=True, cwd=directory)
    return program


def run(*command: str) -> str:
    return subprocess.run(command, check=True, timeout=60, capture_output=True, text=True).stdout


@pytest.mark.parametrize(("level", "version"), BUILDS)
def test_layouts_agree_with_gdb(tmp_path: Path, level: str, version: str) -> None:
    program = build(tmp_path, "layouts.c", level, version)
    oracle = json.loads(run("gdb", "-nx", "-batch", "-x", str(ROOT / "tests/support/gdb_types.py"), str(program)))
    assert {"bits", "squeezed", "node", "any", "zero"} <= oracle.keys()
    types = load_program(program).types
    for name, expected in oracle.items():
        one = next(one for one in types.named(name) if one.members or not expected["fields"])
        found = []
        for member in one.members:
            inner = types.strip(member.type)
            assert inner is not None
            place = 8 * member.offset + member.bit_offset
            found.append([member.name, place, member.bit_size, inner.size])
        assert (one.size, found) == (expected["size"], expected["fields"]), name


@pytest.mark.parametrize(("level", "version"), BUILDS)
def test_variables_have_their_places(tmp_path: Path, level: str, version: str) -> None:
    path = build(tmp_path, "layouts.c", level, version)
    program = load_program(path)
    for name in ("list", "matrix", "hook", "squeezed"):
        assert variable(program, name).address == symbol_address(path, name)
        assert variable(program, name).external
    assert not variable(program, "counter").external
    assert variable(program, "matrix").size == 4 * 24
    assert {(one.function, one.ordinal) for one in program.variables if one.name == "calls"} == {
        ("by_first", 0),
        ("by_first", 1),
        ("by_second", 0),
    }
    assert len({one.address for one in program.variables if one.name == "calls"}) == 3
    assert variable(program, "per_thread").thread_local
    assert variable(program, "per_thread").address != variable(program, "hidden_per_thread").address
    assert not variable(program, "names").writable
    assert not variable(program, "table").writable
    assert not any(one.name == "declared_only" for one in program.variables)


def test_types_keep_what_names_and_values_say(tmp_path: Path) -> None:
    types = load_program(build(tmp_path, "layouts.c")).types
    color = next(one for one in types.named("color") if one.constants)
    assert color.constants == (("RED", 0), ("GREEN", 7), ("BLUE", -3))
    assert color.signed
    point = next(one for one in types.named("point") if one.members)
    assert point.size == 8, "an anonymous struct has the name of its typedef"
    node = next(one for one in types.named("node") if one.members)
    words = next(one for one in node.members if one.name == "words")
    outer = types[words.type]
    assert (outer.count, types[outer.target].count) == (2, 3)
    assert types[node.members[-1].type].count == 0
    (unknown,) = types.named("unknown")
    assert not unknown.complete


@pytest.mark.parametrize(("level", "version"), BUILDS)
def test_allocation_sites(tmp_path: Path, level: str, version: str) -> None:
    program = load_program(build(tmp_path, "sites.c", level, version))
    found = site_types(program)
    assert found["plain", "job"] == ("job", SiteRule.VARIABLE)
    assert found["wrapped", "job"] == ("job", SiteRule.VARIABLE)
    assert found["text_wrapper", "copy"][0] == "raw"
    assert found["global_pool", "the_pool"][0] == "pool"
    assert found["global_pool", "index_of_jobs"][0] == "pointer"
    for function in ("fill", "thread_body"):
        assert [name for (where, _), (name, _) in found.items() if where == function] == ["raw"], function
    assert [name for (where, _), (name, _) in found.items() if where == "name_it"] == ["raw"]
    assert "wrapper" not in {function for function, _ in found}, "the caller of a wrapper decides"
    assert "made_by_another" not in {function for function, _ in found}
    types = {one.name for one in (program.types[site.type] for site in program.sites if site.type >= 0)}
    assert types == {"job", "pool", ""}


def test_module_table_says_how_to_unwind_and_who_is_who(tmp_path: Path) -> None:
    path = build(tmp_path, "sites.c", "-O2")
    table = module_table(path)
    assert table.stat().st_mode & 0o777 == 0o600
    contents = table.read_bytes()
    magic, version, id_size, build_id, rows, row_count, names, name_count = HEADER.unpack_from(contents)
    assert (magic, version) == (MAGIC, ABI_VERSION)
    assert build_id[:id_size].hex() == identify(path).build_id
    unwind = list(UNWIND_ROW.iter_unpack(contents[rows : rows + row_count * UNWIND_ROW.size]))
    named = list(NAME_ROW.iter_unpack(contents[names : names + name_count * NAME_ROW.size]))
    assert unwind == sorted(unwind)
    assert [one[0] for one in named] == sorted({one[0] for one in named})
    by_pc = {pc: (flags, value) for pc, flags, value in named}
    assert by_pc[symbol_address(path, "wrapper")] == (1, hash_names(("wrapper",)))
    assert by_pc[symbol_address(path, "text_wrapper")] == (0, hash_names(("text_wrapper",)))
    assert by_pc[symbol_address(path, "plain")] == (0, hash_names(("plain",)))
    at_entry = next(word for pc, word in unwind if pc == symbol_address(path, "plain"))
    assert (at_entry & 3, at_entry >> 2 & 0x7FFF, at_entry >> 17) == (1, 1, 0), "CFA = rsp + 8 on entry"
    assert FunctionIndex.of(path).at(symbol_address(path, "plain") + 1) == ("plain",)


def test_abi_constants_are_those_of_the_header() -> None:
    header = (ROOT / "native" / "mcr_abi.h").read_text()
    values = dict(re.findall(r"^#define (MCR_\w+)\s+(0x[0-9a-f]+|\d+)u?l*\b", header, re.MULTILINE))
    assert int(values["MCR_ABI_VERSION"], 0) == ABI_VERSION
    assert int(values["MCR_MODULE_TABLE_MAGIC"], 0) == MAGIC
    assert int(values["MCR_NAME_WRAPPER"], 0) == 1


def test_hash_is_that_of_the_header(tmp_path: Path) -> None:
    source = tmp_path / "hash.c"
    source.write_text(
        '#include "mcr_abi.h"\n#include <stdio.h>\n'
        'int main(void) { printf("%llx", (unsigned long long)mcr_hash("inner\\0outer", 12, MCR_HASH_START)); }\n'
    )
    run("gcc", "-I", str(ROOT / "native"), str(source), "-o", str(tmp_path / "hash"))
    assert int(run(str(tmp_path / "hash")), 16) == hash_names(("inner", "outer"))


def test_libraries_are_listed_and_named_by_symbols(tmp_path: Path) -> None:
    path = build(tmp_path, "sites.c", "-O2")
    names = {one.name: one for one in libraries(path)}
    libc = load_library(names["libc.so.6"])
    assert not libc.types
    assert symbol_address(names["libc.so.6"], "malloc") in {
        one.start for one in libc.functions if one.name in ("malloc", "__libc_malloc")
    }
    index = FunctionIndex.of(names["libc.so.6"])
    assert index.at(symbol_address(names["libc.so.6"], "strdup")) == ("strdup",)


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (("-no-pie", "-fno-pie"), "not position-independent"),
        (("-s",), "no debug information"),
        (("-gsplit-dwarf",), "split off"),
    ],
)
def test_what_cannot_be_updated_is_said(tmp_path: Path, flags: tuple[str, ...], complaint: str) -> None:
    path = build(tmp_path, "sites.c", *flags)
    with pytest.raises(AnalysisError, match=complaint) as caught:
        load_program(path)
    assert caught.value.hint


def test_program_without_build_id_has_one_all_the_same(tmp_path: Path) -> None:
    path = build(tmp_path, "sites.c", "-Wl,--build-id=none")
    assert re.fullmatch(r"[0-9a-f]{40}", identify(path).build_id)
