"""Whether N's threads wait where O's do. Source: seed, "mutable reinitialization": the same quiescent state.

A thread of N that only waits for other threads (a condition) while its counterpart in O was on its way through its
loop would sleep on, although what it waits for may be true in the state that it has received.
"""

from __future__ import annotations

from collections.abc import Sequence

from gdb_mcr.model.startup_log import ThreadEntry, WaitKind


def threads_to_wake(old: Sequence[ThreadEntry], new: Sequence[ThreadEntry]) -> list[int]:
    """Indexes of N's threads that wait for other threads where their counterparts in O do not."""
    theirs = {one.key: one for one in old if not one.exited}
    return [
        one.index
        for one in new
        if not one.exited
        and one.wait is WaitKind.INTERNAL
        and one.key in theirs
        and theirs[one.key].wait is not WaitKind.INTERNAL
    ]
