"""docs/json.md names each field of what it describes."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from gdb_mcr.model.finding import Finding
from gdb_mcr.model.inspection import ServerStatus, SessionStatus, StatusResult
from gdb_mcr.model.results import Build, CheckResult, PhaseResult, UpdateResult

PAGE = Path(__file__).parents[3] / "docs" / "json.md"

DESCRIBED = (UpdateResult, PhaseResult, Finding, CheckResult, Build, StatusResult, ServerStatus, SessionStatus)


@pytest.mark.parametrize("kind", DESCRIBED, ids=lambda one: one.__name__)
def test_every_field_is_named(kind: type) -> None:
    text = PAGE.read_text()
    assert [one.name for one in fields(kind) if f"`{one.name}`" not in text] == []
