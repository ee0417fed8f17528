"""A rehearsal is thrown away: nothing that it writes may stand where the server writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.word_keeper import build_word_keeper, running_word_keeper

pytestmark = pytest.mark.live


def test_each_start_is_announced_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    binary = build_word_keeper(tmp_path / "keeper")
    with running_word_keeper(binary, tmp_path) as keeper:
        keeper.update(binary)
        keeper.update(binary, "--dry-run")
    assert capfd.readouterr().out.splitlines().count("ready") == 3
