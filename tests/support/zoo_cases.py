"""The traps of the zoo, what each must come to, and how one is tried again and again.

A case *converges*: all threads are brought to rest within the deadline, whenever one tries; or it is *told*: there is
no moment of rest, and the answer names the reason. Either way the program notices nothing.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gdb_mcr.model.strategy import Strategy
from gdb_mcr.update.api import NoProgress
from gdb_mcr.update.session import Session
from gdb_mcr.update.updater import Updater
from tests.support.fingerprint import debugger_traces
from tests.support.zoo import Peer, SlowReader, Zoo, build_zoo, feeder, silent

DEADLINE_S = 5.0
TOLD_DEADLINE_S = 0.25
SLACK_S = 2.0
"""Seconds by which an answer may come after its deadline on a busy machine."""

_LIFE = 20
"""Attempts before a program is started anew."""


@dataclass(frozen=True, slots=True)
class ZooCase:
    """One program in one mode."""

    program: str
    mode: str = ""
    told: str = ""
    """A regular expression that an obstacle must match; "" = it converges."""
    peer: Callable[[], Peer] = lambda: silent
    is_whole: bool = True
    """Whether no work is half done when it has come to rest."""
    moves: bool = True
    """Whether its work goes on."""
    locked_file: bool = False
    deadline_s: float = 0.0
    at_once: bool = False
    """Whether it is tried once, right after the gate has opened."""

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.program} {self.mode}".strip()


CASES = (
    ZooCase("mutex_holder", "fed", peer=lambda: feeder),
    ZooCase("mutex_holder", "starved", r"ticker .*waits for a lock in tick.*; keeper .* holds it.*recv", moves=False),
    ZooCase("ping_pong", "timed"),
    ZooCase("ping_pong", "cond", r"p[io]ng .*(runs|ran|has been woken)"),
    ZooCase("ping_pong", "pipe", r"event of the server's own lies in its pipe|(runs|ran)"),
    ZooCase("ping_pong", "socket", r"event of the server's own lies in its socket pair|(runs|ran)"),
    ZooCase("ping_pong", "eventfd", r"event of the server's own lies in its eventfd|(runs|ran)"),
    ZooCase("timers"),
    ZooCase("timers", "latch"),
    ZooCase("computation", "long"),
    ZooCase("computation", "endless", r"computer .*runs in .*calculate < compute.*(all the time|for \d)"),
    ZooCase("births", "detached", is_whole=False),  # without a profile, a sleep in the middle of work counts as rest
    ZooCase("births", "joined", is_whole=False),
    ZooCase("births", "chain", r"threads come and go.*serve_and_pass_on|mother .*runs"),
    ZooCase("writer", "slow", peer=SlowReader),
    ZooCase("writer", "deaf", r"writer .*blocked in write, no quiescent point, in write_blocks.*until", moves=False),
    ZooCase("writer", "pipe"),
    ZooCase("nested", is_whole=False),  # the same for the inner loop
    ZooCase("signals"),
    ZooCase("io_pool", "wait"),
    ZooCase("io_pool", "timedwait"),
    ZooCase("io_pool", "sem"),
    ZooCase("forks", "brief"),
    ZooCase("forks", "lasting", r"forker .*child process that was born", deadline_s=0.8, at_once=True),
    ZooCase("deadlock", "", r"deadlock.*left .*waits for right .*right .*waits for left"),
    ZooCase("blockers", "flock", r"blocked .*blocked in flock.*process \d+ .* has locked", locked_file=True),
    ZooCase("blockers", "msgrcv", r"blocked .*blocked in msgrcv.*message queue \d+"),
    ZooCase("blockers", "stdio", r"blocked .*blocked in fgets.*libmcr knows nothing"),
    ZooCase("blockers", "futex", r"blocked .*blocked in (syscall|futex)"),
    ZooCase("shifts"),
    ZooCase("bank"),
)


@dataclass
class ZooOutcome:
    """What came of a case."""

    case: ZooCase
    attempts: int = 0
    seconds: list[float] = field(default_factory=list)
    """To quiescence, of each attempt that converged."""
    pauses: list[float] = field(default_factory=list)
    """Seconds for which all stood still in each of them."""
    problems: list[str] = field(default_factory=list)


def try_case(case: ZooCase, directory: Path, attempts: int, seed: int) -> ZooOutcome:
    """Tries it so often, at moments that depend on the seed."""
    outcome, dice = ZooOutcome(case), random.Random(f"{case.name} {seed}")
    binary = build_zoo(case.program, directory)
    while outcome.attempts < attempts:
        life = 1 if case.at_once else min(_LIFE, attempts - outcome.attempts)
        with Zoo(binary, case.mode, case.peer(), locked_file=case.locked_file) as animal, opened(animal) as session:
            animal.open_gate()
            if not case.at_once and case.moves:
                animal.await_work(0)
            for _ in range(life):
                time.sleep(0 if case.at_once else dice.uniform(0.0, 0.02))
                _try_once(case, animal, session, outcome)
            outcome.problems += animal.complaints()
            if interrupted := animal.interrupted():
                outcome.problems.append(f"it saw {interrupted} calls that were interrupted")
    return outcome


@contextmanager
def opened(animal: Zoo) -> Iterator[Session]:
    """A session, its GDB warm."""
    session = Updater().open_session(animal.pid)
    try:
        yield session
    finally:
        session.close()


def _try_once(case: ZooCase, animal: Zoo, session: Session, outcome: ZooOutcome) -> None:
    before = animal.work()
    outcome.attempts += 1
    deadline_s = case.deadline_s or (TOLD_DEADLINE_S if case.told else DEADLINE_S)
    found = session.quiesce(deadline_s, NoProgress(), Strategy.BARRIER)
    took = session.phases.results[-1].seconds  # QUIESCE; getting a debugger ready before that takes its own time
    problems: list[str] = []
    if found.converged:
        outcome.seconds.append(found.seconds)
        problems += _at_rest(case, animal)
        outcome.pauses.append(session.release().paused_s)
    if found.converged == bool(case.told):
        problems.append(f"converged: {found.converged}; {'; '.join(found.obstacles)}")
    elif case.told and not any(re.search(case.told, line) for line in found.obstacles):
        problems.append(f"the reason is not among: {'; '.join(found.obstacles)}")
    if took > deadline_s + SLACK_S:
        problems.append(f"the answer came after {took:.1f} s")
    problems += _unharmed(case, animal, before)
    outcome.problems += [f"attempt {outcome.attempts}: {one}" for one in problems]


def _at_rest(case: ZooCase, animal: Zoo) -> Iterator[str]:
    busy = animal.number("zoo_busy")
    if case.is_whole and busy:
        yield f"{busy} pieces of work were half done"
    if case.program == "bank" and (money := bank_money(animal)) != MONEY:
        yield f"{MONEY - money} of the money is gone"


def _unharmed(case: ZooCase, animal: Zoo, before: int) -> Iterator[str]:
    if case.moves and animal.await_work(before) <= before:
        yield "its work does not go on"
    yield from debugger_traces(animal.pid)


MONEY = 1_000_000


def bank_money(animal: Zoo) -> int:
    """What bank.c has in its accounts."""
    return animal.number("bank_accounts") + animal.number("bank_accounts", 1)
