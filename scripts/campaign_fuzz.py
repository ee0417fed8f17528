"""The work of `scripts/campaign-fuzz`: random annotations, on all cores."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence

from tests.support.annotation_fuzz import Tally, fuzz, text_of

BATCH = 500
"""Texts that a worker tries between two reports."""


def main(words: Sequence[str]) -> int:
    """:returns: 1 if anything was not as it must be."""
    options = _options(words)
    if options.show is not None:
        print(text_of(options.show))
        return 0
    began = time.monotonic()
    total = Tally()
    with multiprocessing.Pool(options.jobs) as pool:
        for tally in pool.imap_unordered(fuzz, _batches(options.first, options.inputs)):
            _add(total, tally)
            for one in tally.failures:
                print(f"    WRONG: {one}", flush=True)
            if total.texts % (BATCH * 40) == 0:
                print(f"{total.texts:>9} texts, {len(total.failures)} failures", flush=True)
    _report(total, time.monotonic() - began)
    return 1 if total.failures else 0


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="campaign-fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, metavar="N", help="texts to try")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first text's seed; the others follow")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="processes")
    parser.add_argument("--show", type=int, metavar="SEED", help="only print the text of a seed")
    return parser.parse_args(words)


def _batches(first: int, count: int) -> Iterator[range]:
    for start in range(first, first + count, BATCH):
        yield range(start, min(start + BATCH, first + count))


def _add(total: Tally, one: Tally) -> None:
    total.texts += one.texts
    total.accepted += one.accepted
    total.labels.update(one.labels)
    total.failures += one.failures


def _report(total: Tally, seconds: float) -> None:
    print(f"\n{total.texts} texts in {seconds:.0f} s, {total.accepted} without an error")
    for label, count in total.labels.most_common():
        print(f"{count:>9} {label}")
    print(f"{len(total.failures)} failures")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
