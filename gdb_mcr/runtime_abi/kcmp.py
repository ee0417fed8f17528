"""Whether two descriptor numbers of two processes are one open file. Source: kcmp(2)."""

from __future__ import annotations

import ctypes
import errno
import os

from gdb_mcr.errors import TargetError

_SYS_KCMP = 312  # x86-64
_KCMP_FILE = 0
_libc = ctypes.CDLL(None, use_errno=True)


def is_same_file(pid: int, number: int, other_pid: int, other_number: int) -> bool:
    """Whether both refer to one open file description (not only to one file). A closed number is no file.

    :raises TargetError: one of the processes may not be looked at, or the kernel cannot tell.
    """
    order = _libc.syscall(_SYS_KCMP, pid, other_pid, _KCMP_FILE, ctypes.c_ulong(number), ctypes.c_ulong(other_number))
    if order >= 0:
        return bool(order == 0)
    code = ctypes.get_errno()
    if code == errno.EBADF:
        return False
    raise TargetError(
        f"descriptors of process {other_pid} cannot be compared: {os.strerror(code)}",
        hint="run gdb_mcr as root or as the user that the server runs as, on a kernel with CONFIG_KCMP",
    )
