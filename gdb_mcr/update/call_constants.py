"""Names of the numbers in logged calls, as C programs write them.

Source: the headers of Linux for x86-64 and of glibc (<fcntl.h>, <sys/socket.h>, <sys/mman.h>, <signal.h>, <time.h>…).
"""

from __future__ import annotations

import signal
from collections.abc import Mapping

AT_FDCWD = -100
O_CREAT = 0o100
O_ACCMODE = 3

ACCESS_MODES = {0: "O_RDONLY", 1: "O_WRONLY", 2: "O_RDWR", 3: "O_ACCMODE"}
OPEN_FLAGS = {
    0o20000000 | 0o200000: "O_TMPFILE",
    0o4010000: "O_SYNC",
    O_CREAT: "O_CREAT",
    0o200: "O_EXCL",
    0o400: "O_NOCTTY",
    0o1000: "O_TRUNC",
    0o2000: "O_APPEND",
    0o4000: "O_NONBLOCK",
    0o10000: "O_DSYNC",
    0o20000: "O_ASYNC",
    0o40000: "O_DIRECT",
    0o100000: "O_LARGEFILE",
    0o200000: "O_DIRECTORY",
    0o400000: "O_NOFOLLOW",
    0o1000000: "O_NOATIME",
    0o2000000: "O_CLOEXEC",
    0o10000000: "O_PATH",
}

FAMILIES = {0: "AF_UNSPEC", 1: "AF_UNIX", 2: "AF_INET", 10: "AF_INET6", 16: "AF_NETLINK", 17: "AF_PACKET"}
SOCKET_TYPES = {1: "SOCK_STREAM", 2: "SOCK_DGRAM", 3: "SOCK_RAW", 5: "SOCK_SEQPACKET"}
SOCKET_FLAGS = {0o4000: "SOCK_NONBLOCK", 0o2000000: "SOCK_CLOEXEC"}
PROTOCOLS = {0: "0", 1: "IPPROTO_ICMP", 6: "IPPROTO_TCP", 17: "IPPROTO_UDP", 41: "IPPROTO_IPV6"}
LEVELS = {1: "SOL_SOCKET", 0: "IPPROTO_IP", 6: "IPPROTO_TCP", 17: "IPPROTO_UDP", 41: "IPPROTO_IPV6"}
SOCKET_OPTIONS: Mapping[int, Mapping[int, str]] = {
    1: {
        2: "SO_REUSEADDR",
        4: "SO_ERROR",
        5: "SO_DONTROUTE",
        6: "SO_BROADCAST",
        7: "SO_SNDBUF",
        8: "SO_RCVBUF",
        9: "SO_KEEPALIVE",
        10: "SO_OOBINLINE",
        13: "SO_LINGER",
        15: "SO_REUSEPORT",
        16: "SO_PASSCRED",
        18: "SO_RCVLOWAT",
        19: "SO_SNDLOWAT",
        20: "SO_RCVTIMEO",
        21: "SO_SNDTIMEO",
        25: "SO_BINDTODEVICE",
        26: "SO_ATTACH_FILTER",
        29: "SO_TIMESTAMP",
        36: "SO_MARK",
        46: "SO_BUSY_POLL",
    },
    0: {1: "IP_TOS", 2: "IP_TTL", 8: "IP_PKTINFO", 15: "IP_FREEBIND", 19: "IP_TRANSPARENT", 10: "IP_MTU_DISCOVER"},
    6: {
        1: "TCP_NODELAY",
        2: "TCP_MAXSEG",
        3: "TCP_CORK",
        4: "TCP_KEEPIDLE",
        5: "TCP_KEEPINTVL",
        6: "TCP_KEEPCNT",
        9: "TCP_DEFER_ACCEPT",
        12: "TCP_QUICKACK",
        13: "TCP_CONGESTION",
        18: "TCP_USER_TIMEOUT",
        23: "TCP_FASTOPEN",
    },
    41: {26: "IPV6_V6ONLY", 49: "IPV6_RECVPKTINFO", 66: "IPV6_RECVTCLASS", 67: "IPV6_TCLASS"},
}

