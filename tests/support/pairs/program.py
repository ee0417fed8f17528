"""Two versions of one program that has several pairs as its parts: source files, and builds of them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.pairs.sketch import Sketch, Version

SERVER = Path(__file__).resolve().parents[2] / "targets" / "pair_server.c"

_COMMON = """#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define WANT(condition) want(condition, #condition "; ", out)
static __attribute__((noinline)) void want(int is_right, const char *condition, FILE *out) {
    if (!is_right)
        fputs(condition, out);
}
"""
_FLAGS = ("-std=gnu11", "-O2", "-g", "-fPIE", "-pie", "-w")


class GeneratorError(Exception):
    """A generated program is wrong before any update."""


def build_pair(sketches: Sequence[Sketch], directory: Path) -> tuple[Path, Path]:
    """The old and the new program, built at once.

    :raises GeneratorError: the compiler refuses one.
    """
    builds: list[subprocess.Popen[bytes]] = []
    for name in ("old", "new"):
        place = directory / name
        place.mkdir(parents=True, exist_ok=True)
        for file, text in _sources(sketches, name).items():
            (place / file).write_text(text)
        (place / SERVER.name).write_text(SERVER.read_text())
        command = ["gcc", *_FLAGS, "-o", "server", SERVER.name, "a.c", "b.c"]
        builds.append(subprocess.Popen(command, cwd=place, stderr=subprocess.PIPE))
    for process in builds:
        _, errors = process.communicate(timeout=300)
        if process.returncode:
            raise GeneratorError(f"{directory}: {errors.decode()}")
    return directory / "old" / "server", directory / "new" / "server"


def _sources(sketches: Sequence[Sketch], name: str) -> dict[str, str]:
    files = {"parts.h": _COMMON, "list.h": "", "a.c": '#include "parts.h"\n', "b.c": '#include "parts.h"\n'}
    for one in sketches:
        version: Version = getattr(one, name)
        first, second = f"{one.tag}.h", f"{one.tag}_more.h"
        files[first] = "\n".join(version.header) + "\n" + _prototypes(one.tag)
        files[second] = "\n".join(version.second_header) + "\n"
        files["parts.h"] += f'#include "{second}"\n#include "{first}"\n'
        files["list.h"] += f"PART({one.tag})\n"
        files["a.c"] += "\n".join([*version.a, *_functions(one.tag, version)]) + "\n"
        files["b.c"] += "\n".join(version.b) + "\n"
    return files


def _prototypes(tag: str) -> str:
    return f"void {tag}_start(void);\nvoid {tag}_fill(void);\nvoid {tag}_check(FILE *out);\n"


def _functions(tag: str, version: Version) -> list[str]:
    parts = (("start", "void", version.start), ("fill", "void", version.fill), ("check", "FILE *out", version.check))
    return [
        "\n".join([f"void {tag}_{name}({taken}) {{", *(f"    {line}" for line in lines), "}"])
        for name, taken, lines in parts
    ]
