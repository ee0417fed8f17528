"""Logged operations as the calls that a C program wrote.

What random calls returned is not shown: seeds of hash tables and of session keys are secrets.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gdb_mcr.model.startup_log import LoggedOperation, OperationFlag, OperationKind
from gdb_mcr.update.call_arguments import ARC4RANDOM, TIME_CALLS, parts


@dataclass(frozen=True, slots=True)
class CallText:
    """A call in three pieces: ``name(arguments) = result``."""

    name: str
    arguments: str
    result: str


class CallWriter:
    """Writes the calls of one log."""

    def __init__(self, function: Callable[[int], str], thread: Callable[[int], str]) -> None:
        """:param function: names the function at an address; ``thread`` names the thread of an index."""
        self._function = function
        self._thread = thread

    def write(self, one: LoggedOperation) -> CallText:
        """The call, its arguments and its result as users write them."""
        result = ", ".join((self._result(one), *_fate(one)))
        if one.kind is OperationKind.THREAD_CREATE:
            return CallText("pthread_create", self._function(one.args[1]), result)
        name, arguments = parts(one)
        return CallText(name, ", ".join(arguments), result)

    def _result(self, one: LoggedOperation) -> str:
        if one.error:
            code = errno.errorcode.get(one.error, str(one.error))
            return code if one.kind is OperationKind.THREAD_CREATE else f"{one.result} {code}"
        if one.kind is OperationKind.THREAD_CREATE:
            return self._thread(one.args[0])
        if one.kind is OperationKind.TIME:
            return _time(one)
        if one.kind is OperationKind.RANDOM and one.args[1] in ARC4RANDOM:
            return "a random number"
        if one.kind is OperationKind.FOPEN:
            return f"descriptor {one.result}"
        return hex(one.result & (1 << 64) - 1) if one.kind in _ADDRESSES else str(one.result)


_ADDRESSES = frozenset({OperationKind.MMAP, OperationKind.DLOPEN})
_FATES = {
    OperationFlag.GONE: "closed since",
    OperationFlag.MATCHED: "replayed",
    OperationFlag.CONFLICT: "conflict",
    OperationFlag.WITHHELD: "withheld until the commit",
}


def _fate(one: LoggedOperation) -> Iterable[str]:
    return (text for flag, text in _FATES.items() if flag in one.flags)


# Seconds; behind the point microseconds (struct timeval) or nanoseconds (struct timespec).
def _time(one: LoggedOperation) -> str:
    if len(one.blob) < struct.calcsize("<qq"):
        return str(one.result)
    seconds, part = struct.unpack_from("<qq", one.blob)
    return f"{seconds}.{part:0{6 if TIME_CALLS[one.args[0]] == 'gettimeofday' else 9}}"
