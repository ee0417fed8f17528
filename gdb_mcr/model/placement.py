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


class AllocationPair(NamedTuple):
    """A start-up allocation of O and its counterpart in N, both live."""

    address: int
    """Of O's, now."""
    new_address: int
    new_size: int
    base_address: int
    """Where O's stood at the end of its start-up; base_size 0 = it was not there yet."""
    base_size: int


class LostPlace(NamedTuple):
    """An allocation of N that was placed where O has another live chunk by now."""

    new_seq: int
    old_seq: int
    address: int
