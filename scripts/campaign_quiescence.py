"""The work of `scripts/campaign-quiescence`: what detection of quiescence must stand, again and again.

traps: every program of the zoo comes to rest or is told, and notices nothing. servers: memcached, redis and tinyproxy
are brought to rest and let go while clients push them on. kills: debuggers, controllers and servers are killed in the
middle of it. strategies: the seed's, side by side. proofs: tests of profiles, and of N's threads against O's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from gdb_mcr.errors import McrError
from gdb_mcr.model.strategy import Strategy
from tests.support.memcached_load import LoadError
from tests.support.pushed_servers import SERVERS, Pushed, PushedOutcome, try_cycles
from tests.support.zoo_cases import CASES, ZooCase, ZooOutcome, try_case
from tests.support.zoo_kills import KillOutcome, Subject, Victim, at_work, kill_around
from tests.support.zoo_strategies import StrategyRow, side_by_side

KILLED_AROUND = ("timers", "births detached", "births joined", "io_pool sem", "signals", "forks brief", "writer pipe")
"""Programs whose work goes on all the time, some with threads or processes that come and go."""

PROOFS = ("tests/live/test_profiles.py", "tests/live/test_update_counterparts.py")
AIM_S = 0.05
"""Seconds to quiescence that 99 of 100 cycles should stay below."""

STRATEGY_SHARE, FEWEST = 10, 8
"""Of so many runs of a trap, one of each strategy; but so many at least."""

Part = Callable[[argparse.Namespace, Path], Iterator[str]]
"""A part of the campaign: prints its own table, answers what was wrong. Its second argument is for what is compiled."""


def main(words: Sequence[str]) -> int:
    """:returns: 1 if anything was not as it must be."""
    options = _options(words)
    began = time.monotonic()
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as directory:
        for name, part in PARTS.items():
            if not options.parts or name in options.parts:
                problems += _told(part(options, Path(directory)))
    print(f"\n{len(problems)} problems in {time.monotonic() - began:.0f} s, seed {options.seed}")
    for one in problems:
        print(f"    WRONG: {one}")
    return 1 if problems else 0


# At once, too: a campaign is long.
def _told(problems: Iterator[str]) -> Iterator[str]:
    for one in problems:
        print(f"    WRONG: {one}", flush=True)
        yield one


def _options(words: Sequence[str]) -> argparse.Namespace:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="campaign-quiescence", description=__doc__, formatter_class=shape)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all if none is named")
    parser.add_argument("--only", default="", metavar="TEXT", help="only programs whose name contains this")
    parser.add_argument("--runs", type=int, default=200, metavar="N", help="attempts for each trap")
    parser.add_argument("--cycles", type=int, default=200, metavar="N", help="of rest and release for each server")
    parser.add_argument("--kills", type=int, default=200, metavar="N", help="kills of each kind, and again for servers")
    parser.add_argument("--seed", type=int, default=1, help="for the moments")
    options = parser.parse_args(words)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


def _quantiles(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds) or [0.0]
    p50, p99 = (1000 * ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in (0.5, 0.99))
    return f"{p50:7.1f} {p99:7.1f}"


# ---- traps


def _traps(options: argparse.Namespace, directory: Path) -> Iterator[str]:
    print(f"{'trap':22} {'runs':>5} {'rest':>5} {'told':>5} {'wrong':>5}   p50 and p99, ms: to rest, stillness")
    for case in CASES:
        if options.only in case.name:
            outcome = ZooOutcome(case)
            try:
                outcome = try_case(case, directory, _runs(case, options.runs), options.seed)
            except (McrError, OSError) as error:
                outcome.problems.append(f"{type(error).__name__}: {error}")
            print(_trap_row(outcome), flush=True)
            yield from (f"{case.name}: {one}" for one in outcome.problems)


# Each run needs a program of its own: a tenth of them will do.
def _runs(case: ZooCase, runs: int) -> int:
    return max(1, runs // 10) if case.at_once else runs


def _trap_row(one: ZooOutcome) -> str:
    rested = len(one.seconds)
    counts = f"{one.case.name:22} {one.attempts:5} {rested:5} {one.attempts - rested:5} {len(one.problems):5}"
    return f"{counts}   {_quantiles(one.seconds)}  {_quantiles(one.pauses)}" if rested else counts


# ---- servers


def _servers(options: argparse.Namespace, directory: Path) -> Iterator[str]:
    print(f"\n{'server':12} {'threads':>7} {'cycles':>6} {'rest':>5} {'wrong':>5} {'EINTR':>5}", end="   ")
    print(f"p50 and p99, ms: to rest (aim {AIM_S * 1000:.0f}), stillness, clients' longest wait (99 % of all without)")
    for server in SERVERS:
        if options.only in server.name:
            outcome = PushedOutcome(server.name)
            try:
                outcome = try_cycles(server, directory, options.cycles, options.seed)
            except (McrError, OSError, LoadError) as error:
                outcome.problems.append(f"{type(error).__name__}: {error}")
            print(_server_row(outcome), flush=True)
            yield from (f"{server.name}: {one}" for one in outcome.problems)


def _server_row(one: PushedOutcome) -> str:
    counts = (
        f"{one.name:12} {one.threads:7} {one.cycles:6} {len(one.seconds):5} {len(one.problems):5} {one.interrupted:5}"
    )
    times = "  ".join(map(_quantiles, (one.seconds, one.pauses, one.gaps)))
    return f"{counts}   {times}  ({1000 * one.baseline_s:.1f})"


# ---- kills

Subjects = dict[str, Callable[[], AbstractContextManager[Subject]]]


def _kills(options: argparse.Namespace, directory: Path) -> Iterator[str]:
    cases = [one for one in CASES if one.name in KILLED_AROUND and options.only in one.name]
    servers = [one for one in SERVERS if options.only in one.name]
    print(f"\n{'killed':12} {'while':18} {'kills':>5} {'wrong':>5} {'EINTR':>5} {'longest until work goes on, ms':>32}")
    animals: Subjects = {one.name: partial(at_work, one, directory) for one in cases}
    pushed: Subjects = {one.name: partial(Pushed, one, directory) for one in servers}
    for group in (animals, pushed):
        for victim in Victim if group else ():
            yield from _kills_of(victim, group, -(-options.kills // len(group)), options.seed)


def _kills_of(victim: Victim, subjects: Subjects, each: int, seed: int) -> Iterator[str]:
    messages: set[str] = set()
    for name, make in subjects.items():
        outcome = KillOutcome()
        try:
            outcome = kill_around(name, make, victim, each, seed)
        except (McrError, OSError, LoadError) as error:
            outcome.problems.append(f"{type(error).__name__}: {error}")
        longest = f"{1000 * max(outcome.recoveries):32.0f}" if outcome.recoveries else ""
        counts = f"{outcome.kills:5} {len(outcome.problems):5} {outcome.interrupted:5}"
        print(f"{victim.value:12} {name:18} {counts} {longest}", flush=True)
        messages |= outcome.messages - {""}
        yield from (f"{victim.value} killed, {name}: {one}" for one in outcome.problems)
    print("".join(f"    said: {one}\n" for one in sorted(messages)), end="")


# ---- strategies and proofs


def _strategies(options: argparse.Namespace, directory: Path) -> Iterator[str]:
    print(f"\n{'program':12} {'strategy':12} {'runs':>5} {'rest':>5} {'in a broken state':>18}")
    for one in side_by_side(directory, max(FEWEST, options.runs // STRATEGY_SHARE)):
        print(f"{one.program:12} {one.strategy.value:12} {one.attempts:5} {one.rested:5} {one.broken:18}", flush=True)
        yield from _wrong_strategy(one)


def _wrong_strategy(one: StrategyRow) -> Iterator[str]:
    match one.strategy:
        case Strategy.BARRIER if one.rested < one.attempts or one.broken:
            yield f"{one.program}: barrier rested {one.rested} times, {one.broken} of them in a broken state"
        case Strategy.FREE_RIDING if one.rested == one.attempts:
            yield f"{one.program}: free riding always came to rest"
        case Strategy.FUNCTION if not one.broken:
            yield f"{one.program}: the function check never stopped in a broken state"


def _proofs(_: argparse.Namespace, __: Path) -> Iterator[str]:
    print("\ntests of profiles, and of N's threads against O's", flush=True)
    if subprocess.run([sys.executable, "-m", "pytest", "-q", *PROOFS], check=False).returncode:
        yield "proofs: see above"


PARTS: dict[str, Part] = {
    "traps": _traps,
    "servers": _servers,
    "kills": _kills,
    "strategies": _strategies,
    "proofs": _proofs,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
