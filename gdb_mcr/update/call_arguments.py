"""Name and arguments of logged calls, kind by kind. Which argument stands where: native/runtime/hooks_*.c."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable

from gdb_mcr.model.startup_log import LoggedOperation, OperationKind
from gdb_mcr.update import call_constants as c

Parts = tuple[str, Iterable[str]]
"""A call's name, and its arguments."""

TIME_CALLS = ("time", "gettimeofday", "clock_gettime")
"""By the first argument of a TIME operation."""

# How native/runtime/entropy.c tells calls of one kind apart.
_RANDOM_CALLS = {0x100: "getentropy", 0x101: "arc4random", 0x102: "arc4random_buf", 0x103: "arc4random_uniform"}
_RANDOM_DEVICE = 0x104
ARC4RANDOM = frozenset({0x101, 0x103})
"""Second argument of RANDOM operations whose result is the random number itself."""
_FLOCK = struct.Struct("<hhxxxxqqi")  # struct flock


def parts(one: LoggedOperation) -> Parts:
    """The call's name and its arguments."""
    if one.kind is OperationKind.OPEN and not one.returns:
        return "inherited", (_quoted(one.path), c.open_flags(one.args[1]))
    writer = _WRITERS.get(one.kind, _without_arguments)
    return writer(one)


def _without_arguments(one: LoggedOperation) -> Parts:
    return one.kind.name.lower(), ()


def _socket(one: LoggedOperation) -> Parts:
    return "socket", _socket_arguments(*one.args[:3])


def _socketpair(one: LoggedOperation) -> Parts:
    return "socketpair", (*_socket_arguments(*one.args[2:5]), _pair(one))


def _socket_arguments(family: int, kind: int, protocol: int) -> Iterable[str]:
    extra = kind & ~0xF
    types = c.named(kind & 0xF, c.SOCKET_TYPES) + (f"|{c.flags(extra, c.SOCKET_FLAGS)}" if extra else "")
    return c.named(family, c.FAMILIES), types, c.named(protocol, c.PROTOCOLS)


def _to_address(one: LoggedOperation) -> Parts:
    return one.kind.name.lower(), (str(one.args[0]), one.socket_address or "NULL")


def _accept(one: LoggedOperation) -> Parts:
    fd, flags = one.args[:2]
    return ("accept4", (str(fd), c.flags(flags, c.SOCKET_FLAGS))) if flags else ("accept", (str(fd),))


def _numbers(name: str, count: int) -> Callable[[LoggedOperation], Parts]:
    return lambda one: (name, map(str, one.args[:count]))


def _open(one: LoggedOperation) -> Parts:
    directory, flags, mode = one.args[:3]
    arguments = [_quoted(one.path), c.open_flags(flags)]
    if flags & c.O_CREAT:
        arguments.append(f"{mode & 0o7777:#o}".replace("0o", "0"))
    return ("open", arguments) if directory == c.AT_FDCWD else ("openat", (str(directory), *arguments))


def _fopen(one: LoggedOperation) -> Parts:
    return "freopen" if one.args[2] else "fopen", (_quoted(one.path), f'"{_mode(one.args[1])}"')


# The mode of fopen(3) from the flags of open(2).
def _mode(flags: int) -> str:
    plus = flags & c.O_ACCMODE == os.O_RDWR
    letter = "a" if flags & os.O_APPEND else "w" if flags & os.O_TRUNC else "r"
    extra = ("e" if flags & os.O_CLOEXEC else "") + ("x" if flags & os.O_EXCL else "")
    return letter + ("+" if plus else "") + extra


def _dup2(one: LoggedOperation) -> Parts:
    old, new, flags = one.args[:3]
    return ("dup3", (str(old), str(new), c.open_flags(flags))) if flags else ("dup2", (str(old), str(new)))


def _dup(one: LoggedOperation) -> Parts:
    fd, lowest, flags = one.args[:3]
    command = "F_DUPFD_CLOEXEC" if flags else "F_DUPFD"
    return ("fcntl", (str(fd), command, str(lowest))) if lowest or flags else ("dup", (str(fd),))


def _pipe(one: LoggedOperation) -> Parts:
    flags = one.args[2]
    return ("pipe2", (_pair(one), c.flags(flags, c.OPEN_FLAGS))) if flags else ("pipe", (_pair(one),))


def _pair(one: LoggedOperation) -> str:
    return f"[{one.args[0]}, {one.args[1]}]"


def _signalfd(one: LoggedOperation) -> Parts:
    fd, flags, mask = one.args[:3]
    return "signalfd", (str(fd), c.signal_set(mask), c.flags(flags, c.SIGNALFD_FLAGS))


def _setsockopt(one: LoggedOperation) -> Parts:
    fd, level, option = one.args[:3]
    name = c.SOCKET_OPTIONS.get(level, {}).get(option, str(option))
    return "setsockopt", (str(fd), c.named(level, c.LEVELS), name, _value(one.blob))


# An int or two (SO_LINGER). What is longer may be a key (setsockopt of SOL_TLS) and is not shown.
def _value(blob: bytes) -> str:
    if len(blob) == 4:
        return str(struct.unpack("<i", blob)[0])
    return "{{{}, {}}}".format(*struct.unpack("<ii", blob)) if len(blob) == 8 else f"{{{len(blob)} bytes}}"


def _fcntl(one: LoggedOperation) -> Parts:
    fd, command, argument = one.args[:3]
    if command == c.F_SETFL:
        text = c.open_flags(argument)
    elif command == c.F_SETFD:
        text = c.flags(argument, c.FD_FLAGS)
    else:
        text = str(argument)
    return "fcntl", (str(fd), c.named(command, c.FCNTL_COMMANDS), text)


