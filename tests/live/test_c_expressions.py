"""Expressions of handlers mean what they mean in C: gcc and the engine are asked for the same values."""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from gdb_mcr.annotations.load import load
from gdb_mcr.dwarf.load import load_program
from gdb_mcr.model.datatype import TypeKind, TypeTable
from gdb_mcr.model.program import Program
from gdb_mcr.tracing.policy import Policy
from tests.support.c_expressions import LAYOUT, STRUCT, expression, random_object
from tests.support.transfer_rig import Rig
from tests.support.type_builder import Types

pytestmark = pytest.mark.live

EXPRESSIONS, OBJECTS = 120, 8
SEEDS = (1, 2, 3)


class TypesOfProgram(Types):
    """The types of a program that was compiled, where `Rig` wants a builder."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self._program = program

    def table(self) -> TypeTable:
        return self._program.types

    @property
    def struct_s(self) -> int:
        return next(one.index for one in self.table().named("s"))

    @property
    def pointer_to_s(self) -> int:
        return next(one.index for one in self.table() if one.kind is TypeKind.POINTER and one.target == self.struct_s)


def compiled(directory: Path, name: str, source: str) -> Path:
    (directory / f"{name}.c").write_text(source)
    options = ("-g", "-O0", "-fwrapv", "-w", "-fPIE", "-pie")
    subprocess.run(["gcc", *options, "-o", name, f"{name}.c"], cwd=directory, check=True, timeout=60)
    return directory / name


def old_source(texts: Sequence[str], objects: Sequence[bytes]) -> str:
    functions = "".join(
        f"static unsigned long f{n}(void) {{ return (unsigned long){text}; }}\n" for n, text in enumerate(texts)
    )
    calls = "".join(f"show(f{n}());" for n in range(len(texts)))
    data = ",".join(str(byte) for one in objects for byte in one)
    return f"""
#include <stdint.h>
#include <stdio.h>
#include <string.h>
{STRUCT}
struct s *p;
static struct s old;
static void show(unsigned long value) {{ fwrite(&value, 8, 1, stdout); }}
{functions}
static const unsigned char objects[] = {{ {data} }};
int main(void) {{
    for (unsigned long at = 0; at < sizeof(objects); at += sizeof(old)) {{
        memcpy(&old, objects + at, sizeof(old));
        {calls}
    }}
    return 0;
}}
"""


def engine_values(old: Program, new: Program, policy: Policy, data: bytes) -> bytes:
    """What the handler makes of one object."""
    before, after = TypesOfProgram(old), TypesOfProgram(new)
    rig = Rig(before, after, policy, {before.struct_s: after.struct_s})
    rig.variable(0, before.pointer_to_s, 0, after.pointer_to_s)
    size = 8 * EXPRESSIONS
    struct.pack_into("<Q", rig.theirs, 0, rig.chunk(0, len(data), capacity=size))
    rig.heap[: len(data)] = data
    outcome = rig.run()
    assert outcome.events == []
    return bytes(outcome.heap[:size])


@pytest.mark.parametrize("seed", SEEDS)
def test_values_are_those_of_c(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    texts = [expression(chance) for _ in range(EXPRESSIONS)]
    objects = [random_object(chance) for _ in range(OBJECTS)]
    old = compiled(tmp_path, "old", old_source(texts, objects))
    new = compiled(
        tmp_path, "new", f"struct s {{ unsigned long r[{EXPRESSIONS}]; }}; struct s *p; int main(void) {{ return 0; }}"
    )
    steps = "\n".join(f"new.r[{n}] = (unsigned long){text};" for n, text in enumerate(texts))
    (tmp_path / "a.mcr").write_text(f"transfer struct s {{\n{steps}\n}}\n")
    programs = load_program(old), load_program(new)
    policy = Policy.of(load([tmp_path / "a.mcr"], *programs))
    answer = subprocess.run([old], capture_output=True, check=True, timeout=60).stdout
    assert len(answer) == 8 * EXPRESSIONS * OBJECTS
    for number, data in enumerate(objects):
        expected = struct.unpack(f"<{EXPRESSIONS}Q", answer[8 * EXPRESSIONS * number :][: 8 * EXPRESSIONS])
        found = struct.unpack(f"<{EXPRESSIONS}Q", engine_values(*programs, policy, data))
        wrong = [(text, one, other) for text, one, other in zip(texts, expected, found, strict=True) if one != other]
        assert wrong == [], struct.unpack(LAYOUT, data)
