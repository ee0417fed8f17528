"""Builds of servers, kept in a cache outside the checkout: one directory each, ready when its BIN file is there."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from gdb_mcr.paths import cache_dir
from scripts.servers import sources
from scripts.servers.archive import Archive, SourcePackage
from scripts.servers.recipes import CFLAGS, COMMON_PACKAGES, RECIPES, Recipe
from scripts.servers.tools import ServerError, locked, need_packages, run, say
from scripts.servers.versions import by_distance, upstream, without_epoch


@dataclass(frozen=True, slots=True)
class Build:
    """A server that can be started: ``binary`` was built of ``version`` (no epoch) in ``variant``."""

    server: str
    version: str
    variant: str
    binary: Path


@dataclass(frozen=True, slots=True)
class Workshop:
    """The cache ``directory``: builds in SERVER/VERSION[+VARIANT]/, the archive's files in archive/."""

    directory: Path

    @property
    def archive(self) -> Archive:
        """Where sources come from."""
        return Archive(self.directory / "archive")

    def build(self, server: str, version: str, variant: str = "debian") -> Build:
        """The build of exactly this version, made now if there is none yet. At once, without network, if there is.

        :param version: Debian version, epoch optional; for ``upstream`` also a bare upstream version.
        :raises ServerError: unknown server or version, sources not to be had, or the build fails.
        """
        recipe = recipe_of(server, variant)
        version = upstream(version) if variant == "upstream" else without_epoch(version)
        place = self._place(server, version, variant)
        with locked(place.with_name(f"{place.name}.lock")):
            if (ready := self._ready(server, version, variant)) is None:
                tarballs = self._tarballs(server, version, variant)
                say(f"building {server} {version} ({variant})")
                _make(recipe, tarballs, variant, place)
                ready = self._ready(server, version, variant)
        if ready is None:
            raise ServerError(f"{server} {version}: the build left no binary at {' or '.join(recipe.binaries)}")
        return ready

    def build_nearest(self, server: str, version: str, variant: str = "debian") -> Build:
        """The build of this version, or of the nearest one of the same variant that can be had.

        :raises ServerError: there is none at all.
        """
        refusals = []
        for candidate in self._candidates(server, version, variant):
            try:
                build = self.build(server, candidate, variant)
            except ServerError as error:
                refusals.append(f"{candidate}: {str(error).splitlines()[0]}")
                continue
            if refusals:
                say(f"using {server} {build.version} ({variant}), because {refusals[0]}")
            return build
        raise ServerError("\n  ".join([f"no version of {server} ({variant}) can be had", *refusals]))

    def _candidates(self, server: str, version: str, variant: str) -> list[str]:
        recipe_of(server, variant)
        wanted = without_epoch(version)
        if self._ready(server, upstream(wanted) if variant == "upstream" else wanted, variant) is not None:
            return [wanted]
        listed = [without_epoch(package.version) for package in self.archive.packages(server)]
        return [
            wanted,
            *(near for near in by_distance(wanted, listed + self._built(server, variant)) if near != wanted),
        ]

    def _built(self, server: str, variant: str) -> list[str]:
        suffix = _suffix(variant)
        names = (path.parent.name for path in (self.directory / server).glob("*/BIN"))
        of_variant = (name for name in names if _variant_of(name) == variant)
        return [name.removesuffix(suffix) for name in of_variant]

    def _place(self, server: str, version: str, variant: str) -> Path:
        return self.directory / server / f"{version}{_suffix(variant)}"

    def _ready(self, server: str, version: str, variant: str) -> Build | None:
        mark = self._place(server, version, variant) / "BIN"
        binary = Path(mark.read_text().strip()) if mark.is_file() else None
        return Build(server, version, variant, binary) if binary and os.access(binary, os.X_OK) else None

    def _package(self, server: str, version: str) -> SourcePackage:
        package = self.archive.find(server, version)
        if package is None:
            known = ", ".join(sorted({without_epoch(found.version) for found in self.archive.packages(server)}))
            raise ServerError(f"{server} {version} is in no source index; there are: {known or 'none'}")
        return package

    # An index that is out of date may name files that are gone: look again with a new one.
    def _tarballs(self, server: str, version: str, variant: str) -> list[Path]:
        try:
            return self._download(server, version, variant)
        except ServerError:
            if not self.archive.refresh():
                raise
            return self._download(server, version, variant)

    def _download(self, server: str, version: str, variant: str) -> list[Path]:
        package = self._package(server, version)
        return [self.archive.download(package, file) for file in sources.needed_files(package, variant)]


def open_workshop() -> Workshop:
    """The workshop in the user's own cache directory."""
    return Workshop(cache_dir() / "servers")


def recipe_of(server: str, variant: str) -> Recipe:
    """The recipe of a server.

    :raises ServerError: no such recipe or variant.
    """
    if variant not in sources.VARIANTS:
        raise ServerError(f"{variant} is no variant; there are: {', '.join(sources.VARIANTS)}")
    if server not in RECIPES:
        raise ServerError(f"there is no recipe for {server}; there are: {', '.join(RECIPES)}")
    return RECIPES[server]


# BIN is written last and moved into place, so a build that was interrupted is made anew.
def _make(recipe: Recipe, tarballs: list[Path], variant: str, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    log, tree = place / "log", place / "src"
    need_packages((*COMMON_PACKAGES, *recipe.packages), log)
    sources.unpack(tarballs, tree, log)
    changed = sources.patch(tree, recipe, variant, log)
    if recipe.has_autotools:
        sources.prepare_autotools(tree, changed, log)
    filled = {"prefix": str(place / "prefix"), "jobs": str(os.cpu_count() or 1), "cflags": CFLAGS}
    for command in recipe.commands:
        run([word.format_map(filled) for word in command], log, tree)
    _mark_ready(place, recipe)


def _mark_ready(place: Path, recipe: Recipe) -> None:
    for binary in (place / "prefix" / name for name in recipe.binaries):
        if binary.is_file():
            (place / "BIN.partial").write_text(f"{binary}\n")
            (place / "BIN.partial").replace(place / "BIN")
            return


def _suffix(variant: str) -> str:
    return "" if variant == "debian" else f"+{variant}"


def _variant_of(name: str) -> str:
    return next((variant for variant in sources.VARIANTS if name.endswith(f"+{variant}")), "debian")
