"""The native products are linked as their rooms need: read with binutils, not trusted to the Makefile."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "native"
MAP = NATIVE / "runtime" / "libmcr.map"

needs_runtime = pytest.mark.skipif(not MAP.exists(), reason="libmcr.so is not complete: it has no version script")


def output(*arguments: str) -> str:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True).stdout


def product(name: str) -> str:
    path = NATIVE / "build" / name
    assert path.is_file(), "run make -C native"
    return str(path)


@needs_runtime
def test_libmcr_starts_first_and_binds_nothing_lazily() -> None:
    """Its hooks run before all other constructors and inside signal handlers. Source: ld.so, DF_1_INITFIRST."""
    dynamic = output("readelf", "--wide", "--dynamic", product("libmcr.so"))
    flags = re.search(r"\(FLAGS_1\)\s+Flags: (.*)", dynamic)
    assert flags is not None
    assert {"NOW", "INITFIRST"} <= set(flags[1].split())
    assert "(TEXTREL)" not in dynamic


@needs_runtime
def test_libmcr_needs_only_libc_and_no_dynamic_tls() -> None:
    """__tls_get_addr may allocate, and so come back into the allocator that asked."""
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "--wide", "--dynamic", product("libmcr.so")))
    assert set(needed) <= {"libc.so.6", "ld-linux-x86-64.so.2"}
    assert "__tls_get_addr" not in output("nm", "--dynamic", "--undefined-only", product("libmcr.so"))


@needs_runtime
def test_libmcr_has_no_unknown_symbol() -> None:
    assert "undefined symbol" not in output("ldd", "-r", product("libmcr.so"))


@needs_runtime
def test_libmcr_exports_what_its_map_lists() -> None:
    text = re.sub(r"/\*.*?\*/|#.*", "", MAP.read_text(), flags=re.DOTALL)
    listed = set(re.findall(r"[\w]+(?=;)", text.partition("global:")[2].partition("local:")[0]))
    exported = output("nm", "--dynamic", "--defined-only", "--format=posix", product("libmcr.so"))
    names = {line.partition(" ")[0].partition("@")[0] for line in exported.splitlines()}
    assert {name for name in names if not name.startswith("MCR_")} == listed


def test_engine_exports_only_its_own_names() -> None:
    """It is loaded into GDB, whose symbols it must not replace."""
    exported = output("nm", "--dynamic", "--defined-only", "--format=posix", product("libmcr_engine.so"))
    names = {line.partition(" ")[0] for line in exported.splitlines()}
    assert names
    assert {name for name in names if not name.startswith("mcr_")} == set()


def test_no_product_has_an_executable_stack() -> None:
    for path in (NATIVE / "build").iterdir():
        if path.is_file():
            stack = re.search(r"GNU_STACK.*", output("readelf", "--wide", "--segments", str(path)))
            assert stack is not None
            assert "RWE" not in stack[0], path
