"""What libmcr recorded of a server's start: operations, allocations, threads, modules, inputs, launch facts.

Source: DESIGN section 4; native/mcr_abi.h, whose numbers the enums repeat.
"""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import NamedTuple

_MASK = (1 << 64) - 1

OperationKind = IntEnum(
    "OperationKind",
    "SOCKET SOCKETPAIR BIND LISTEN CONNECT ACCEPT OPEN FOPEN DUP DUP2 PIPE EVENTFD "
    "EPOLL_CREATE TIMERFD SIGNALFD INOTIFY MEMFD CLOSE FCLOSE SETSOCKOPT FCNTL MMAP "
    "SHMGET FORK VFORK CLONE DAEMON THREAD_CREATE GETPID GETPPID GETTID SETSID "
    "RANDOM TIME UNLINK RENAME TRUNCATE KILL LOCK SEND DLOPEN",
    start=0,
)
"""enum mcr_operation_kind."""

_WITH_PATH = frozenset(
    (
        *(OperationKind.OPEN, OperationKind.FOPEN, OperationKind.MEMFD, OperationKind.UNLINK),
        *(OperationKind.RENAME, OperationKind.TRUNCATE, OperationKind.DLOPEN),
    )
)
_WITH_ADDRESS = frozenset((OperationKind.BIND, OperationKind.CONNECT))
_MAKES_TWO = frozenset((OperationKind.PIPE, OperationKind.SOCKETPAIR))
_MAKES_ONE = frozenset(
    (
        *(OperationKind.SOCKET, OperationKind.ACCEPT, OperationKind.OPEN, OperationKind.FOPEN, OperationKind.DUP),
        *(OperationKind.DUP2, OperationKind.EVENTFD, OperationKind.EPOLL_CREATE, OperationKind.TIMERFD),
        *(OperationKind.SIGNALFD, OperationKind.INOTIFY, OperationKind.MEMFD),
    )
)


class OperationFlag(IntFlag):
    """enum mcr_operation_flag."""

    MATCHED = 1
    LIVE = 2
    CONFLICT = 4
    WITHHELD = 8
    GONE = 16


class AllocationFlag(IntFlag):
    """enum mcr_allocation_flag."""

    FREED = 1
    PLACED = 2
    PLANNED = 4
    DIVERGED = 8


class WaitKind(IntEnum):
    """enum mcr_wait_kind."""

    NONE = 0
    EXTERNAL = 1
    TIMED = 2
    INTERNAL = 3
    HELD = 4


@dataclass(frozen=True, slots=True)
class LoggedOperation:
    """One call that start-up made on an object that N must have, too (struct mcr_operation)."""

    seq: int
    kind: OperationKind
    flags: OperationFlag
    thread: int
    """Index in the thread table."""
    error: int
    """errno, 0 on success."""
    stack_id: int
    """Call stack ID."""
    result: int
    args: tuple[int, ...]
    """Six words as passed, signed."""
    blob: bytes
    """What an address argument pointed to: path, socket address, random bytes…"""
    match: int | None
    """N: seq of O's operation that this one was matched with."""
    returns: tuple[int, ...]
    """Return addresses, innermost first."""

    @property
    def path(self) -> str:
        """The file name that it was given, "" if its kind has none."""
        return os.fsdecode(self.blob.rstrip(b"\0")) if self.kind in _WITH_PATH else ""

    @property
    def socket_address(self) -> str:
        """The address that it was given, as users write it; "" if its kind has none."""
        return describe_socket_address(self.blob) if self.kind in _WITH_ADDRESS else ""

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The descriptor numbers that it made."""
        if self.error:
            return ()
        if self.kind in _MAKES_TWO:
            return self.args[:2]
        return (self.result,) if self.kind in _MAKES_ONE else ()


# Plain numbers: an enum's "&" takes a microsecond, and these are asked for in the pause.
_FREED, _PLACED, _DIVERGED = (
    one.value for one in (AllocationFlag.FREED, AllocationFlag.PLACED, AllocationFlag.DIVERGED)
)


class Allocation(NamedTuple):
    """One start-up allocation (struct mcr_allocation). A tuple, since a log has hundred thousands of them."""

    seq: int
    thread: int
    """Index in the thread table."""
    stack_id: int
    nth: int
    """0-based count among this thread's allocations with this stack_id."""
    site: int
    """Index in the site table."""
    address: int
    size: int
    """Exact, in bytes, now; it follows realloc."""
    first_size: int
    base_address: int
    """Where it stood at the end of start-up; base_size 0 = freed before that."""
    base_size: int
    flags: int
    """AllocationFlag."""
    plan: int
    """N: seq in O's allocation log, -1 none."""

    @property
    def is_freed(self) -> bool:
        """Whether it has been freed since."""
        return self.flags & _FREED != 0

    @property
    def is_placed(self) -> bool:
        """N: whether the plan said where to put it."""
        return self.flags & _PLACED != 0

    @property
    def is_diverged(self) -> bool:
        """N: whether it asked for another size than in the rehearsal."""
        return self.flags & _DIVERGED != 0


