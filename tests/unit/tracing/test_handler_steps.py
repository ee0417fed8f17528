"""What the engine's register machine takes, and that nothing it takes does harm."""

from __future__ import annotations

import random

import pytest

from gdb_mcr.engine.handler_records import NO_REGISTER, StepCode, StepRow
from tests.support.random_steps import NEW_SIZE, OLD_SIZE, REGISTERS, random_steps, run_steps

END = StepRow(code=StepCode.END)
UNSOUND = {
    "no end": [StepRow(code=StepCode.CONST)],
    "no such step": [StepRow(code=max(StepCode) + 1), END],
    "no such register": [StepRow(code=StepCode.ADD, right=REGISTERS), END],
    "a jump out of it": [StepRow(code=StepCode.JUMP, at=2), END],
    "a load behind the object": [StepRow(code=StepCode.LOAD_OLD, left=NO_REGISTER, right=8, at=OLD_SIZE - 7), END],
    "a store behind the object": [StepRow(code=StepCode.STORE, left=NO_REGISTER, right=4, at=NEW_SIZE - 3), END],
    "bits behind the object": [StepRow(code=StepCode.STORE_BITS, left=NO_REGISTER, right=9, at=NEW_SIZE - 1), END],
    "a value of nine bytes": [StepRow(code=StepCode.LOAD_OLD, left=NO_REGISTER, right=9), END],
    "ops that are not there": [StepRow(code=StepCode.CONVERT, at=3, value=2), END],
    "no bits at all": [StepRow(code=StepCode.EXTEND), END],
}


@pytest.mark.parametrize("steps", UNSOUND.values(), ids=UNSOUND)
def test_steps_that_are_not_sound_are_refused(steps: list[StepRow]) -> None:
    assert not run_steps(random.Random(1), steps)


def test_steps_that_are_sound_are_taken() -> None:
    assert run_steps(random.Random(1), [StepRow(code=StepCode.LOAD_OLD, left=NO_REGISTER, right=8, at=40), END])


@pytest.mark.parametrize("seed", range(4))
def test_random_steps_do_no_harm(seed: int) -> None:
    """Each outcome is checked by `run_steps`; a step that reached out of its object would end this test's process."""
    chance = random.Random(seed)
    taken = [run_steps(chance, random_steps(chance, chance.randrange(2, 40))) for _ in range(100)]
    assert sum(taken) > 10
