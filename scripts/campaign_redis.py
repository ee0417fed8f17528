"""The work of `scripts/campaign-redis`: large redis servers are updated; every key and client is checked afterwards."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.memcached import free_port
from tests.support.redis_update import RedisOutcome, RedisUpdate, update_redis
from tests.support.servers import nearest_server

PAIRS = {
    "7.0.15": (("7.0.15-1~deb12u10", "nocve"), ("7.0.15-1~deb12u10", "debian")),
    "8.0": (("8.0.2", "upstream"), ("8.0.6-3", "debian")),
}
STARTS = {
    "written": (False, False),
    "written-saved": (False, True),
    "loaded": (True, False),
    "loaded-saved": (True, True),
}
SHOWN = ("objects", "objects_typed", "pointers", "likely_pointers", "objects_immutable", "bytes_state", "bytes_copied")


def main(words: Sequence[str]) -> int:
    """:returns: 1 if anything was not as it must be."""
    options = _options(words)
    wrong = 0
    for pair in options.pairs:
        for start in options.starts:
            with tempfile.TemporaryDirectory() as directory:
                outcome = _update(pair, start, options.keys, Path(directory))
            wrong += _tell(f"{pair}, {start}", outcome)
    return 1 if wrong else 0


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="campaign-redis", description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=list(PAIRS))
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=list(STARTS), help="where the keys come from")
    return parser.parse_args(words)


def _update(pair: str, start: str, keys: int, directory: Path) -> RedisOutcome:
    old, new = (nearest_server("redis", *one).binary for one in PAIRS[pair])
    is_loaded, is_saved = STARTS[start]
    annotations = directory / "redis.mcr"
    annotations.write_text('input "dump.rdb" absent;\n')
    options = ("--annotations", str(annotations)) if is_loaded else ()
    return update_redis(RedisUpdate(old, new, directory, free_port(), keys, is_loaded, is_saved, options))


def _tell(name: str, outcome: RedisOutcome) -> int:
    result = outcome.run.result
    counts = result.get("counts", {})
    print(f"{name}: {result.get('verdict', 'no answer')}, pause {result.get('pause_s', 0) * 1000:.0f} ms")
    phases = ", ".join(f"{one['name']} {one['seconds']:.2f} s" for one in result.get("phases", []))
    print(f"    {phases}")
    print("    " + ", ".join(f"{name} {counts[name]:,}" for name in SHOWN if name in counts), flush=True)
    problems = [*outcome.known, *outcome.scene, *outcome.data, *outcome.life]
    if outcome.run.status != 0:
        problems.append(outcome.run.told())
    for one in problems:
        print(f"    WRONG: {one}", flush=True)
    return len(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
