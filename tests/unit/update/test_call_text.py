"""Logged operations as C calls."""

from __future__ import annotations

import errno
import struct

import pytest

from gdb_mcr.model.startup_log import LoggedOperation, OperationFlag, OperationKind
from gdb_mcr.update.call_text import CallWriter

K = OperationKind
HOST = struct.pack("<H", 2) + struct.pack(">H", 80) + bytes((127, 0, 0, 1)) + bytes(8)
TIMESPEC = struct.pack("<qq", 12, 5)


def _operation(
    kind: OperationKind,
    *args: int,
    result: int = 0,
    error: int = 0,
    blob: bytes = b"",
    flags: OperationFlag = OperationFlag(0),  # noqa: B008 - a constant
    returns: tuple[int, ...] = (0x1000,),
) -> LoggedOperation:
    padded = (*args, *(0 for _ in range(6 - len(args))))
    return LoggedOperation(0, kind, flags, 0, error, 1, result, padded, blob, None, returns)


CASES = {
    "socket(AF_INET6, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, IPPROTO_TCP) = 5": _operation(
        K.SOCKET, 10, 1 | 0o4000 | 0o2000000, 6, result=5
    ),
    "socketpair(AF_UNIX, SOCK_DGRAM, 0, [3, 4]) = 0": _operation(K.SOCKETPAIR, 3, 4, 1, 2, 0),
    "bind(5, 127.0.0.1:80) = -1 EADDRINUSE": _operation(K.BIND, 5, result=-1, error=errno.EADDRINUSE, blob=HOST),
    'open("/etc/passwd", O_RDONLY|O_CLOEXEC) = 3': _operation(K.OPEN, -100, 0o2000000, result=3, blob=b"/etc/passwd\0"),
    'open("log", O_WRONLY|O_CREAT|O_APPEND, 0640) = 3': _operation(
        K.OPEN, -100, 0o2101, 0o640, result=3, blob=b"log\0"
    ),
    'openat(7, "x\\n\\"", O_RDWR) = 3': _operation(K.OPEN, 7, 2, result=3, blob=b'x\n"\0'),
    'inherited("/dev/null", O_RDWR) = 0': _operation(K.OPEN, -100, 2, blob=b"/dev/null", returns=()),
    'fopen("f", "a+") = descriptor 8': _operation(K.FOPEN, 0x5500, 0o2102, 0, result=8, blob=b"f\0"),
    "dup(1) = 6, closed since": _operation(K.DUP, 1, result=6, flags=OperationFlag.GONE),
    "fcntl(1, F_DUPFD_CLOEXEC, 10) = 10": _operation(K.DUP, 1, 10, 0o2000000, result=10),
    "pipe([3, 4]) = 0": _operation(K.PIPE, 3, 4),
    "eventfd(0, EFD_NONBLOCK) = 6": _operation(K.EVENTFD, 0, 0o4000, result=6),
    "signalfd(-1, {SIGINT, SIGTERM}, SFD_CLOEXEC) = 6": _operation(K.SIGNALFD, -1, 0o2000000, 0x4002, result=6),
    'memfd_create("pool", MFD_CLOEXEC) = 6': _operation(K.MEMFD, 1, result=6, blob=b"pool\0"),
    "setsockopt(5, SOL_SOCKET, SO_LINGER, {1, 5}) = 0": _operation(
        K.SETSOCKOPT, 5, 1, 13, blob=struct.pack("ii", 1, 5)
    ),
    "fcntl(5, F_SETFD, FD_CLOEXEC) = 0": _operation(K.FCNTL, 5, 2, 1),
    "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000": _operation(
        K.MMAP, 0, 4096, 3, 0x21, -1, 0, result=0x7F0000000000
    ),
    "pthread_create(f0x40) = thread 3": _operation(K.THREAD_CREATE, 3, 0x40),
    "pthread_create(f0x40) = EAGAIN": _operation(K.THREAD_CREATE, 3, 0x40, result=11, error=errno.EAGAIN),
    "fork() = 99": _operation(K.FORK, result=99),
    "clock_gettime(CLOCK_MONOTONIC) = 12.000000005": _operation(K.TIME, 2, 1, blob=TIMESPEC),
    "gettimeofday() = 12.000005": _operation(K.TIME, 1, blob=TIMESPEC),
    'rename("a", "b") = 0, withheld until the commit': _operation(
        K.RENAME, -100, -100, blob=b"a\0b\0", flags=OperationFlag.WITHHELD
    ),
    "ftruncate(4, 0) = 0": _operation(K.TRUNCATE, 4, 0),
    "kill(12, SIGTERM) = 0": _operation(K.KILL, 12, 15),
    "flock(4, LOCK_EX|LOCK_NB) = 0": _operation(K.LOCK, 4, 6),
    "fcntl(4, F_SETLK, {F_WRLCK, 0, 10}) = 0": _operation(
        K.LOCK, 4, 6, blob=struct.pack("<hhxxxxqqixxxx", 1, 0, 0, 10, 0)
    ),
}


@pytest.mark.parametrize("text", CASES)
def test_call_reads_as_it_was_written(text: str) -> None:
    assert _text(CASES[text]) == text


def test_every_kind_can_be_written() -> None:
    for kind in OperationKind:
        assert _text(_operation(kind))


@pytest.mark.parametrize("source", [0, 0x100, 0x101, 0x102, 0x103, 0x104])
def test_random_numbers_are_not_told(source: int) -> None:
    secret = 0x1234567
    text = _text(
        _operation(K.RANDOM, 4, source, result=secret if source in (0x101, 0x103) else 4, blob=b"\x67\x45\x23\x01")
    )
    assert str(secret) not in text
    assert "67" not in text


def test_what_may_be_a_key_is_not_told() -> None:
    assert _text(_operation(K.SETSOCKOPT, 5, 282, 1, blob=b"k" * 40)) == "setsockopt(5, 282, 1, {40 bytes}) = 0"


def _text(one: LoggedOperation) -> str:
    call = CallWriter(lambda address: f"f{address:#x}", lambda index: f"thread {index}").write(one)
    return f"{call.name}({call.arguments}) = {call.result}"
