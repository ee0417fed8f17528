"""Front ends on a fake updater, and a file that stands for a new build."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdb_mcr.commands.registry import FrontEnd
from tests.support.fake_front_end import FakeFrontEnd


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """./new in the current directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new").touch()
    return Path("new")


@pytest.fixture
def cli() -> FakeFrontEnd:
    return FakeFrontEnd(FrontEnd.CLI)


@pytest.fixture
def shell() -> FakeFrontEnd:
    return FakeFrontEnd(FrontEnd.SHELL)
