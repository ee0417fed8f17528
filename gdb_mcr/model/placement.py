"""The placement plan: which start-up allocations of N take the places of which of O (DESIGN section 6)."""

from __future__ import annotations

from typing import NamedTuple


class PlanEntry(NamedTuple):
    """One start-up allocation of N and its counterpart in O (struct mcr_plan_entry)."""

    thread_key: int
    """mcr_thread_key() of the thread that makes it."""
    stack_id: int
    nth: int
    """0-based count among this thread's allocations with this stack_id, in N."""
    old_seq: int
    """In O's allocation log."""
    size: int
    """Bytes that the rehearsal asked for at first; if N asks for another size it has diverged."""
    address: int
    """Where to put it; 0 = anywhere."""
    capacity: int
    """Bytes available at `address`."""
