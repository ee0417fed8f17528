"""The work of `scripts/campaign-rollback`: a hundred broken updates of one memcached, and what came of each."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence

from tests.support.disturb import nothing, random_moments, signalled_at
from tests.support.rollback import ALL_FAULTS, FaultBench, FaultReport, fault_name, is_after_commit
from tests.support.servers import nearest_server

_SIGNALS = (signal.SIGKILL, signal.SIGINT)


def main(words: Sequence[str]) -> int:
    """:returns: 1 if anything was not as it must be."""
    options = _options(words)
    began = time.monotonic()
    reports = []
    with FaultBench(nearest_server("memcached", options.version).binary) as bench:
        print(f"{'':40} status  update  answer  rest  served by")
        for report in _all(bench, options):
            reports.append(report)
            _tell(report)
        load = bench.stop_load()
    _summarise(reports, time.monotonic() - began)
    waits = [load.waits.longest(one.outcome.began, one.outcome.began + one.outcome.seconds).seconds for one in reports]
    print(f"load: {load.requests} right answers, {load.errors} errors, longest wait {max(waits, default=0):.3f} s")
    return 1 if load.errors or any(one.problems for one in reports) else 0


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="campaign-rollback", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="only fault points whose name contains this")
    parser.add_argument("--random", type=int, default=20, metavar="N", help="signals at random moments, of each kind")
    parser.add_argument("--seed", type=int, default=1, help="for the random moments")
    parser.add_argument("--version", default="1.6.18-1+deb12u1", help="of memcached")
    return parser.parse_args(words)


def _all(bench: FaultBench, options: argparse.Namespace) -> Iterator[FaultReport]:
    faults = [one for one in ALL_FAULTS if options.only in fault_name(one)]
    for fault in sorted(faults, key=is_after_commit):
        yield bench.run(fault)
    yield from _at_random(bench, options.random, options.seed)
    yield bench.run_with("no fault", nothing, committed=True)


# A killed or interrupted controller may have committed or not; exactly one of both servers must serve either way.
def _at_random(bench: FaultBench, count: int, seed: int) -> Iterator[FaultReport]:
    plain = bench.run_with("no fault", nothing, committed=True)
    yield plain
    for number in _SIGNALS:
        for moment in random_moments(seed + number, count, plain.outcome.seconds * 1.05):
            yield bench.run_with(f"{number.name} after {moment:.3f} s", signalled_at(number, moment), committed=None)


def _tell(report: FaultReport) -> None:
    server = "new" if report.committed else "old"
    numbers = f"{report.outcome.seconds:6.2f}  {report.first_answer_s:6.3f}  {report.leftovers_s:4.2f}"
    print(f"{report.name:40} {report.outcome.status:6}  {numbers}  {server}", flush=True)
    for problem in report.problems:
        print(f"    WRONG: {problem}")


def _summarise(reports: Iterable[FaultReport], seconds: float) -> None:
    found = list(reports)
    wrong = sum(bool(one.problems) for one in found)
    committed = sum(one.committed for one in found)
    print(f"\n{len(found)} updates in {seconds:.0f} s, {committed} of them committed; {wrong} went wrong")
    print(f"longest until the first answer after an update: {max(one.first_answer_s for one in found):.3f} s")
    print(f"longest until nothing was left over: {max(one.leftovers_s for one in found):.2f} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
