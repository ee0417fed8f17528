"""`mcr check` and `mcr diff` on real pairs. What is expected was written down from the servers' sources first."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.mcr_server import run_mcr
from tests.support.servers import nearest_server

pytestmark = pytest.mark.live


@dataclass(frozen=True)
class Pair:
    """Two builds and what must be said of them."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    status: int
    blocking: frozenset[str]
    changed_types: frozenset[str]
    """Exactly the structs with another layout."""
    lost: frozenset[str]
    """R2 findings that must be among those told."""


REDIS = "7.0.15-1~deb12u10"
PAIRS = {
    # Five ints of redisServer move by four bytes; its size stays. Nothing else changes its layout.
    "redis-security": Pair(
        ("redis", REDIS, "nocve"), ("redis", REDIS), 0, frozenset(), frozenset({"redisServer"}), frozenset()
    ),
    # `orderedmap` became `pseudomap`: config_s grows from 216 to 224 bytes.
    "tinyproxy-minor": Pair(
        ("tinyproxy", "1.11.1-2.1+deb12u1"),
        ("tinyproxy", "1.11.3-1"),
        0,
        frozenset(),
        frozenset({"config_s"}),
        frozenset(),
    ),
    # A pool of processes became a thread per connection.
    "tinyproxy-model": Pair(
        ("tinyproxy", "1.10.0-5+deb11u1"),
        ("tinyproxy", "1.11.1-2.1+deb12u1"),
        1,
        frozenset({"R8:process-model"}),
        # Not request_s, as was first written here: reqs.h declares the same five members in both releases.
        frozenset({"config_s", "conn_s"}),
        frozenset(),
    ),
}


def _check(old: Path, new: Path, tmp_path: Path, verb: str = "check") -> tuple[int, dict[str, Any]]:
    file = tmp_path / "result.json"
    done = run_mcr(verb, str(old), str(new), "--json", str(file))
    assert file.exists(), done.stderr
    return done.returncode, json.loads(file.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_check_when_two_releases_then_says_what_their_sources_say(
    pair: Pair, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    old, new = nearest_server(*pair.old), nearest_server(*pair.new)
    record_property("pair", f"{old.version} -> {new.version}")
    status, result = _check(old.binary, new.binary, tmp_path)
    ids = {one["id"] for one in result["findings"]}
    assert status == pair.status, result
    assert set(result["blocking"]) == pair.blocking
    told = {one.removeprefix("R1:") for one in ids if one.startswith("R1:")}
    assert pair.changed_types <= told if pair.status else pair.changed_types == told
    assert pair.lost <= ids
    assert {one["id"] for one in result["findings"] if one["certain"]} == pair.blocking


@pytest.mark.slow
def test_diff_when_a_struct_keeps_its_size_then_names_the_fields_that_moved(tmp_path: Path) -> None:
    old, new = nearest_server("redis", REDIS, "nocve"), nearest_server("redis", REDIS)
    status, result = _check(old.binary, new.binary, tmp_path, verb="diff")
    assert status == 0
    change = next(one for one in result["changes"] if one["name"] == "struct redisServer")
    assert (change["subject"], change["what"]) == ("type", "changed")
    assert Path(change["file"]).name == "server.h"
    added = [line for line in change["details"] if line.startswith("+")]
    moved = [line for line in change["details"] if "offset" in line]
    assert len(added) == 1
    assert "lua_enable_deprecated_api" in added[0]
    assert len(moved) == 5, "the five ints behind it"
    assert not any(line.startswith("size") for line in change["details"])


def test_check_when_two_unrelated_programs_then_refuses_in_one_sentence(tmp_path: Path) -> None:
    memcached, tinyproxy = nearest_server("memcached", "1.6.38-1"), nearest_server("tinyproxy", "1.11.3-1")
    status, result = _check(memcached.binary, tinyproxy.binary, tmp_path)
    assert status == 1
    assert result["blocking"] == ["R8:program"]
    assert [one["id"] for one in result["findings"]] == ["R8:program"]
    assert "different programs" in result["findings"][0]["text"]
