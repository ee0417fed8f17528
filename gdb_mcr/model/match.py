"""Which names of the old program continue in the new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Match:
    """Which names of O continue in N: indexes into both programs' tables."""

    types: Mapping[int, int] = field(default_factory=dict)
    variables: Mapping[int, int] = field(default_factory=dict)
    functions: Mapping[int, int] = field(default_factory=dict)
