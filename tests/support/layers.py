"""The house rules that can be read off the source: who imports whom, who prints, how long files are.

Rooms and layers are those of ARCHITECTURE.md, "Layers". Every check takes a root directory and returns complaints, one
sentence each with the file and the line, so that the rules themselves can be tested on small fabricated trees.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

PACKAGE = "gdb_mcr"

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"plugin", "console", "__main__"}),
    frozenset({"wiring"}),
    frozenset({"commands"}),
    frozenset({"render"}),
    frozenset({"update"}),
    frozenset({"quiescence", "reinit", "tracing", "comparison"}),
    frozenset({"debugger", "dwarf", "annotations", "runtime_abi", "engine", "proc", "machine_code"}),
    frozenset({"debugger.base"}),
    frozenset({"model"}),
    frozenset({"errors", "units", "paths", "source", ""}),
)
"""Rooms from the top down; "" is the package's own __init__."""

SIDEWAYS_ALLOWED = frozenset({"plugin", "console", "__main__", "errors", "units", "paths", "source", ""})
"""Rooms that may import others of their own layer."""

THIRD_PARTY = {
    "gdb": ("plugin", "debugger.mi_commands"),
    "elftools": ("dwarf",),
    "lark": ("annotations",),
    "pygdbmi": ("debugger.mi_transport",),
    "prompt_toolkit": ("console",),
    "pygments": ("console",),
    "capstone": ("machine_code",),
    "ctypes": ("engine", "runtime_abi", "proc"),
}
"""Module from outside to the rooms or modules that may import it; of the standard library only ctypes."""

MI_COMMANDS = "debugger.mi_commands"
MI_COMMANDS_MAY = ("engine", "units", "errors")
"""debugger/mi_commands.py runs inside a child GDB, where the package's dependencies are not installed."""

PRINTERS = ("plugin", "console", "__main__")
MAX_LINES = 500

TOP_LEVEL = frozenset(
    {
        "gdb_mcr",
        "grammar",
        "native",
        "tests",
        "scripts",
        "docs",
        ".ci",
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "GLOSSARY.md",
        "LICENSE",
        "pyproject.toml",
        ".gitignore",
        ".clang-format",
    }
)


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file of the package; ``name`` is relative to the package: "dwarf.reader", "" for __init__."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def room(self) -> str:
        """The room it stands in, one of LAYERS' names if it is known."""
        return room_of(self.name)


def room_of(name: str) -> str:
    """Room of the module or imported name ``name``, which may go on below the module ("units.Range")."""
    if name == "debugger.base" or name.startswith("debugger.base."):
        return "debugger.base"
    return name.partition(".")[0]


def modules(root: Path) -> Iterator[Module]:
    """Every Python file of the package under ``root``, parsed."""
    package = root / PACKAGE
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield Module(name, path, ast.parse(path.read_text(), str(path)))


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of all that ``module`` imports, inside functions and TYPE_CHECKING blocks too."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute_base(module, node)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def check_imports(root: Path) -> list[str]:
    """Imports that go up or sideways, or reach outside where the room may not."""
    return [
        f"{module.path.relative_to(root)}:{line}: {complaint}"
        for module in modules(root)
        for line, name in imports(module)
        if (complaint := _import_complaint(module, name))
    ]


def check_prints(root: Path) -> list[str]:
    """Calls of print() outside the front ends."""
    return [
        f"{module.path.relative_to(root)}:{node.lineno}: only front ends print"
        for module in modules(root)
        if module.room not in PRINTERS
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def check_lengths(root: Path) -> list[str]:
    """Python and C files of more than MAX_LINES lines."""
    lengths = ((path, len(path.read_bytes().splitlines())) for path in _source_files(root))
    return [
        f"{path.relative_to(root)}: {length} lines, more than {MAX_LINES}: split it"
        for path, length in lengths
        if length > MAX_LINES
    ]


def check_top_level(root: Path) -> list[str]:
    """Entries of ``root`` that should not be there or are missing. What .gitignore names does not count."""
    patterns = [line.rstrip("/") for line in (root / ".gitignore").read_text().splitlines() if line]
    present = {entry.name for entry in root.iterdir() if entry.name != ".git"}
    counted = {name for name in present if not any(fnmatch(name, pattern) for pattern in patterns)}
    return [
        *(f"{name}: not in the list of ARCHITECTURE.md" for name in sorted(counted - TOP_LEVEL)),
        *(f"{name}: missing" for name in sorted(TOP_LEVEL - counted)),
    ]


def _import_complaint(module: Module, name: str) -> str:
    top, _, rest = name.partition(".")
    if top != PACKAGE:
        return _outside_complaint(module, top)
    importer, imported = module.room, room_of(rest)
    if module.name == MI_COMMANDS and imported not in (*MI_COMMANDS_MAY, ""):
        return f"{MI_COMMANDS} may import only {', '.join(MI_COMMANDS_MAY)}, not {imported}"
    for room in (importer, imported):
        if _layer(room) is None:
            return f"{room} is no room of ARCHITECTURE.md"
    return _direction_complaint(module, importer, imported)


def _direction_complaint(module: Module, importer: str, imported: str) -> str:
    if importer == imported or (module.name == MI_COMMANDS and imported == "engine"):
        return ""
    above, below = _layer(importer), _layer(imported)
    assert above is not None
    assert below is not None
    if below < above:
        return f"upward import: {importer} may not import {imported}"
    if below == above and importer not in SIDEWAYS_ALLOWED:
        return f"sideways import: {importer} may not import {imported}"
    return ""


def _outside_complaint(module: Module, top: str) -> str:
    if top in THIRD_PARTY:
        may = THIRD_PARTY[top]
        return "" if module.name in may or module.room in may else f"only {', '.join(may)} may import {top}"
    return "" if top in sys.stdlib_module_names else f"{top} is no dependency of the package"


def _layer(room: str) -> int | None:
    return next((number for number, rooms in enumerate(LAYERS) if room in rooms), None)


def _absolute_base(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    here = [PACKAGE, *filter(None, module.name.split("."))]
    package = here if module.path.name == "__init__.py" else here[:-1]
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def _source_files(root: Path) -> Iterable[Path]:
    for top in sorted(entry for entry in root.iterdir() if entry.name in TOP_LEVEL and entry.is_dir()):
        for path in sorted(top.rglob("*")):
            is_built = "build" in PurePosixPath(path.relative_to(root)).parts
            if path.suffix in (".py", ".pyi", ".c", ".h") and path.is_file() and not is_built:
                yield path
