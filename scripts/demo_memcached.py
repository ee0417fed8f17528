"""The live part of `scripts/demo`: memcached becomes a later release while a hundred clients and a load use it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.gap import compare
from tests.support.mcr_server import McrServer, UpdateRun
from tests.support.memcached import (
    Load,
    UpdateScene,
    fill,
    free_port,
    prepare_checks,
    run_after_checks,
    server_arguments,
    verify,
    wait_until_served,
)

ITEMS = 200_000
CONNECTIONS = 100
LOAD_CONNECTIONS = 16


def main(words: Sequence[str]) -> int:
    """:param words: old binary, new binary, file of annotations."""
    old, new, annotations = (Path(one) for one in words)
    port = free_port()
    with McrServer([str(old), *server_arguments(port)]) as server:
        print(f"memcached {wait_until_served(port)} serves as process {server.pid} on port {port}")
        began = time.monotonic()
        filled = fill(port, ITEMS)
        print(f"{ITEMS} items stored in {time.monotonic() - began:.1f} s")
        state = prepare_checks(port)
        with UpdateScene(port, CONNECTIONS) as scene, Load(port, LOAD_CONNECTIONS) as load:
            load.wait_for(5000, timeout=30)
            quiet_end = time.monotonic()
            print(f"{CONNECTIONS} connections are open, {LOAD_CONNECTIONS} more carry a load; updating\n")
            run = server.update(new, "--annotations", str(annotations))
            print(run.output)
            if run.status != 0:
                print(run.errors, file=sys.stderr)
                return 1
            load.wait_for(2000, timeout=30)
            result = load.stop()
            problems = scene.finish(run.new_pids)
        gap = compare(result.waits, (result.started, quiet_end), (quiet_end, result.stopped))
        wrong = verify(port, filled)
        version = wait_until_served(port)
        problems += run_after_checks(port, version, state)
        _report(run, version, result.requests, result.errors, gap.text, len(wrong), problems)
        return 1 if problems or wrong or result.errors else 0


def _report(
    run: UpdateRun, version: str, requests: int, errors: int, gap: str, wrong: int, problems: Sequence[str]
) -> None:
    print("What the clients saw")
    print(f"  the server is now memcached {version}, process {run.new_pids[0]}")
    print(f"  connections kept: {CONNECTIONS - len(problems)} of {CONNECTIONS}")
    print(f"  requests answered during the run: {requests}, failed: {errors}")
    print(f"  {gap}")
    print(f"  items that are wrong: {wrong} of {ITEMS}")
    for problem in problems:
        print(f"  PROBLEM {problem}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
