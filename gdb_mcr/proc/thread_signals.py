"""Signals to single threads. Source: tgkill(2)."""

from __future__ import annotations

import ctypes

_TGKILL = 234  # x86-64
_libc = ctypes.CDLL(None, use_errno=True)


def signal_thread(pid: int, tid: int, number: int) -> bool:
    """Sends the signal to the thread; False if it is gone, or not ours to signal."""
    return bool(_libc.syscall(_TGKILL, pid, tid, number) == 0)
