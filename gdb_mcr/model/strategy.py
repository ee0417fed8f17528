"""Ways to find a moment at which a server may be updated. Source: seed, "quiescence point detection"."""

from __future__ import annotations

from enum import Enum


class Strategy(Enum):
    """The seed's strategies. All but BARRIER are there to be compared with it."""

    BARRIER = "barrier"
    """Each thread is caught at its next quiescent point, without keeping what another one waits for."""
    FREE_RIDING = "free-riding"
    """Nobody is caught: wait until all threads happen to be at quiescent points at the same time."""
    FUNCTION = "function"
    """Any moment at which no function that the update changes is on a stack. Says nothing about the state."""
