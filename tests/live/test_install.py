"""gdb_mcr can be installed: into an empty virtual environment with all it needs inside the package, and editable."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCTS = {
    "runtime": "libmcr.so",
    "engine": "libmcr_engine.so",
    "gdbshim": "libmcr_gdbshim.so",
    "launch": "mcr_launch",
}

TIMEOUT_S = 300.0

# Runs in the new environment: where paths.py finds things, and whether each library can be loaded there.
PROBE = """
import ctypes, json, os, sys
from gdb_mcr import paths
found = {name: str(paths.native_library(name)) for name in sys.argv[1].split()}
found |= {name: str(paths.grammar_file(name)) for name in sys.argv[2].split()}
if "libmcr_engine.so" in found:
    ctypes.CDLL(found["libmcr_engine.so"])
if "mcr_launch" in found:
    assert os.access(found["mcr_launch"], os.X_OK)
print(json.dumps(found))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of this source tree without anything built, as a fresh clone has it."""
    copy = tmp_path / "tree"
    left_out = shutil.ignore_patterns(".git", ".venv", "__pycache__", "build", ".*_cache", "*.egg-info")
    shutil.copytree(ROOT, copy, ignore=left_out, symlinks=True)
    return copy


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of an empty virtual environment."""
    run([sys.executable, "-m", "venv", str(tmp_path / "venv")], tmp_path)
    return tmp_path / "venv" / "bin" / "python"


def run(arguments: Sequence[str], directory: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        arguments, cwd=directory, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def expected_products(tree: Path) -> list[str]:
    return [name for directory, name in PRODUCTS.items() if any((tree / "native" / directory).glob("*.c"))]


def expected_grammars(tree: Path) -> list[str]:
    grammar = tree / "grammar"
    return [str(path.relative_to(grammar)) for path in (*grammar.glob("*.lark"), *grammar.glob("rules/*.mcr"))]


def probe(python: Path, tree: Path, directory: Path) -> dict[str, Path]:
    names = [" ".join(expected_products(tree)), " ".join(expected_grammars(tree))]
    answer: dict[str, str] = json.loads(run([str(python), "-c", PROBE, *names], directory))
    return {name: Path(path) for name, path in answer.items()}


@pytest.mark.slow
def test_installed_package_carries_libraries_and_grammar(tree: Path, python: Path, tmp_path: Path) -> None:
    run([str(python), "-m", "pip", "install", "-q", str(tree)], tmp_path)
    wanted = [*expected_products(tree), *expected_grammars(tree)]
    found = probe(python, tree, tmp_path)
    assert sorted(found) == sorted(wanted)
    site_packages = python.parents[1] / "lib"
    assert all(path.is_relative_to(site_packages) for path in found.values()), found
    assert {path.parent.name for path in found.values()} <= {"_native", "_grammar", "rules"}
    shutil.rmtree(tree)
    assert run([str(python.with_name("mcr")), "--version"], tmp_path).startswith("mcr 0.")
    gdbinit = run([str(python.with_name("mcr")), "gdbinit"], tmp_path).strip()
    assert "mcr-update" in run(["gdb", "--nx", "-batch", "-ex", f"source {gdbinit}", "-ex", "help mcr"], tmp_path)


@pytest.mark.slow
def test_editable_install_uses_the_source_tree(tree: Path, python: Path, tmp_path: Path) -> None:
    run([str(python), "-m", "pip", "install", "-q", "-e", str(tree)], tmp_path)
    found = probe(python, tree, tmp_path)
    assert all(path.is_relative_to(tree) for path in found.values()), found
    assert {found[name].parent for name in expected_products(tree)} <= {tree / "native" / "build"}
    assert run([str(python.with_name("mcr")), "--version"], tmp_path).startswith("mcr 0.")