def _mmap(one: LoggedOperation) -> Parts:
    address, size, protection, flags, fd, offset = one.args
    place = hex(address & (1 << 64) - 1) if address else "NULL"
    access = c.flags(protection, c.PROTECTIONS) if protection else "PROT_NONE"
    return "mmap", (place, str(size), access, c.flags(flags, c.MMAP_FLAGS), str(fd), str(offset))


def _random(one: LoggedOperation) -> Parts:
    size, source = one.args[:2]
    if source == _RANDOM_DEVICE:
        return "read", ("a random device", str(size))
    if source in _RANDOM_CALLS:
        return _RANDOM_CALLS[source], () if _RANDOM_CALLS[source] == "arc4random" else (str(size),)
    return "getrandom", (str(size), c.flags(source, c.RANDOM_FLAGS))


def _time_call(one: LoggedOperation) -> Parts:
    call, clock = one.args[:2]
    return TIME_CALLS[call], (c.named(clock, c.CLOCKS),) if TIME_CALLS[call] == "clock_gettime" else ()


def _unlink(one: LoggedOperation) -> Parts:
    directory, flags = one.args[:2]
    if directory == c.AT_FDCWD and not flags:
        return "unlink", (_quoted(one.path),)
    where = "AT_FDCWD" if directory == c.AT_FDCWD else str(directory)
    return "unlinkat", (where, _quoted(one.path), c.flags(flags, c.AT_FLAGS))


def _rename(one: LoggedOperation) -> Parts:
    before, _, after = one.blob.rstrip(b"\0").partition(b"\0")
    return "rename", (_quoted(os.fsdecode(before)), _quoted(os.fsdecode(after)))


def _truncate(one: LoggedOperation) -> Parts:
    fd, size = one.args[:2]
    return ("truncate", (_quoted(one.path), str(size))) if one.blob else ("ftruncate", (str(fd), str(size)))


def _lock(one: LoggedOperation) -> Parts:
    fd, command = one.args[:2]
    if len(one.blob) < _FLOCK.size:
        return "flock", (str(fd), c.flags(command, c.FLOCK_OPERATIONS))
    kind, _, start, size, _ = _FLOCK.unpack_from(one.blob)
    region = f"{{{c.named(kind, c.LOCK_TYPES)}, {start}, {size}}}"
    return "fcntl", (str(fd), c.named(command, c.FCNTL_COMMANDS), region)


def _shmget(one: LoggedOperation) -> Parts:
    key, size, flags = one.args[:3]
    return "shmget", (hex(key) if key else "IPC_PRIVATE", str(size), _permissions(flags))


def _permissions(flags: int) -> str:
    mode = f"{flags & 0o777:#o}".replace("0o", "0")
    return f"{c.flags(flags & ~0o777, c.SHM_FLAGS)}|{mode}" if flags & ~0o777 else mode


def _flagged(name: str, names: dict[int, str], *, index: int = 0) -> Callable[[LoggedOperation], Parts]:
    return lambda one: (name, (*map(str, one.args[:index]), c.flags(one.args[index], names)))


def _named_flagged(name: str, names: dict[int, str]) -> Callable[[LoggedOperation], Parts]:
    return lambda one: (name, (_quoted(one.path), c.flags(one.args[0], names)))


_K = OperationKind
_WRITERS: dict[OperationKind, Callable[[LoggedOperation], Parts]] = {
    _K.SOCKET: _socket,
    _K.SOCKETPAIR: _socketpair,
    _K.BIND: _to_address,
    _K.LISTEN: _numbers("listen", 2),
    _K.CONNECT: _to_address,
    _K.ACCEPT: _accept,
    _K.OPEN: _open,
    _K.FOPEN: _fopen,
    _K.DUP: _dup,
    _K.DUP2: _dup2,
    _K.PIPE: _pipe,
    _K.EVENTFD: _flagged("eventfd", c.EVENTFD_FLAGS, index=1),
    _K.EPOLL_CREATE: _flagged("epoll_create1", c.EPOLL_FLAGS),
    _K.TIMERFD: lambda one: (
        "timerfd_create",
        (c.named(one.args[0], c.CLOCKS), c.flags(one.args[1], c.TIMERFD_FLAGS)),
    ),
    _K.SIGNALFD: _signalfd,
    _K.INOTIFY: _flagged("inotify_init1", c.INOTIFY_FLAGS),
    _K.MEMFD: _named_flagged("memfd_create", c.MEMFD_FLAGS),
    _K.CLOSE: _numbers("close", 1),
    _K.FCLOSE: lambda one: ("fclose", (f"descriptor {one.args[1]}",)),
    _K.SETSOCKOPT: _setsockopt,
    _K.FCNTL: _fcntl,
    _K.MMAP: _mmap,
    _K.SHMGET: _shmget,
    _K.CLONE: lambda one: ("clone", (hex(one.args[0] & (1 << 64) - 1),)),
    _K.DAEMON: _numbers("daemon", 2),
    _K.RANDOM: _random,
    _K.TIME: _time_call,
    _K.UNLINK: _unlink,
    _K.RENAME: _rename,
    _K.TRUNCATE: _truncate,
    _K.KILL: lambda one: ("kill", (str(one.args[0]), c.named(one.args[1], c.SIGNALS))),
    _K.LOCK: _lock,
    _K.SEND: lambda one: ("send", (str(one.args[0]), f"{one.args[1]} bytes")),
    _K.DLOPEN: _named_flagged("dlopen", c.DLOPEN_FLAGS),
}


# Whatever could confuse a terminal is escaped.
def _quoted(text: str) -> str:
    escaped = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text.replace("\\", "\\\\"))
    return '"' + escaped.replace('"', '\\"') + '"'
