"""The phases of an update, and the steps by which a user may drive one. Source: DESIGN section 3."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class Phase(Enum):
    """The phases of an update, in the order in which `mcr update` runs them. The values are the names in reports."""

    ANALYZE = "ANALYZE"
    REHEARSE = "REHEARSE"
    REINIT = "REINIT"
    ATTACH = "ATTACH"
    QUIESCE = "QUIESCE"
    TRANSFER = "TRANSFER"
    AUDIT = "AUDIT"
    COMMIT = "COMMIT"


class SessionState(Enum):
    """How far a step-wise update has come. O is the old server, N the new one."""

    IDLE = "idle"
    """No update is open."""
    STARTED = "started"
    """N has started and is held; O serves."""
    QUIESCED = "quiesced"
    """O stands at a quiescent point; there is no N yet."""
    READY = "ready"
    """O stands at a quiescent point and N is held."""
    TRANSFERRED = "transferred"
    """N holds O's state, not yet looked over."""
    AUDITED = "audited"
    """The audit of N was clean."""
    COMMITTED = "committed"
    """N serves; O is gone."""

    @property
    def is_old_paused(self) -> bool:
        """Whether O stands still in this state, so that its clients wait."""
        return self in _PAUSED


_PAUSED = frozenset(
    {SessionState.QUIESCED, SessionState.READY, SessionState.TRANSFERRED, SessionState.AUDITED},
)


class Step(Enum):
    """The steps of a step-wise update. The values are the verbs that take them."""

    START = "start"
    QUIESCE = "quiesce"
    RELEASE = "release"
    TRANSFER = "transfer"
    AUDIT = "audit"
    COMMIT = "commit"
    ROLLBACK = "rollback"


TRANSITIONS: Mapping[Step, Mapping[SessionState, SessionState]] = MappingProxyType(
    {
        Step.START: {SessionState.IDLE: SessionState.STARTED, SessionState.QUIESCED: SessionState.READY},
        Step.QUIESCE: {SessionState.IDLE: SessionState.QUIESCED, SessionState.STARTED: SessionState.READY},
        Step.RELEASE: {SessionState.QUIESCED: SessionState.IDLE, SessionState.READY: SessionState.STARTED},
        Step.TRANSFER: {SessionState.READY: SessionState.TRANSFERRED},
        Step.AUDIT: {SessionState.TRANSFERRED: SessionState.AUDITED},
        Step.COMMIT: {SessionState.AUDITED: SessionState.COMMITTED},
        Step.ROLLBACK: {
            state: SessionState.IDLE
            for state in SessionState
            if state not in (SessionState.IDLE, SessionState.COMMITTED)
        },
    }
)
"""For each step, the states in which it is legal and the state that follows when it succeeds.

A transfer with ``dry_run`` is legal where a transfer is and leaves the state as it was. There is no release after a
transfer: O would run on and what N holds would be out of date; roll back instead.
"""


def states_before(step: Step) -> frozenset[SessionState]:
    """The states in which ``step`` is legal."""
    return frozenset(TRANSITIONS[step])


def state_after(step: Step, state: SessionState) -> SessionState | None:
    """The state that ``step`` leads to from ``state``, None where it is not legal."""
    return TRANSITIONS[step].get(state)
