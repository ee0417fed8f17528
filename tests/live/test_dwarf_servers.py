"""Real servers have the types, variables and allocation sites that their sources say."""

from __future__ import annotations

import time

import pytest

from gdb_mcr.dwarf.analysis import analyse
from gdb_mcr.dwarf.elf import ElfImage
from gdb_mcr.dwarf.identity import identity_of
from gdb_mcr.dwarf.load import load_program
from tests.support.programs import site_types, variable
from tests.support.servers import server_binary


@pytest.mark.parametrize(("version", "size"), [("1.6.18-1+deb12u1", 496), ("1.6.38-1", 440)])
def test_memcached_has_its_known_shape(version: str, size: int) -> None:
    program = load_program(server_binary("memcached", version))
    (conn,) = [one for one in program.types.named("conn") if one.members]
    assert (conn.size, conn.decl_file) == (size, "memcached.h")
    assert variable(program, "settings").external
    assert variable(program, "use_accept4", "drive_machine").decl_file == "memcached.c"
    typed = site_types(program)
    assert typed["conn_new", "c"][0] == "conn"
    assert typed["dispatch_conn_new", "item"][0] in ("CQ_ITEM", "conn_queue_item")
    assert typed["do_slabs_newslab", "ptr"][0] == "raw"
    assert not [one for one in program.functions if ".cold" in one.name or ".part" in one.name]


@pytest.mark.slow
def test_redis_has_its_known_shape_in_time() -> None:
    image = ElfImage(server_binary("redis", "7.0.15-1~deb12u10"))
    start = time.monotonic()
    program = analyse(image, identity_of(image)).program
    assert time.monotonic() - start < 10, "DESIGN section 16: ANALYZE within 10 s"
    assert {one.decl_file for one in program.types.named("dictEntry") if one.members} == {
        "src/dict.h",
        "deps/hiredis/dict.h",
    }
    typed = site_types(program)
    assert typed["createObject", "o"][0] == "robj"
    assert "zmalloc" not in {function for function, _ in typed}
    assert not [one for one in program.sites if one.function == "_sdsnewlen" and one.type >= 0]
