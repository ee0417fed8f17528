"""What building servers decides from text: package sources, versions, patches. Nothing is downloaded or run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from scripts.servers import archive, sources
from scripts.servers.archive import SourceFile, SourcePackage
from scripts.servers.builds import Workshop
from scripts.servers.recipes import RECIPES
from scripts.servers.tools import ServerError
from scripts.servers.versions import by_distance, upstream, without_epoch

DEB822 = """\
# a comment
Types: deb
URIs: mirror+file:/etc/mirrors
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /keys/debian.gpg

Types: deb
URIs: http://security.test/
Suites: bookworm-security
Components: main
 \t
Enabled: no
URIs: http://off.test/
Suites: bookworm
Components: main
"""
ONE_LINE = """\
deb [arch=amd64 signed-by=/keys/a.gpg] http://a.test/debian bookworm main non-free # comment
# deb http://commented.test bookworm main
deb http://tool.test bookworm stable
"""
SHOWSRC = """\
Package: redis
Version: 5:7.0.15-1~deb12u7
Checksums-Sha256:
 aa 11 redis_7.0.15-1~deb12u7.dsc
 bb 22 redis_7.0.15.orig.tar.gz
 cc 33 redis_7.0.15-1~deb12u7.debian.tar.xz

Package: redis
Version: 5:7.0.15-1~deb12u10
Checksums-Sha256:
 bb 22 redis_7.0.15.orig.tar.gz
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_host_stanzas_of_both_forms_are_read_and_disabled_ones_left_out(tmp_path: Path) -> None:
    write(tmp_path / "sources.list.d/debian.sources", DEB822)
    write(tmp_path / "sources.list", ONE_LINE)
    uris = [stanza["URIs"] for stanza in archive.host_stanzas(tmp_path)]
    assert uris == ["mirror+file:/etc/mirrors", "http://security.test/", "http://a.test/debian", "http://tool.test"]


def test_source_stanzas_keep_address_and_key_and_name_all_suites() -> None:
    text = archive.source_stanzas(archive.parse_stanzas(DEB822)[:2], "bookworm")
    stanzas = archive.parse_stanzas(text)
    assert {stanza["Types"] for stanza in stanzas} == {"deb-src"}
    main = [stanza for stanza in stanzas if stanza["URIs"] == "mirror+file:/etc/mirrors"]
    assert tuple(stanza["Suites"] for stanza in main) == archive.MAIN_SUITES
    assert {stanza["Signed-By"] for stanza in main} == {"/keys/debian.gpg"}
    security = [stanza["Suites"] for stanza in stanzas if stanza["URIs"] == "http://security.test/"]
    assert tuple(security) == archive.SECURITY_SUITES


def test_archive_without_component_main_is_not_asked() -> None:
    text = archive.source_stanzas(archive.parse_one_line_sources(ONE_LINE), "bookworm")
    assert "http://a.test/debian" in text
    assert "Signed-By: /keys/a.gpg" in text
    assert "tool.test" not in text


def test_no_source_for_the_release_is_said() -> None:
    with pytest.raises(ServerError, match="no package source for trixie"):
        archive.source_stanzas(archive.parse_stanzas(DEB822), "trixie")


def test_packages_are_parsed_with_their_checksums() -> None:
    first, second = archive.parse_packages(SHOWSRC)
    assert first.version == "5:7.0.15-1~deb12u7"
    assert first.files[1] == SourceFile("redis_7.0.15.orig.tar.gz", "bb")
    assert len(second.files) == 1


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        ("7.0.15-1~deb12u10", "5:7.0.15-1~deb12u10"),
        ("5:7.0.15-1~deb12u10", "5:7.0.15-1~deb12u10"),
        ("7.0.15", "5:7.0.15-1~deb12u7"),
        ("7.0.1", None),
    ],
)
def test_select_takes_epochs_and_bare_upstream_versions(wanted: str, version: str | None) -> None:
    found = archive.select(archive.parse_packages(SHOWSRC), wanted)
    assert (found.version if found else None) == version


def test_file_is_intact_only_with_its_checksum(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "text")
    digest = hashlib.sha256(b"text").hexdigest()
    assert archive.is_intact(path, digest)
    assert not archive.is_intact(path, digest[::-1])
    assert not archive.is_intact(tmp_path / "b", digest)


