"""Blocking calls by name: what ends them, and which of them a signal ends with an error. Source: signal(7)."""

from __future__ import annotations

from gdb_mcr.model.profile import EventOrigin
from gdb_mcr.model.stop_point import WaitKind

_INTERNAL = frozenset(
    (
        *("pthread_mutex_lock", "pthread_mutex_timedlock", "pthread_rwlock_rdlock", "pthread_rwlock_wrlock"),
        *("pthread_cond_wait", "pthread_barrier_wait", "pthread_join", "sem_wait", "semop", "msgrcv", "futex"),
        *("sigsuspend", "sigwait", "sigwaitinfo", "pause", "wait", "waitpid", "wait3", "wait4", "waitid"),
    )
)

_EXTERNAL = frozenset(
    (
        *("connect", "write", "writev", "send", "sendto", "sendmsg", "sendfile", "pwrite", "pwritev"),
        *("read", "readv", "pread", "recv", "recvfrom", "recvmsg", "accept", "accept4"),
        *("open", "openat", "fsync", "fdatasync", "sync_file_range", "unlink", "rename", "close", "flock", "fcntl"),
        *("epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect", "io_getevents"),
    )
)

_FAIL_AFTER_SIGNALS = frozenset(
    (
        *("epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect", "io_getevents"),
        *("nanosleep", "clock_nanosleep", "usleep", "sleep"),
        *("sigsuspend", "sigtimedwait", "sigwaitinfo", "pause", "semop", "semtimedop", "msgrcv", "msgsnd"),
    )
)
"""Calls that fail with EINTR after a signal was handled, whatever SA_RESTART says: whoever makes them expects it."""

_BY_KIND = {
    WaitKind.EXTERNAL: EventOrigin.EXTERNAL,
    WaitKind.TIMED: EventOrigin.TIMED,
    WaitKind.INTERNAL: EventOrigin.INTERNAL,
}


def origin_of(call: str, wait: WaitKind) -> EventOrigin:
    """What ends a wait: as libmcr says, else by the name of the call; unknown ones wait for the server itself."""
    if wait in _BY_KIND and call not in _INTERNAL:
        return _BY_KIND[wait]
    return EventOrigin.EXTERNAL if call in _EXTERNAL else EventOrigin.INTERNAL


def may_fail_after_signal(call: str) -> bool:
    """Whether the call's caller must cope with an error at any time, so that the call may be cancelled."""
    return call in _FAIL_AFTER_SIGNALS
