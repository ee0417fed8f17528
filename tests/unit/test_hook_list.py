"""Each function that libmcr stands in front of is exported; a hook that is not would never be called."""

from __future__ import annotations

import re
from pathlib import Path

RUNTIME = Path(__file__).parents[2] / "native" / "runtime"
ALLOCATOR = {
    *("malloc", "free", "calloc", "realloc", "reallocarray", "memalign", "aligned_alloc", "posix_memalign"),
    *("valloc", "pvalloc", "malloc_usable_size"),
}


def hooked() -> set[str]:
    """The names of hook_list.h."""
    text = (RUNTIME / "hook_list.h").read_text()
    return set(re.findall(r"^ +X\((\w+),", text, flags=re.MULTILINE))


def exported() -> set[str]:
    """The names of libmcr.map."""
    text = re.sub(r"/\*.*?\*/", "", (RUNTIME / "libmcr.map").read_text(), flags=re.DOTALL)
    return set(re.findall(r"\w+(?=;)", text.partition("global:")[2].partition("local:")[0]))


def test_map_exports_the_hooks_the_allocator_and_the_control_block() -> None:
    assert len(hooked()) > 100
    assert exported() == hooked() | ALLOCATOR | {"mcr_control"}


def test_map_gives_no_version() -> None:
    """ld.so would not take a symbol with a version of ours for libc's (glibc, elf/dl-lookup.c, check_match)."""
    text = re.sub(r"/\*.*?\*/", "", (RUNTIME / "libmcr.map").read_text(), flags=re.DOTALL)
    assert text.strip().startswith("{")


def test_each_hook_has_one_definition() -> None:
    sources = "".join(path.read_text() for path in RUNTIME.glob("*.c"))
    defined = re.findall(r"\bmcr_hook_(\w+)\([^;]*?\) \{", sources)
    assert hooked() <= set(defined)
