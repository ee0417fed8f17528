"""Hatchling build hook: compiles ``native/`` and puts its products and the grammar into the wheel.

A standard wheel carries them as ``gdb_mcr/_native/`` and ``gdb_mcr/_grammar/``; an editable install uses them where
they stand in the source tree. ``gdb_mcr/paths.py`` looks in both places.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PRODUCTS = {
    "libmcr.so": "runtime",
    "libmcr_engine.so": "engine",
    "libmcr_gdbshim.so": "gdbshim",
    "mcr_launch": "launch",
}
"""Product to the directory of its sources; native/Makefile has the same list."""


HANDLERS_HEADER = "mcr_handlers.h"
"""What users' handler libraries include."""


class NativeBuildHook(BuildHookInterface[Any]):
    """Runs ``make -C native`` for every wheel, editable ones included."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build and, unless ``version`` is "editable", list the extra files and make the wheel platform-specific."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        run_make(root)
        if version != "editable":
            build_data["force_include"].update(extra_files(root))
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def run_make(root: Path) -> None:
    """Compile ``native/`` in place.

    :raises RuntimeError: make or a C compiler is missing.
    :raises subprocess.CalledProcessError: compilation failed; the compiler has said why.
    """
    compiler = os.environ.get("CC", "cc").split()[0]
    for tool in ("make", compiler):
        if shutil.which(tool) is None:
            raise RuntimeError(f"{tool} is needed to build gdb_mcr: install gcc, make and libc6-dev")
    subprocess.run(["make", "-C", str(root / "native"), f"-j{os.cpu_count() or 1}"], check=True)


def extra_files(root: Path) -> dict[str, str]:
    """Path in the source tree -> path in the wheel, for everything outside ``gdb_mcr/`` that belongs to it.

    :raises FileNotFoundError: a product with sources was not built.
    """
    files: dict[str, str] = {}
    for product, directory in PRODUCTS.items():
        if not any((root / "native" / directory).glob("*.c")):
            continue
        built = root / "native" / "build" / product
        if not built.is_file():
            raise FileNotFoundError(f"{built} was not built")
        files[str(built)] = f"gdb_mcr/_native/{product}"
    header = root / "native" / HANDLERS_HEADER
    files[str(header)] = f"gdb_mcr/_native/{HANDLERS_HEADER}"
    for grammar in sorted((root / "grammar").glob("*.lark")):
        files[str(grammar)] = f"gdb_mcr/_grammar/{grammar.name}"
    for rules in sorted((root / "grammar" / "rules").glob("*.mcr")):
        files[str(rules)] = f"gdb_mcr/_grammar/rules/{rules.name}"
    return files