FCNTL_COMMANDS = {
    0: "F_DUPFD",
    1: "F_GETFD",
    2: "F_SETFD",
    3: "F_GETFL",
    4: "F_SETFL",
    6: "F_SETLK",
    7: "F_SETLKW",
    8: "F_SETOWN",
    10: "F_SETSIG",
    15: "F_SETOWN_EX",
    37: "F_OFD_SETLK",
    38: "F_OFD_SETLKW",
    1024: "F_SETLEASE",
    1030: "F_DUPFD_CLOEXEC",
    1031: "F_SETPIPE_SZ",
    1033: "F_ADD_SEALS",
}
F_SETFD, F_SETFL = 2, 4
FD_FLAGS = {1: "FD_CLOEXEC"}
LOCK_TYPES = {0: "F_RDLCK", 1: "F_WRLCK", 2: "F_UNLCK"}
FLOCK_OPERATIONS = {1: "LOCK_SH", 2: "LOCK_EX", 4: "LOCK_NB", 8: "LOCK_UN"}

PROTECTIONS = {1: "PROT_READ", 2: "PROT_WRITE", 4: "PROT_EXEC"}
MMAP_FLAGS = {
    3: "MAP_SHARED_VALIDATE",
    1: "MAP_SHARED",
    2: "MAP_PRIVATE",
    0x10: "MAP_FIXED",
    0x20: "MAP_ANONYMOUS",
    0x40: "MAP_32BIT",
    0x100: "MAP_GROWSDOWN",
    0x2000: "MAP_LOCKED",
    0x4000: "MAP_NORESERVE",
    0x8000: "MAP_POPULATE",
    0x20000: "MAP_STACK",
    0x40000: "MAP_HUGETLB",
    0x100000: "MAP_FIXED_NOREPLACE",
}
EVENTFD_FLAGS = {1: "EFD_SEMAPHORE", 0o4000: "EFD_NONBLOCK", 0o2000000: "EFD_CLOEXEC"}
EPOLL_FLAGS = {0o2000000: "EPOLL_CLOEXEC"}
TIMERFD_FLAGS = {0o4000: "TFD_NONBLOCK", 0o2000000: "TFD_CLOEXEC"}
SIGNALFD_FLAGS = {0o4000: "SFD_NONBLOCK", 0o2000000: "SFD_CLOEXEC"}
INOTIFY_FLAGS = {0o4000: "IN_NONBLOCK", 0o2000000: "IN_CLOEXEC"}
MEMFD_FLAGS = {1: "MFD_CLOEXEC", 2: "MFD_ALLOW_SEALING", 4: "MFD_HUGETLB"}
DLOPEN_FLAGS = {1: "RTLD_LAZY", 2: "RTLD_NOW", 4: "RTLD_NOLOAD", 8: "RTLD_DEEPBIND", 0x100: "RTLD_GLOBAL"}
RANDOM_FLAGS = {1: "GRND_NONBLOCK", 2: "GRND_RANDOM", 4: "GRND_INSECURE"}
AT_FLAGS = {0x200: "AT_REMOVEDIR"}
SHM_FLAGS = {0o1000: "IPC_CREAT", 0o2000: "IPC_EXCL", 0o4000: "SHM_HUGETLB"}
CLOCKS = {
    0: "CLOCK_REALTIME",
    1: "CLOCK_MONOTONIC",
    2: "CLOCK_PROCESS_CPUTIME_ID",
    3: "CLOCK_THREAD_CPUTIME_ID",
    4: "CLOCK_MONOTONIC_RAW",
    5: "CLOCK_REALTIME_COARSE",
    6: "CLOCK_MONOTONIC_COARSE",
    7: "CLOCK_BOOTTIME",
    11: "CLOCK_TAI",
}

SIGNALS = {int(one): one.name for one in signal.Signals}


def named(value: int, names: Mapping[int, str]) -> str:
    """The number's name, or the number."""
    return names.get(value, str(value))


def flags(value: int, names: Mapping[int, str]) -> str:
    """The names of the set bits joined by ``|``, what has no name in hexadecimal behind them; ``0`` if none is set.

    Names of several bits come before those of single ones in ``names``.
    """
    words = []
    for bits, name in names.items():
        if value & bits == bits:
            words.append(name)
            value &= ~bits
    if value:
        words.append(hex(value))
    return "|".join(words) or "0"


def open_flags(value: int) -> str:
    """The second argument of open(2)."""
    mode = ACCESS_MODES[value & O_ACCMODE]
    rest = value & ~O_ACCMODE
    return f"{mode}|{flags(rest, OPEN_FLAGS)}" if rest else mode


def signal_set(mask: int) -> str:
    """A signal mask (bit n-1 is signal n) as a set: ``{SIGINT, SIGTERM}``."""
    return "{" + ", ".join(named(n, SIGNALS) for n in range(1, 65) if mask >> (n - 1) & 1) + "}"
