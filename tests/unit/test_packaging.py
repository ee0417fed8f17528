"""The packaging files agree with one another, and the build hook lists what belongs into a wheel."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The parsed pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """native/build_hook.py, which stands in no package, as a module."""
    spec = importlib.util.spec_from_file_location("build_hook", ROOT / "native" / "build_hook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_dependencies_are_those_that_the_package_imports(project: dict[str, Any]) -> None:
    names = {re.split(r"[<>=]", requirement)[0] for requirement in project["project"]["dependencies"]}
    assert names == {"pygdbmi", "pyelftools", "lark", "prompt_toolkit", "pygments", "capstone"}


def test_console_script_names_a_function(project: dict[str, Any]) -> None:
    module, _, function = project["project"]["scripts"]["mcr"].partition(":")
    source = (ROOT / Path(*module.split("."))).with_suffix(".py").read_text()
    assert re.search(rf"^def {function}\(", source, re.MULTILINE)


def test_makefile_and_hook_agree_on_products_and_directories(hook: ModuleType) -> None:
    makefile = (ROOT / "native" / "Makefile").read_text()
    products = re.search(r"^PRODUCTS := (.*)$", makefile, re.MULTILINE)
    assert products is not None
    sources = dict(re.findall(r"^SOURCES_(\S+) := \$\(wildcard (\w+)/\*\.c\)$", makefile, re.MULTILINE))
    assert set(products[1].split()) == set(hook.PRODUCTS)
    assert sources == hook.PRODUCTS


def put(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return str(path)


def test_extra_files_are_products_the_header_of_handlers_grammars_and_rules(hook: ModuleType, tmp_path: Path) -> None:
    put(tmp_path / "native/runtime/a.c")
    put(tmp_path / "native/launch/a.c")
    put(tmp_path / "grammar/rejected/bad.mcr")
    expected = {
        put(tmp_path / "native/build/libmcr.so"): "gdb_mcr/_native/libmcr.so",
        put(tmp_path / "native/build/mcr_launch"): "gdb_mcr/_native/mcr_launch",
        put(tmp_path / "native/mcr_handlers.h"): "gdb_mcr/_native/mcr_handlers.h",
        put(tmp_path / "grammar/mcr.lark"): "gdb_mcr/_grammar/mcr.lark",
        put(tmp_path / "grammar/rules/libc.mcr"): "gdb_mcr/_grammar/rules/libc.mcr",
    }
    assert hook.extra_files(tmp_path) == expected


def test_product_with_sources_that_was_not_built_fails_the_build(hook: ModuleType, tmp_path: Path) -> None:
    put(tmp_path / "native/engine/a.c")
    with pytest.raises(FileNotFoundError, match=r"libmcr_engine\.so was not built"):
        hook.extra_files(tmp_path)


def test_missing_compiler_is_said_in_a_sentence(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"make is needed to build gdb_mcr: install gcc, make"):
        hook.run_make(tmp_path)
