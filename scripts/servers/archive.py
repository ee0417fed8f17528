"""Debian's source packages, through apt: the signed indexes of several suites, and verified downloads of single files.

The archive's address and keys are those of the host's own apt configuration, in whatever form it has; only the suites
and the type are rewritten, in a private directory. A file that is gone from the archive does not stop the others: the
.dsc, for one, is not needed, since the index itself carries the checksums.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.servers.tools import ServerError, locked, output_of, say
from scripts.servers.versions import upstream, without_epoch

MAIN_SUITES = ("bullseye", "bookworm", "bookworm-updates", "trixie", "testing", "sid", "experimental")
SECURITY_SUITES = ("bullseye-security", "bookworm-security", "trixie-security")

STALE_AFTER_S = 3600.0
"""An index older than this is fetched again before something is called unavailable."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source package. ``sha256`` comes from the signed index."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class SourcePackage:
    """One version of one source package, as an index lists it."""

    name: str
    version: str
    files: tuple[SourceFile, ...]


@dataclass(frozen=True, slots=True)
class Archive:
    """Private apt state and downloads below ``directory``. May be used by several processes at once."""

    directory: Path

    def packages(self, name: str) -> list[SourcePackage]:
        """All versions of the source package ``name`` that the indexes list; empty when there is no archive to ask."""
        with locked(self.directory / "lock"):
            if self._age_s() is None:
                self._update()
            return parse_packages(output_of(["apt-cache", *self._options(), "showsrc", "--only-source", name])[1])

    def find(self, name: str, version: str) -> SourcePackage | None:
        """The package of this Debian version (epoch optional), or any Debian version of this bare upstream version."""
        return select(self.packages(name), version)

    def refresh(self) -> bool:
        """Fetch the indexes again if they are stale; whether that was done."""
        with locked(self.directory / "lock"):
            age_s = self._age_s()
            if age_s is not None and age_s < STALE_AFTER_S:
                return False
            self._update()
            return True

    def download(self, package: SourcePackage, file: SourceFile) -> Path:
        """The verified file, from an earlier download if there was one.

        :raises ServerError: it cannot be fetched or is not what the index says.
        """
        path = self.directory / "files" / file.sha256[:16] / file.name
        with locked(self.directory / "files" / "lock"):
            if not is_intact(path, file.sha256):
                path.parent.mkdir(exist_ok=True)
                self._fetch(package, file, path)
        return path

    def _fetch(self, package: SourcePackage, file: SourceFile, path: Path) -> None:
        partial = path.with_name(f"{path.name}.partial")
        helper = ["/usr/lib/apt/apt-helper", "-qq", "-o", "APT::Sandbox::User=root", "download-file"]
        for uri in self._uris(package, file):
            status, _ = output_of([*helper, uri, str(partial), f"SHA256:{file.sha256}"])
            if status == 0 and is_intact(partial, file.sha256):
                partial.replace(path)
                return
        raise ServerError(f"{file.name} cannot be downloaded from the package archive")

    def _uris(self, package: SourcePackage, file: SourceFile) -> list[str]:
        command = ["apt-get", *self._options(), "-qq", "--print-uris", "--download-only", "source"]
        listing = output_of([*command, f"{package.name}={package.version}"])[1]
        return re.findall(rf"^'([^']+)' {re.escape(file.name)} ", listing, re.MULTILINE)

    def _options(self) -> list[str]:
        settings = {
            "Dir::Etc::SourceList": "/dev/null",
            "Dir::Etc::SourceParts": str(self.directory / "parts"),
            "Dir::State::Lists": str(self.directory / "lists"),
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "APT::Sandbox::User": "root",
        }
        return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]

    # Some suites may be gone from the archive; what the others list is still good.
    def _update(self) -> None:
        (self.directory / "parts").mkdir(parents=True, exist_ok=True)
        (self.directory / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        stanzas = host_stanzas(Path("/etc/apt"))
        (self.directory / "parts" / "servers.sources").write_text(source_stanzas(stanzas, host_codename()))
        say("fetching the archive's source indexes")
        if output_of(["apt-get", *self._options(), "-qq", "update"])[0] != 0:
            say("not every suite could be read; going on with the others")
        (self.directory / "updated").touch()

    def _age_s(self) -> float | None:
        mark = self.directory / "updated"
        has_indexes = any((self.directory / "lists").glob("*Sources*"))
        return time.time() - mark.stat().st_mtime if mark.exists() and has_indexes else None


def select(packages: list[SourcePackage], version: str) -> SourcePackage | None:
    """The package of this version, with or without epoch, or else the first of this bare upstream version."""
    exact = [package for package in packages if version in (package.version, without_epoch(package.version))]
    return next(iter(exact or [package for package in packages if upstream(package.version) == version]), None)


def is_intact(path: Path, sha256: str) -> bool:
    """Whether the file exists and has this checksum."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def host_codename() -> str:
    """The host's Debian release, such as ``bookworm``.

    :raises ServerError: the host is no Debian. Source: os-release(5).
    """
    found = re.search(r'^VERSION_CODENAME="?([^"\n]+)', Path("/etc/os-release").read_text(), re.MULTILINE)
    if found is None:
        raise ServerError("/etc/os-release names no VERSION_CODENAME: servers can be built on Debian only")
    return found[1]


def host_stanzas(etc_apt: Path) -> list[dict[str, str]]:
    """The host's package sources in deb822 terms, from both forms. Source: sources.list(5)."""
    stanzas: list[dict[str, str]] = []
    for path in sorted(etc_apt.glob("sources.list.d/*.sources")):
        stanzas += parse_stanzas(path.read_text())
    for path in [etc_apt / "sources.list", *sorted(etc_apt.glob("sources.list.d/*.list"))]:
        if path.is_file():
            stanzas += parse_one_line_sources(path.read_text())
    return [stanza for stanza in stanzas if stanza.get("Enabled", "yes").lower() != "no"]


def parse_stanzas(text: str) -> list[dict[str, str]]:
    """deb822 paragraphs; continuation lines are joined with newlines, comments left out."""
    stanzas: list[dict[str, str]] = []
    for paragraph in re.split(r"\n[ \t]*\n", text):
        stanza: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line[:1] in (" ", "\t") and name:
                stanza[name] += f"\n{line}"
            elif ":" in line and not line.startswith("#"):
                name, _, value = line.partition(":")
                stanza[name] = value.strip()
        if stanza:
            stanzas.append(stanza)
    return stanzas


def parse_one_line_sources(text: str) -> list[dict[str, str]]:
    """``deb [option=value …] URI SUITE COMPONENT…`` lines as stanzas."""
    pattern = re.compile(
        r"^deb(?:-src)?\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<rest>[^#\n]+)"
    )
    stanzas = []
    for match in filter(None, map(pattern.match, text.splitlines())):
        stanza = {"URIs": match["uri"], "Suites": match["suite"], "Components": match["rest"].strip()}
        signed_by = re.search(r"signed-by=(\S+)", match["options"] or "")
        stanzas.append(stanza | ({"Signed-By": signed_by[1]} if signed_by else {}))
    return stanzas


def source_stanzas(stanzas: list[dict[str, str]], codename: str) -> str:
    """Text of a .sources file: deb-src of all our suites, from wherever the host gets its own release.

    :raises ServerError: no stanza serves the host's release.
    """
    texts: dict[str, None] = {}
    for stanza in stanzas:
        if "main" not in stanza.get("Components", "").split():
            continue
        for suite in _wanted_suites(stanza.get("Suites", "").split(), codename):
            lines = ["Types: deb-src", f"URIs: {stanza['URIs']}", f"Suites: {suite}", "Components: main"]
            texts["\n".join(lines + ([f"Signed-By: {stanza['Signed-By']}"] if "Signed-By" in stanza else []))] = None
    if not texts:
        raise ServerError(f"apt's configuration has no package source for {codename}")
    return "\n\n".join(texts) + "\n"


def _wanted_suites(suites: list[str], codename: str) -> tuple[str, ...]:
    if codename in suites:
        return MAIN_SUITES
    return SECURITY_SUITES if f"{codename}-security" in suites else ()


def parse_packages(text: str) -> list[SourcePackage]:
    """The paragraphs of `apt-cache showsrc`."""
    return [
        SourcePackage(stanza["Package"], stanza["Version"], tuple(_files(stanza.get("Checksums-Sha256", ""))))
        for stanza in parse_stanzas(text)
        if "Package" in stanza and "Version" in stanza
    ]


def _files(checksums: str) -> list[SourceFile]:
    fields = (line.split() for line in checksums.splitlines())
    return [SourceFile(name=words[2], sha256=words[0]) for words in fields if len(words) == 3]
