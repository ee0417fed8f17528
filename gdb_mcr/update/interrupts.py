"""Ctrl-C where it must wait: while the one step is taken that cannot be undone, and while the others are undone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deferred_interrupts() -> Iterator[None]:
    """A SIGINT that comes in the block is raised as KeyboardInterrupt at its end. Source: pthread_sigmask(3)."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
