"""What a forked child of N has from its parent was placed by its parent's plan: by O's parent, not by its counterpart.

That is right as long as both processes of O mean the same by an entry of their logs, which begin alike, up to the fork.
An allocation that N makes before a fork and O made behind it would be taken for another one of the child's.
"""

from __future__ import annotations

from collections.abc import Sequence

from gdb_mcr.model.startup_log import Allocation


def count_misplaced(
    old_parent: Sequence[Allocation],
    old_child: Sequence[Allocation],
    new_parent: Sequence[Allocation],
    new_child: Sequence[Allocation],
) -> int:
    """Live allocations that N's child has from its parent and that stand for different ones in O's two processes.

    All are allocation logs; an entry's index is its seq.
    """
    handed_down = (mine for one, mine in zip(new_parent, new_child, strict=False) if _is_same(one, mine))
    return sum(
        1 for one in handed_down if one.plan >= 0 and not one.is_freed and not _agree(old_parent, old_child, one.plan)
    )


def _agree(old_parent: Sequence[Allocation], old_child: Sequence[Allocation], seq: int) -> bool:
    return seq < min(len(old_parent), len(old_child)) and _is_same(old_parent[seq], old_child[seq])


def _is_same(one: Allocation, other: Allocation) -> bool:
    return (one.stack_id, one.nth, one.thread) == (other.stack_id, other.nth, other.thread)