@dataclass(frozen=True, slots=True)
class ThreadEntry:
    """One thread that libmcr knows of (struct mcr_thread)."""

    index: int
    tid: int
    creation_id: int
    """Call stack ID of its pthread_create, 0 for the initial thread."""
    ordinal: int
    """0-based count among threads of this creation_id."""
    parent: int
    start_routine: int
    handle: int
    """pthread_t."""
    wait: WaitKind
    waited_once: bool
    exited: bool
    wait_pc: int
    """Return address of the wait it is in."""

    @property
    def key(self) -> int:
        """mcr_thread_key(): the same for the counterpart in N."""
        return fold_stack(self.creation_id, self.ordinal)


class SiteEntry(NamedTuple):
    """One allocation site (struct mcr_site)."""

    generation: int
    returns: tuple[int, ...]
    """Absolute return addresses in that generation's modules, innermost first."""


@dataclass(frozen=True, slots=True)
class ModuleEntry:
    """An ELF file as some generation loaded it (struct mcr_module)."""

    generation: int
    build_id: str
    """Hexadecimal."""
    base: int
    """Load bias: address = base + ELF virtual address."""
    start: int
    end: int
    """[start, end) of its mappings."""
    path: str


@dataclass(frozen=True, slots=True)
class StartupInput:
    """A file that start-up read (struct mcr_input)."""

    path: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    hash: int
    """FNV-1a of its bytes at the end of start-up, 0 if unreadable or too large."""
    early: int = 0
    """The snapshot of the server's memory before it was read, 0 if there is none."""


@dataclass(frozen=True, slots=True)
class LaunchFacts:
    """How the server was started, before its program changed any of it (struct mcr_launch_facts)."""

    argv: tuple[bytes, ...]
    environ: tuple[bytes, ...]
    """NAME=VALUE entries; libmcr's own LD_PRELOAD entry is taken out."""
    uids: tuple[int, int, int]
    """Real, effective, saved."""
    gids: tuple[int, int, int]
    umask: int
    groups: tuple[int, ...]
    capabilities: tuple[int, ...]
    """Bit sets: inheritable, permitted, effective, bounding, ambient."""
    rlimits: tuple[tuple[int, int], ...]
    """(soft, hard) by RLIMIT_ number; 2**64 - 1 = unlimited."""
    signal_mask: int
    """Bit n-1 is signal n."""
    signals_ignored: int
    affinity: frozenset[int]
    """CPU numbers."""
    at_random: bytes
    namespaces: tuple[int, ...]
    """Inode numbers: cgroup ipc mnt net pid time user uts."""
    cwd: str
    root: str
    exe: str


@dataclass(frozen=True, slots=True)
class StartupLog:
    """Everything of the above about one process."""

    operations: tuple[LoggedOperation, ...]
    allocations: tuple[Allocation, ...]
    threads: tuple[ThreadEntry, ...]
    modules: tuple[ModuleEntry, ...]
    inputs: tuple[StartupInput, ...]
    facts: LaunchFacts


def fold_stack(stack_id: int, frame_hash: int) -> int:
    """mcr_stack_fold() of mcr_abi.h: how call stack IDs and thread keys are composed."""
    folded = ((stack_id ^ frame_hash) * 0x9E3779B97F4A7C15) & _MASK
    return folded ^ (folded >> 29)


def describe_socket_address(data: bytes) -> str:
    """A struct sockaddr as users write it: 127.0.0.1:80, [::1]:80, a path, @name for abstract ones.

    Source: ip(7), ipv6(7), unix(7).
    """
    if len(data) < 2:
        return ""
    family = struct.unpack_from("<H", data)[0]
    if family == socket.AF_INET and len(data) >= 8:
        return f"{socket.inet_ntop(socket.AF_INET, data[4:8])}:{struct.unpack_from('>H', data, 2)[0]}"
    if family == socket.AF_INET6 and len(data) >= 24:
        return f"[{socket.inet_ntop(socket.AF_INET6, data[8:24])}]:{struct.unpack_from('>H', data, 2)[0]}"
    if family == socket.AF_UNIX:
        name = data[2:]
        return "@" + os.fsdecode(name[1:]) if name[:1] == b"\0" else os.fsdecode(name.partition(b"\0")[0])
    return f"address family {family}: {data[2:].hex()}"
