"""The house rules hold in this tree, and the checker finds each kind of breach in a fabricated one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import layers

ROOT = Path(__file__).parents[2]

Check = Callable[[Path], list[str]]


@pytest.mark.parametrize(
    "check", [layers.check_imports, layers.check_prints, layers.check_lengths, layers.check_top_level]
)
def test_this_tree_keeps_the_rules(check: Check) -> None:
    assert check(ROOT) == []


def test_every_room_of_the_checker_is_on_the_map() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    rooms = {room for layer in layers.LAYERS for room in layer if room}
    assert {room for room in rooms if room.replace(".", "/") not in page} == set()


def fabricate(root: Path, **files: str) -> Path:
    """Write ``files`` (path without suffix -> source) as a package under ``root``."""
    for name, source in files.items():
        path = root / "gdb_mcr" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return root


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("errors", "from gdb_mcr import model", "upward import: errors may not import model"),
        ("model/program", "import gdb_mcr.dwarf.reader", "upward import: model may not import dwarf"),
        ("debugger/base", "from gdb_mcr.debugger import mi_process", "upward import: debugger.base may not import"),
        ("tracing/plan", "from gdb_mcr.reinit.fds import Plan", "sideways import: tracing may not import reinit"),
        ("tracing/plan", "from ..reinit import fds", "sideways import: tracing may not import reinit"),
        ("dwarf/reader", "from gdb_mcr.engine import library", "sideways import: dwarf may not import engine"),
        ("engine/a", "def f():\n  import gdb_mcr.annotations", "sideways import: engine may not import annotations"),
        ("update/phases", "from gdb_mcr.commands import registry", "upward import: update may not import commands"),
        ("cellar/wine", "from gdb_mcr import errors", "cellar is no room"),
        ("update/a", "import gdb_mcr.cellar", "cellar is no room"),
        ("wiring", "import gdb", "only plugin, debugger.mi_commands may import gdb"),
        ("debugger/mi_process", "import gdb", "only plugin, debugger.mi_commands may import gdb"),
        ("tracing/roots", "from elftools.elf import elffile", "only dwarf may import elftools"),
        ("commands/check", "import lark", "only annotations may import lark"),
        ("debugger/mi_process", "from pygdbmi import gdbmiparser", "only debugger.mi_transport may import pygdbmi"),
        ("__main__", "import prompt_toolkit", "only console may import prompt_toolkit"),
        ("debugger/mi_commands", "import ctypes", "only engine, runtime_abi, proc may import ctypes"),
        ("debugger/mi_commands", "from gdb_mcr.model import program", "may import only engine, units, errors"),
        ("debugger/mi_commands", "from gdb_mcr.debugger import base", "may import only engine, units, errors"),
        ("units", "import numpy", "numpy is no dependency"),
        ("model/a", "if TYPE_CHECKING:\n  from gdb_mcr.update import session", "upward import"),
    ],
)
def test_forbidden_import_is_named_with_its_place(tmp_path: Path, module: str, source: str, complaint: str) -> None:
    (found,) = layers.check_imports(fabricate(tmp_path, **{module: source}))
    line = source.count("\n") + 1
    assert found.startswith(f"gdb_mcr/{module}.py:{line}: ")
    assert complaint in found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("__init__", "import sys"),
        ("paths", "from gdb_mcr.errors import McrError"),
        ("plugin", "import gdb\nfrom gdb_mcr import wiring, console, errors"),
        ("wiring", "from gdb_mcr import update, dwarf, engine\nfrom gdb_mcr.debugger import mi_process"),
        ("update/session", "from gdb_mcr.tracing import plan\nfrom gdb_mcr.debugger.base import Process"),
        ("dwarf/__init__", "from .reader import f\nfrom . import cache"),
        ("dwarf/reader", "import elftools.elf\nfrom gdb_mcr.model.program import Program\nfrom gdb_mcr import units"),
        ("debugger/mi_process", "from gdb_mcr.debugger import base, mi_transport\nfrom . import mi_records"),
        ("debugger/mi_commands", "import gdb\nimport gdb_mcr.engine.library\nfrom gdb_mcr.units import Range"),
        ("engine/library", "import ctypes"),
    ],
)
def test_allowed_import_passes(tmp_path: Path, module: str, source: str) -> None:
    assert layers.check_imports(fabricate(tmp_path, **{module: source})) == []


def test_print_outside_a_front_end_is_found(tmp_path: Path) -> None:
    root = fabricate(tmp_path, **{"update/session": "x = 1\nprint(x)", "console/loop": "print()", "plugin": "print()"})
    assert layers.check_prints(root) == ["gdb_mcr/update/session.py:2: only front ends print"]


@pytest.mark.parametrize(("lines", "complaints"), [(500, 0), (501, 1)])
@pytest.mark.parametrize("path", ["native/engine/a.c", "native/a.h", "tests/unit/test_a.py", "scripts/a.py"])
def test_long_file_is_found(tmp_path: Path, path: str, lines: int, complaints: int) -> None:
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text("x\n" * lines)
    assert len(layers.check_lengths(tmp_path)) == complaints


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A root with exactly the entries it should have, and what tools leave behind."""
    for name in layers.TOP_LEVEL:
        (tmp_path / name).touch()
    for name in (".git", ".venv"):
        (tmp_path / name).mkdir()
    (tmp_path / ".gitignore").write_text(".venv/\n*.pyc\n")
    return tmp_path


def test_top_level_as_listed_passes(house: Path) -> None:
    assert layers.check_top_level(house) == []


def test_extra_and_missing_top_level_entries_are_found(house: Path) -> None:
    (house / "setup.py").touch()
    (house / "LICENSE").unlink()
    assert layers.check_top_level(house) == ["setup.py: not in the list of ARCHITECTURE.md", "LICENSE: missing"]
