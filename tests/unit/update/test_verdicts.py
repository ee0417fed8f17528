"""Which findings speak against an update, and what is said of overrides."""

from __future__ import annotations

import pytest

from gdb_mcr.errors import UsageError
from gdb_mcr.model.finding import Finding
from gdb_mcr.update.api import Strictness, UpdateOptions
from gdb_mcr.update.verdicts import check_overrides, rule_on, unused_overrides


def found(kind: str, *, certain: bool = True) -> Finding:
    return Finding(f"{kind}:one", kind, certain, "it is lost", "", "")


def test_certain_findings_block_unless_overridden() -> None:
    ruling = rule_on(
        [found("R1"), found("R2"), found("R3", certain=False)], UpdateOptions(yes_to=frozenset({"R2:one"}))
    )
    assert (ruling.blocking, ruling.overridden) == (("R1:one",), ("R2:one",))


def test_warnings_block_under_the_strict_policy_only() -> None:
    assert rule_on([found("R10")], UpdateOptions()).blocking == ()
    assert rule_on([found("R10")], UpdateOptions(policy=Strictness.STRICT)).blocking == ("R10:one",)


@pytest.mark.parametrize("kind", ["R6", "R7", "R8"])
def test_some_kinds_cannot_be_overridden(kind: str) -> None:
    with pytest.raises(UsageError, match=f"{kind}:one cannot be overridden"):
        check_overrides(UpdateOptions(yes_to=frozenset({f"{kind}:one"})))


def test_an_override_of_what_nobody_found_is_told() -> None:
    options = UpdateOptions(yes_to=frozenset({"R2:one", "R2:onr"}))
    assert unused_overrides([found("R2")], options) == ["--yes-to R2:onr: there was no such finding"]
