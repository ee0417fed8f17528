"""A real server is built once, by whoever comes first, and found again at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import nearest_server, server_binary

ROOT = Path(__file__).parents[2]

TINYPROXY = "1.11.1-2.1+deb12u1"


def test_binary_is_optimised_and_has_debug_information() -> None:
    binary = nearest_server("tinyproxy", TINYPROXY).binary
    listing = subprocess.run(
        ["readelf", "--debug-dump=info", "--dwarf-depth=1", str(binary)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert "-O2" in listing
    assert "DW_TAG_compile_unit" in listing


def test_second_build_answers_with_the_same_binary() -> None:
    build = nearest_server("tinyproxy", TINYPROXY)
    assert server_binary("tinyproxy", build.version) == build.binary


@pytest.mark.slow
def test_two_builds_at_once_share_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = nearest_server("tinyproxy", TINYPROXY).version
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    command = [sys.executable, "-m", "scripts.servers", "tinyproxy", version]
    builders = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in "ab"
    ]
    answers = [builder.communicate(timeout=300) for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0], answers
    assert answers[0][0] == answers[1][0]
    assert sum("building tinyproxy" in errors for _, errors in answers) == 1
    assert str(tmp_path) in answers[0][0]
