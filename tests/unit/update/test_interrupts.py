"""Ctrl-C where it must wait."""

from __future__ import annotations

import signal

import pytest

from gdb_mcr.update.interrupts import deferred_interrupts


def test_an_interrupt_is_raised_at_the_end_of_the_block() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():  # noqa: PT012 - what comes after it is the point
        signal.raise_signal(signal.SIGINT)
        steps.append("went on")
    assert steps == ["went on"]


def test_a_forgotten_one_is_never_raised() -> None:
    with deferred_interrupts(forgotten=True):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_an_inner_block_leaves_the_outer_one_alone() -> None:
    with deferred_interrupts(forgotten=True):
        with deferred_interrupts(forgotten=True):
            pass
        signal.raise_signal(signal.SIGINT)
