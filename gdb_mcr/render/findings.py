"""Findings and warnings, with what settles each."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Sequence

from gdb_mcr.model.finding import Finding
from gdb_mcr.render.pieces import WIDTH, plural


def finding_lines(
    findings: Sequence[Finding], blocking: Collection[str], overridden: Collection[str] = ()
) -> Iterator[str]:
    """All findings, those that speak against the update first."""
    if not findings:
        return
    against = [one for one in findings if one.id in blocking]
    others = [one for one in findings if one.id not in blocking]
    yield ""
    yield f"{plural(len(findings), 'finding')}, {len(against)} against the update:"
    for one in (*against, *others):
        yield from _one(one, _mark(one, blocking, overridden))


def warning_lines(warnings: Sequence[str]) -> Iterator[str]:
    """Each warning."""
    if warnings:
        yield ""
        for one in warnings:
            yield from wrapped(f"warning: {one}", "", "    ")


def _mark(one: Finding, blocking: Collection[str], overridden: Collection[str]) -> str:
    if one.id in overridden:
        return "overridden"
    return "against" if one.id in blocking else "note"


def _one(one: Finding, mark: str) -> Iterator[str]:
    yield f"  {one.id}  ({mark}, {'certain' if one.certain else 'possible'})"
    yield from wrapped(one.text, "      ", "      ")
    if one.path:
        yield f"      reached by {one.path}"
    if one.settle:
        first, *others = one.settle.splitlines()
        yield f"      settle it with: {first}"
        yield from (f"                      {line}" for line in others)


def wrapped(text: str, first: str, later: str) -> Iterator[str]:
    """A text in lines that begin with these blanks."""
    yield from textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=later, break_on_hyphens=False)
