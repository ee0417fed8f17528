"""Debian versions: their parts, and which is nearest to another."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import zip_longest


def without_epoch(version: str) -> str:
    """``5:7.0.15-1`` -> ``7.0.15-1``."""
    return version.partition(":")[2] or version


def upstream(version: str) -> str:
    """``5:7.0.15-1~deb12u10`` -> ``7.0.15``; a bare upstream version is itself."""
    return without_epoch(version).rpartition("-")[0] or without_epoch(version)


def by_distance(wanted: str, available: Iterable[str]) -> list[str]:
    """``available`` from the nearest to ``wanted`` on.

    The first differing number of the upstream version decides; then, for the wanted upstream version itself, the first
    differing number of Debian's revision, and for any other the newest revision.
    """
    return sorted(set(available), key=lambda version: (_differences(wanted, version), version))


def _differences(one: str, other: str) -> tuple[list[int], list[int]]:
    wanted, found = (_numbers(without_epoch(version)[len(upstream(version)) :]) for version in (one, other))
    upstreams = zip_longest(_numbers(upstream(one)), _numbers(upstream(other)), fillvalue=0)
    distance = [abs(a - b) for a, b in upstreams]
    if any(distance) or not wanted:
        return distance, [*(-number for number in found), 1]  # longer is newer
    return distance, [abs(a - b) for a, b in zip_longest(wanted, found, fillvalue=0)]


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]
