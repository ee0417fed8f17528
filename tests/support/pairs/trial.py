"""Pairs through `mcr run` and `mcr update`: right, refused or wrong.

Many pairs share one program, since an update takes seconds. A finding names its pair by the pair's tag; those that
were refused leave, and the program is built and updated again without them.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tests.support.mcr_server import McrServer, UpdateRun
from tests.support.pairs.program import GeneratorError, build_pair
from tests.support.pairs.sketch import Fate, Sketch
from tests.support.table_server import LineClient

_TAG = re.compile(r"\bs\d{5}(?=_)")


PATIENCE_S = 60.0
"""For a program to start and to answer."""


class Verdict(Enum):
    """How an update went for one pair."""

    RIGHT = "right"
    REFUSED = "refused"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one pair."""

    sketch: Sketch
    verdict: Verdict
    told: str
    """The findings that refused it, or what the program found wrong."""

    @property
    def is_wrong(self) -> bool:
        """It was committed and is not right, or nobody could have known that it would be."""
        return self.verdict is Verdict.WRONG


def try_pairs(sketches: Sequence[Sketch], directory: Path, port: int) -> Iterator[Outcome]:
    """Every pair's outcome, in any order.

    :param port: of 127.0.0.1, for the program.
    """
    left = list(sketches)
    for attempt in range(len(sketches) + 1):
        if not left:
            return
        place = directory / f"{left[0].tag}-{len(left)}-{attempt}"
        outcomes = list(_update(left, place, port))
        if not outcomes and len(left) > 1:  # nobody is named: find out by halves
            for half in (left[: len(left) // 2], left[len(left) // 2 :]):
                yield from try_pairs(half, directory, port)
            return
        if all(one.verdict is not Verdict.WRONG for one in outcomes):
            shutil.rmtree(place)
        yield from outcomes
        done = {one.sketch.tag for one in outcomes}
        left = [one for one in left if one.tag not in done]


def _update(sketches: Sequence[Sketch], place: Path, port: int) -> Iterator[Outcome]:
    old, new = build_pair(sketches, place)
    words = _annotations(sketches, place)
    with McrServer([str(old), str(port)]) as server, LineClient(port, PATIENCE_S) as client:
        _must_be_right(sketches, client, "fill")
        run = server.update(new, *words)
        if run.status == 0:
            yield from _checked(sketches, client)
            return
        if run.status not in (1, 3):
            raise GeneratorError(f"{place}: {run.told()}")
        _must_be_right(sketches, client, "")
        yield from _refused(sketches, run)


def _annotations(sketches: Sequence[Sketch], place: Path) -> list[str]:
    lines = [line for one in sketches for line in one.annotations]
    if not lines:
        return []
    file = place / "pairs.mcr"
    file.write_text("\n".join(lines) + "\n")
    return ["--annotations", str(file)]


def _must_be_right(sketches: Sequence[Sketch], client: LineClient, first: str) -> None:
    if first:
        client.ask(first)
    for index, one in enumerate(sketches):
        answer = " ".join(client.ask(f"check {index}"))
        if answer != "ok":
            raise GeneratorError(f"{one.kind} {one.tag} is wrong without an update: {answer}")


def _checked(sketches: Sequence[Sketch], client: LineClient) -> Iterator[Outcome]:
    for index, one in enumerate(sketches):
        try:
            answer = " ".join(client.ask(f"check {index}"))
        except OSError as error:
            yield Outcome(one, Verdict.WRONG, f"the new program ended: {error}")
            return
        if answer != "ok":
            yield Outcome(one, Verdict.WRONG, answer)
        elif one.fate is Fate.REFUSE:
            yield Outcome(one, Verdict.WRONG, "nobody could have been certain, and it was committed")
        else:
            yield Outcome(one, Verdict.RIGHT, "")


def _refused(sketches: Sequence[Sketch], run: UpdateRun) -> Iterator[Outcome]:
    told: dict[str, list[str]] = {}
    for finding in run.result.get("findings", []):
        if not finding["certain"]:
            continue
        for tag in set(_TAG.findall(" ".join([finding["id"], finding["text"], finding["path"] or ""]))):
            told.setdefault(tag, []).append(f"{finding['id']}: {finding['text']}")
    by_tag = {one.tag: one for one in sketches}
    for tag, texts in told.items():
        if tag in by_tag:
            yield Outcome(by_tag[tag], Verdict.REFUSED, "; ".join(texts))
    if not told and len(sketches) == 1:
        yield Outcome(sketches[0], Verdict.REFUSED, run.told())


class Tally:
    """Counts outcomes by kind, fate and verdict."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Fate, Verdict]] = Counter()

    def add(self, one: Outcome) -> None:
        """One more."""
        self._counts[one.sketch.kind, one.sketch.fate, one.verdict] += 1

    def count(self, verdict: Verdict, fate: Fate | None = None, kind: str = "") -> int:
        """Pairs of this verdict, of one fate and kind or of all."""
        return sum(
            count
            for (known, its_fate, its_verdict), count in self._counts.items()
            if its_verdict is verdict and fate in (None, its_fate) and kind in ("", known)
        )

    def committed_of_possible(self) -> float:
        """The share that was committed and right, of what a perfect tool could do."""
        right, others = self.count(Verdict.RIGHT, Fate.POSSIBLE), self.count(Verdict.REFUSED, Fate.POSSIBLE)
        wrong = self.count(Verdict.WRONG, Fate.POSSIBLE)
        return right / (right + others + wrong) if right + others + wrong else 1.0

    def summary(self) -> str:
        """How many so far, in a line."""
        right, refused, wrong = (self.count(one) for one in Verdict)
        return f"{right + refused + wrong} pairs: {right} right, {refused} refused, {wrong} wrong"

    def lines(self) -> Iterator[str]:
        """A table."""
        columns = f"{'possible: right':>15} {'refused':>7}   {'others: right':>13} {'refused':>7}   wrong"
        yield f"{'kind':24} {'pairs':>5}   {columns}"
        for kind in sorted({kind for kind, _, _ in self._counts}):
            yield self._row(kind, kind)
        yield self._row("all", "")
        yield f"committed and right, of what a perfect tool could do: {self.committed_of_possible():.1%}"

    def _row(self, title: str, kind: str) -> str:
        right, refused = (self.count(one, Fate.POSSIBLE, kind) for one in (Verdict.RIGHT, Verdict.REFUSED))
        all_right, all_refused = (self.count(one, None, kind) for one in (Verdict.RIGHT, Verdict.REFUSED))
        wrong = self.count(Verdict.WRONG, None, kind)
        total = all_right + all_refused + wrong
        others = f"{all_right - right:13} {all_refused - refused:7}"
        return f"{title:24} {total:5}   {right:15} {refused:7}   {others}   {wrong:5}"
