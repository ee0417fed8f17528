"""Every trap of the zoo: it converges, or is told rightly within its deadline; the program notices nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.zoo_cases import CASES, ZooCase, try_case

SEED = 1
ATTEMPTS, TOLD_ATTEMPTS = 3, 2


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


@pytest.mark.parametrize("case", CASES, ids=lambda one: one.name.replace(" ", "-"))
def test_a_trap_is_sprung_or_told(
    case: ZooCase, directory: Path, record_property: Callable[[str, object], None]
) -> None:
    attempts = 1 if case.at_once else TOLD_ATTEMPTS if case.told else ATTEMPTS
    outcome = try_case(case, directory, attempts, SEED)
    assert outcome.problems == []
    if outcome.seconds:
        record_property("slowest", f"{max(outcome.seconds) * 1000:.0f} ms")
