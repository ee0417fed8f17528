"""Counts how often a thread executes an instruction, without ever stopping it.

The kernel counts by a debug register of the thread's own, of which there are four. Nobody is told, nothing is written
into the program, and when this process ends the counter is gone.
Source: perf_event_open(2), PERF_TYPE_BREAKPOINT.
"""

from __future__ import annotations

import ctypes
import os
import struct

COUNTERS_PER_THREAD = 4
"""Debug registers of x86."""

_PERF_EVENT_OPEN = 298  # system call number on x86-64
_TYPE_BREAKPOINT, _BREAKPOINT_EXECUTE = 5, 4
_EXCLUDE_KERNEL_AND_HYPERVISOR = 1 << 5 | 1 << 6
_CLOSE_ON_EXEC = 8
_ATTRIBUTES = struct.Struct("<IIQQQQQIIQQ")  # struct perf_event_attr up to bp_len, 72 bytes (PERF_ATTR_SIZE_VER1)

_libc = ctypes.CDLL(None, use_errno=True)


class ExecutionCounter:
    """Counts from now on. Close it at the end."""

    def __init__(self, tid: int, address: int) -> None:
        """
        :param address: of the instruction.
        :raises OSError: the thread has ended, its debug registers are all in use, or the kernel refuses such counters.
        """
        size = _ATTRIBUTES.size
        flags = _EXCLUDE_KERNEL_AND_HYPERVISOR
        fields = (
            _TYPE_BREAKPOINT,
            size,
            0,
            0,
            0,
            0,
            flags,
            0,
            _BREAKPOINT_EXECUTE,
            address,
            ctypes.sizeof(ctypes.c_long),
        )
        attributes = ctypes.create_string_buffer(_ATTRIBUTES.pack(*fields), size)
        self._descriptor = int(_libc.syscall(_PERF_EVENT_OPEN, attributes, tid, -1, -1, _CLOSE_ON_EXEC))
        if self._descriptor < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def count(self) -> int:
        """Times so far; it can be asked after the thread's end, too."""
        return int.from_bytes(os.read(self._descriptor, 8), "little")

    def close(self) -> None:
        """Gives the debug register back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
