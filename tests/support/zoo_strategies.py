"""The seed's strategies side by side, in one run on the same programs.

`shifts.c` works by day and by night, in two threads that are never idle at once: free riding waits for a moment that
does not come. `bank.c` moves money, of which some is in no account for most of the time while no function that changes
is on a stack: the function check stops there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gdb_mcr.model.strategy import Strategy
from gdb_mcr.update.api import NoProgress, UpdateOptions
from tests.support.zoo import Zoo, build_zoo
from tests.support.zoo_cases import MONEY, bank_money, opened

SHIFT_DEADLINE_S, BANK_DEADLINE_S = 0.5, 5.0


@dataclass(frozen=True, slots=True)
class StrategyRow:
    """What came of one strategy with one program."""

    program: str
    strategy: Strategy
    attempts: int
    rested: int
    """Attempts that converged within the deadline."""
    broken: int
    """Of these, how many stopped it in a state that an update must not find."""


def side_by_side(directory: Path, attempts: int) -> Iterator[StrategyRow]:
    """Each program with the strategies that it tells apart."""
    yield from _shifts(directory, attempts)
    yield from _bank(directory, attempts)


def _shifts(directory: Path, attempts: int) -> Iterator[StrategyRow]:
    with Zoo(build_zoo("shifts", directory)) as animal, opened(animal) as session:
        animal.open_gate()
        animal.await_work(0)
        for strategy in (Strategy.FREE_RIDING, Strategy.BARRIER):
            rested = broken = 0
            for _ in range(attempts):
                if session.quiesce(SHIFT_DEADLINE_S, NoProgress(), strategy).converged:
                    rested += 1
                    broken += animal.number("zoo_busy") != 0
                    session.release()
            yield StrategyRow("shifts", strategy, attempts, rested, broken)


def _bank(directory: Path, attempts: int) -> Iterator[StrategyRow]:
    later = build_zoo("bank", directory, "-DLATER")
    with Zoo(build_zoo("bank", directory)) as animal, opened(animal) as session:
        animal.open_gate()
        animal.await_work(0)
        session.start(later, UpdateOptions(), NoProgress())
        for strategy in (Strategy.FUNCTION, Strategy.BARRIER):
            rested = broken = 0
            for _ in range(attempts):
                if session.quiesce(BANK_DEADLINE_S, NoProgress(), strategy).converged:
                    rested += 1
                    broken += bank_money(animal) != MONEY
                    session.release()
            yield StrategyRow("bank", strategy, attempts, rested, broken)
