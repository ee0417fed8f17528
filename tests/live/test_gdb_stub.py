"""Every name that tests/typings/gdb declares exists in the GDB at hand, so that mypy checks against the truth."""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path

STUB = Path(__file__).parents[1] / "typings" / "gdb" / "__init__.pyi"

# What subclasses define, and what GDB gives to instances only.
NOT_ON_THE_CLASS = {"Command", "MICommand", "Parameter", "Breakpoint", "Field"}


def declared() -> set[str]:
    """Dotted names that the stub declares, without those that only instances or subclasses have."""
    names: set[str] = set()
    for node in ast.parse(STUB.read_text()).body:
        name = declared_name(node)
        names.add(name)
        if isinstance(node, ast.ClassDef) and name not in NOT_ON_THE_CLASS and not name.endswith("Event"):
            names |= {f"{name}.{member}" for member in map(declared_name, node.body) if member}
    return names - {"", "MIResult"}


def declared_name(node: ast.stmt) -> str:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case _:
            return ""


def test_declared_names_exist_in_gdb(tmp_path: Path) -> None:
    names = sorted(declared())
    assert {"Frame.older", "Inferior.read_memory", "GdbError"} <= set(names)
    script = tmp_path / "probe.py"
    script.write_text(
        "import gdb, json, operator\n"
        "def is_missing(name):\n"
        "    try:\n"
        "        operator.attrgetter(name)(gdb)\n"
        "    except AttributeError:\n"
        "        return True\n"
        f"print(json.dumps([name for name in {names!r} if is_missing(name)]))\n"
    )
    command = ["gdb", "--nx", "--batch", "-iex", "set debuginfod enabled off", "-x", str(script)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert json.loads(answer) == []
