"""The work of `scripts/campaign-quiescence`: every trap of the zoo again and again, and kills in the middle of it."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.support.zoo_cases import CASES, ZooCase, ZooOutcome, try_case
from tests.support.zoo_kills import KillOutcome, Victim, kill_around

KILLED_AROUND = ("timers", "births detached", "births joined", "io_pool sem", "signals", "forks brief", "writer pipe")
"""Programs whose work goes on all the time, some with threads or processes that come and go."""

Part = Callable[[argparse.Namespace], Iterator[str]]
"""A part of the campaign: prints its own table, answers what was wrong."""

SERVERS: tuple[Part, ...] = ()
"""Campaigns with real servers."""


def main(words: Sequence[str]) -> int:
    """:returns: 1 if anything was not as it must be."""
    options = _options(words)
    began = time.monotonic()
    problems = [one for part in (_traps, _kills, *SERVERS) for one in part(options)]
    print(f"\n{len(problems)} problems in {time.monotonic() - began:.0f} s")
    for one in problems:
        print(f"    WRONG: {one}")
    return 1 if problems else 0


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="campaign-quiescence", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="only programs whose name contains this")
    parser.add_argument("--runs", type=int, default=200, metavar="N", help="attempts for each trap")
    parser.add_argument("--kills", type=int, default=200, metavar="N", help="kills of each kind, all programs together")
    parser.add_argument("--seed", type=int, default=1, help="for the moments")
    return parser.parse_args(words)


def _traps(options: argparse.Namespace) -> Iterator[str]:
    print(f"{'trap':22} {'runs':>5} {'rest':>5} {'told':>5} {'wrong':>5}   {'p50':>7} {'p99':>7}  pause p50 p99, ms")
    with tempfile.TemporaryDirectory() as directory:
        for case in CASES:
            if options.runs and options.only in case.name:
                outcome = try_case(case, Path(directory), _runs(case, options.runs), options.seed)
                print(_row(outcome), flush=True)
                yield from (f"{case.name}: {one}" for one in outcome.problems)


# Each run needs a program of its own: a tenth of them will do.
def _runs(case: ZooCase, runs: int) -> int:
    return max(1, runs // 10) if case.at_once else runs


def _row(one: ZooOutcome) -> str:
    rested = len(one.seconds)
    counts = f"{one.case.name:22} {one.attempts:5} {rested:5} {one.attempts - rested:5} {len(one.problems):5}"
    if not rested:
        return counts
    quantiles = (_quantile(one.seconds, 0.5), _quantile(one.seconds, 0.99))
    pauses = (_quantile(one.pauses, 0.5), _quantile(one.pauses, 0.99))
    return f"{counts}   {quantiles[0]:7.1f} {quantiles[1]:7.1f} {pauses[0]:9.1f} {pauses[1]:.1f}"


def _quantile(seconds: Sequence[float], share: float) -> float:
    ordered = sorted(seconds)
    return 1000 * ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _kills(options: argparse.Namespace) -> Iterator[str]:
    cases = [one for one in CASES if one.name in KILLED_AROUND and options.only in one.name]
    if not options.kills or not cases:
        return
    print(f"\n{'killed':12} {'while':18} {'kills':>5} {'wrong':>5} {'longest until work goes on, ms':>32}")
    each = -(-options.kills // len(cases))
    with tempfile.TemporaryDirectory() as directory:
        for victim in Victim:
            messages: set[str] = set()
            for case in cases:
                outcome = kill_around(case, victim, Path(directory), each, options.seed)
                print(_kill_row(victim, case, outcome), flush=True)
                messages |= outcome.messages - {""}
                yield from (f"{victim.value} killed, {case.name}: {one}" for one in outcome.problems)
            print("".join(f"    said: {one}\n" for one in sorted(messages)), end="")


def _kill_row(victim: Victim, case: ZooCase, one: KillOutcome) -> str:
    longest = f"{1000 * max(one.recoveries):32.0f}" if one.recoveries else ""
    return f"{victim.value:12} {case.name:18} {one.kills:5} {len(one.problems):5} {longest}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
