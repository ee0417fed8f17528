"""From downloaded files to a source tree with the patches of one variant.

Variants: ``debian`` has all patches of Debian's series, ``nocve`` all but the security patches (so that nocve -> debian
is a real security update), ``upstream`` none.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

from scripts.servers.archive import SourceFile, SourcePackage
from scripts.servers.recipes import Recipe
from scripts.servers.tools import ServerError, run

VARIANTS = ("debian", "nocve", "upstream")

_ORIG = re.compile(r"\.orig\.tar\.[a-z0-9]+$")
_DEBIAN = re.compile(r"\.debian\.tar\.[a-z0-9]+$")
_AUTOTOOLS_INPUT = re.compile(r"(^|/)(configure\.(ac|in)|[^/]*\.(am|m4))$")
_AUTOTOOLS_OUTPUT = ("configure", "Makefile.in", "config.h.in")


def needed_files(package: SourcePackage, variant: str) -> list[SourceFile]:
    """The files that the variant is made of: the original tarball, and Debian's patches unless it is ``upstream``.

    :raises ServerError: the package has another form.
    """
    patterns = [_ORIG] if variant == "upstream" else [_ORIG, _DEBIAN]
    found = [[file for file in package.files if pattern.search(file.name)] for pattern in patterns]
    if any(len(files) != 1 for files in found):
        raise ServerError(f"{package.name} {package.version} has no single .orig and .debian tarball")
    return [files[0] for files in found]


def unpack(tarballs: list[Path], tree: Path, log: Path) -> None:
    """Unpack the original tarball and, if there is one, Debian's, into the new directory ``tree``."""
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    original, *debian = tarballs
    run(["tar", "-xf", str(original), "--strip-components=1", "--no-same-owner"], log, tree)
    for tarball in debian:
        shutil.rmtree(tree / "debian", ignore_errors=True)
        run(["tar", "-xf", str(tarball), "--no-same-owner"], log, tree)


def patch(tree: Path, recipe: Recipe, variant: str, log: Path) -> list[str]:
    """Apply Debian's series as the variant asks; the files that were changed, relative to ``tree``.

    :raises ServerError: a patch does not apply.
    """
    if variant == "upstream":
        return []
    changed: list[str] = []
    for name, level in series(tree):
        text = (tree / "debian" / "patches" / name).read_text(errors="replace")
        is_left_out = variant == "nocve" and is_security(name, text, recipe)
        if is_left_out or re.search(recipe.skipped_patches, name):
            continue
        run(["patch", level, "-s", "-f", "-i", f"debian/patches/{name}"], log, tree)
        changed += patched_files(text)
    return changed


def series(tree: Path) -> list[tuple[str, str]]:
    """(patch, strip option) of Debian's series in order. Source: quilt(1), "series file"."""
    path = tree / "debian" / "patches" / "series"
    lines = path.read_text().splitlines() if path.is_file() else []
    fields = (re.sub(r"(^|\s)#.*", "", line).split() for line in lines)
    return [(words[0], words[1] if len(words) > 1 else "-p1") for words in fields if words]


def is_security(name: str, text: str, recipe: Recipe) -> bool:
    """Whether a patch mends a vulnerability: its name or its header names a CVE, or the recipe says so."""
    header = re.split(r"^(?:---|diff|Index:) ", text, maxsplit=1, flags=re.MULTILINE)[0]
    return "CVE" in name or bool(re.search(r"CVE-\d{4}", header) or re.search(recipe.security_patches, name))


def patched_files(text: str) -> list[str]:
    """The files that a patch in -p1 form writes."""
    return re.findall(r"^\+\+\+ [^/\s]+/(\S+)", text, re.MULTILINE)


def prepare_autotools(tree: Path, changed: list[str], log: Path) -> None:
    """Make configure if it is missing or outdated by a patch; otherwise keep make from making it again."""
    if not (tree / "configure").exists() or any(map(_AUTOTOOLS_INPUT.search, changed)):
        run(["autoreconf", "-fi"], log, tree)
        return
    # Unpacked and patched files carry all sorts of times: what automake makes must be newer than what it is made of.
    now = time.time()
    for path in tree.rglob("*"):
        if path.name == "aclocal.m4":
            os.utime(path, (now, now))
        elif path.name in _AUTOTOOLS_OUTPUT:
            os.utime(path, (now + 1, now + 1))
