"""Loops in what a compiler makes of tests/targets/loops.c, which says itself in how many each call stands."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gdb_mcr.dwarf.code_image import CodeImage
from gdb_mcr.dwarf.load import load_library
from gdb_mcr.machine_code.decoder import Flow, decode
from gdb_mcr.quiescence.function_flow import Flows
from tests.support.preloaded import TARGETS

FUNCTIONS = (
    *("nested", "one_behind_the_other", "state_machine", "gives_up", "gives_up_elsewhere"),
    *("entered_twice", "unlikely_work", "inlined"),
)


@dataclass(frozen=True)
class Compiled:
    code: CodeImage
    flows: Flows
    places: dict[str, list[tuple[int, int]]]
    """[start, end) of each function's parts."""

    def marks(self, function: str) -> Iterator[tuple[int, int]]:
        """Address of each call of depth_N() in a function, and N."""
        depths = {self.places[name][0][0]: int(name[-1]) for name in self.places if re.fullmatch(r"depth_\d", name)}
        for start, end in self.places[function]:
            for one in decode(self.code.read(start, end - start), start):
                if one.flow in (Flow.CALL, Flow.JUMP) and one.target in depths:
                    yield one.address, depths[one.target]


@pytest.fixture(scope="module", params=["-O0", "-O1", "-O2", "-O3", "-Os", "-O2 -fno-plt -fcf-protection=none"])
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    binary = tmp_path_factory.mktemp("loops") / "loops"
    options = request.param.split()
    command = ["gcc", "-g", *options, "-Wl,--build-id", "-o", str(binary), str(TARGETS / "loops.c")]
    subprocess.run(command, check=True, timeout=60)
    code = CodeImage(Path(binary))
    places: dict[str, list[tuple[int, int]]] = {}
    for one in load_library(binary).functions:
        places.setdefault(one.name, []).append((one.start, one.end))
    return Compiled(code, Flows(code), places)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_call_stands_in_as_many_loops_as_the_source_says(compiled: Compiled, function: str) -> None:
    marks = list(compiled.marks(function))
    flow = compiled.flows.at(compiled.places[function][0][0])
    assert marks
    assert [(hex(at), len(flow.loops_at(at))) for at, _ in marks] == [(hex(at), depth) for at, depth in marks]


@pytest.mark.parametrize(
    ("function", "returns"), [("nested", True), ("state_machine", True), ("gives_up", False), ("fail", False)]
)
def test_functions_that_never_return_are_known(compiled: Compiled, function: str, returns: bool) -> None:
    start = compiled.places[function][0][0]
    assert compiled.flows.at(start).returns is returns
