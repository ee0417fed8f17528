"""Which findings speak against an update. Source: DESIGN section 11."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gdb_mcr.errors import UsageError
from gdb_mcr.model.finding import Finding
from gdb_mcr.update.api import NEVER_OVERRIDDEN, Strictness, UpdateOptions

WARNINGS = frozenset({"R10", "R11", "R12"})
"""Kinds that only warn unless the policy is strict: they hint at a change of meaning that no type shows."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """Findings, and which of them count."""

    findings: tuple[Finding, ...]
    blocking: tuple[str, ...]
    """Ids that speak against the update."""
    overridden: tuple[str, ...]
    """Ids that would, had the user not said yes to them."""


def rule_on(findings: Iterable[Finding], options: UpdateOptions) -> Ruling:
    """Certain findings block, warnings only under the strict policy, possible ones never.

    :raises UsageError: ``--yes-to`` names a finding of a kind that cannot be overridden.
    """
    check_overrides(options)
    found = tuple(findings)
    counts = [one.id for one in found if _counts(one, options.policy)]
    return Ruling(
        found,
        tuple(one for one in counts if one not in options.yes_to),
        tuple(one for one in counts if one in options.yes_to),
    )


def check_overrides(options: UpdateOptions) -> None:
    """:raises UsageError: ``--yes-to`` names a finding of a kind that cannot be overridden."""
    for one in sorted(options.yes_to):
        kind = one.partition(":")[0]
        if kind in NEVER_OVERRIDDEN:
            raise UsageError(f"{one} cannot be overridden", hint=f"findings of kind {kind} always refuse an update")


def unused_overrides(findings: Iterable[Finding], options: UpdateOptions) -> list[str]:
    """Warnings: what ``--yes-to`` names and nobody found, perhaps because it is misspelt."""
    ids = {one.id for one in findings}
    return [f"--yes-to {one}: there was no such finding" for one in sorted(options.yes_to) if one not in ids]


def _counts(one: Finding, policy: Strictness) -> bool:
    if one.kind in WARNINGS:
        return policy is Strictness.STRICT
    return one.certain
