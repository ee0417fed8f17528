"""The work of `scripts/bench-handlers`: many objects through a transfer handler, against the same without it."""

from __future__ import annotations

import argparse
import statistics
import sys

from tests.support.handler_load import HandlerLoad

DESCRIPTION = "What a transfer handler with arithmetic costs the engine, in pairs of runs with it and without."


def main() -> int:
    """Prints one row a pair and the medians."""
    parser = argparse.ArgumentParser(prog="bench-handlers", description=DESCRIPTION)
    parser.add_argument("--objects", type=int, default=1_000_000, help="(default: %(default)s)")
    parser.add_argument("--pairs", type=int, default=9, help="(default: %(default)s)")
    arguments = parser.parse_args()
    load = HandlerLoad(arguments.objects)
    rows = []
    print(f"{arguments.objects} objects; CPU time of tracing and transfer, ms")
    print("    with handler      without      ratio   transfer alone")
    for turn in range(arguments.pairs):
        order = (True, False) if turn % 2 else (False, True)
        spent = {with_handler: load.run(with_handler=with_handler) for with_handler in order}
        one, other = spent[True], spent[False]
        rows.append((one.total_s / other.total_s, one.transfer_s / other.transfer_s))
        print(f"{one.total_s * 1e3:16.0f}{other.total_s * 1e3:13.0f}{rows[-1][0]:11.2f}{rows[-1][1]:17.2f}")
    whole, transfer = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"median ratio: {whole:.2f} of tracing and transfer, {transfer:.2f} of the transfer alone")
    load.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
