"""Ctrl-C where it must wait: while the one step is taken that cannot be undone, and while the others are undone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deferred_interrupts(*, forgotten: bool = False) -> Iterator[None]:
    """A SIGINT that comes in the block is raised as KeyboardInterrupt at its end. Source: pthread_sigmask(3).

    :param forgotten: not even then: the block does what it asks for.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if forgotten:
            signal.sigtimedwait({signal.SIGINT}, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