def test_parts_of_versions() -> None:
    assert without_epoch("5:7.0.15-1") == "7.0.15-1"
    assert without_epoch("1.13") == "1.13"
    assert upstream("5:7.0.15-1~deb12u10") == "7.0.15"
    assert upstream("1.11.1-2.1+deb12u1") == "1.11.1"
    assert upstream("1.13") == "1.13"


@pytest.mark.parametrize(
    ("wanted", "order"),
    [
        ("1.6.38-1", ["1.6.38-1", "1.6.45-1", "1.6.18-1+deb12u1", "1.6.18-1", "1.6.9+dfsg-1"]),
        ("1.6.18-1+deb12u1", ["1.6.18-1+deb12u1", "1.6.18-1", "1.6.9+dfsg-1", "1.6.38-1", "1.6.45-1"]),
        ("1.6.18", ["1.6.18-1+deb12u1", "1.6.18-1", "1.6.9+dfsg-1", "1.6.38-1", "1.6.45-1"]),
    ],
)
def test_by_distance(wanted: str, order: list[str]) -> None:
    assert by_distance(wanted, sorted(order)) == order


def test_needed_files_leave_out_the_dsc_and_for_upstream_the_patches() -> None:
    package = archive.parse_packages(SHOWSRC)[0]
    names = [file.name for file in sources.needed_files(package, "nocve")]
    assert names == ["redis_7.0.15.orig.tar.gz", "redis_7.0.15-1~deb12u7.debian.tar.xz"]
    assert [file.name for file in sources.needed_files(package, "upstream")] == ["redis_7.0.15.orig.tar.gz"]


def test_package_without_debian_tarball_is_refused() -> None:
    package = SourcePackage("a", "1-1", (SourceFile("a_1.orig.tar.gz", ""), SourceFile("a_1-1.diff.gz", "")))
    with pytest.raises(ServerError, match=r"no single \.orig and \.debian tarball"):
        sources.needed_files(package, "debian")


def test_series_with_comments_and_strip_levels(tmp_path: Path) -> None:
    write(tmp_path / "debian/patches/series", "# head\na.patch\n\nb.patch -p0 # why\n")
    assert sources.series(tmp_path) == [("a.patch", "-p1"), ("b.patch", "-p0")]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("CVE-2024-1.patch", "--- a/x\n", True),
        ("0005-fix.patch", "Description: for CVE-2024-31449\n--- a/x\n+++ b/x\n", True),
        ("0005-fix.patch", "Description: tidy\n--- a/x\n+++ b/x\n+/* CVE-2024-31449 */\n", False),
    ],
)
def test_security_patch_is_known_by_name_or_header(name: str, text: str, expected: bool) -> None:
    assert sources.is_security(name, text, RECIPES["redis"]) is expected


def test_patched_files_are_relative_to_the_tree() -> None:
    assert sources.patched_files("--- a/x/y.c\n+++ b/x/y.c\n@@\n+++i;\n") == ["x/y.c"]


def test_recipes_use_only_known_fields() -> None:
    known = {"prefix": "", "jobs": "", "cflags": ""}
    for recipe in RECIPES.values():
        for command in recipe.commands:
            assert all(word.format_map(known) is not None for word in command)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A cache with one build in it and an archive that never answers."""
    binary = write(tmp_path / "redis/7.0.15-1+nocve/prefix/bin/redis-server", "")
    binary.chmod(0o755)
    write(tmp_path / "redis/7.0.15-1+nocve/BIN", f"{binary}\n")
    return Workshop(tmp_path)


def test_ready_build_is_returned_without_the_archive(workshop: Workshop) -> None:
    build = workshop.build("redis", "5:7.0.15-1", "nocve")
    assert build.binary == workshop.directory / "redis/7.0.15-1+nocve/prefix/bin/redis-server"
    assert workshop.build_nearest("redis", "7.0.15-1", "nocve") == build


@pytest.mark.parametrize(
    ("server", "variant", "complaint"),
    [("nosuch", "debian", "no recipe for nosuch"), ("redis", "nosuch", "nosuch is no variant")],
)
def test_unknown_server_or_variant_is_named(workshop: Workshop, server: str, variant: str, complaint: str) -> None:
    with pytest.raises(ServerError, match=complaint):
        workshop.build(server, "1", variant)
