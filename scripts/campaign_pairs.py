"""The work of `scripts/campaign-pairs`: random pairs of programs, updated for real, and what became of them."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from tests.support.pairs.kinds import KINDS, make_pair
from tests.support.pairs.sketch import Fate
from tests.support.pairs.trial import Outcome, Tally, Verdict, try_pairs


def main(words: Sequence[str]) -> int:
    """:returns: 1 if any pair came out wrong."""
    options = _options(words)
    began, tally = time.monotonic(), Tally()
    with tempfile.TemporaryDirectory() as scratch:
        directory = options.keep or Path(scratch)
        with ThreadPoolExecutor(options.workers) as pool:
            for outcomes in pool.map(lambda batch: list(_try(batch, options, directory)), _batches(options)):
                for one in outcomes:
                    tally.add(one)
                    _tell(one, options)
                print(f"{tally.summary()}, {time.monotonic() - began:.0f} s", flush=True)
    for line in tally.lines():
        print(line)
    print(f"seed {options.seed}, {time.monotonic() - began:.0f} s")
    return 1 if tally.count(Verdict.WRONG) else 0


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="campaign-pairs", description=__doc__)
    parser.add_argument("--pairs", type=int, default=2000, metavar="N", help="how many, in all")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the number of the first one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", metavar="KIND", help="only kinds whose name contains this")
    parser.add_argument("--batch", type=int, default=20, metavar="N", help="pairs in one program")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="updates at one time")
    parser.add_argument("--port", type=int, default=17500, help="the first of as many as there are workers, twice")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where programs that came out wrong stay")
    parser.add_argument("--verbose", action="store_true", help="tell of each refusal, too")
    return parser.parse_args(words)


def _batches(options: argparse.Namespace) -> Iterator[tuple[int, list[int]]]:
    names = list(KINDS)
    numbers = [
        one for one in range(options.first, options.first + options.pairs) if options.only in names[one % len(names)]
    ]
    # One that must be refused makes the others of its program wait for a second update.
    hopeless = [one for one in numbers if make_pair(options.seed, one).fate is Fate.REFUSE]
    others = sorted(set(numbers) - set(hopeless))
    places = count()
    for group in (others, hopeless):
        for index in range(0, len(group), options.batch):
            yield next(places), group[index : index + options.batch]


def _try(batch: tuple[int, list[int]], options: argparse.Namespace, directory: Path) -> Iterator[Outcome]:
    index, numbers = batch
    port = options.port + index % (2 * options.workers)
    return try_pairs([make_pair(options.seed, one) for one in numbers], directory, port)


def _tell(one: Outcome, options: argparse.Namespace) -> None:
    is_missed = one.verdict is Verdict.REFUSED and one.sketch.fate is Fate.POSSIBLE
    if one.verdict is Verdict.WRONG or is_missed or options.verbose:
        print(
            f"{one.verdict.value}: {one.sketch.kind} {one.sketch.tag}, {one.sketch.fate.value}: {one.told}", flush=True
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
