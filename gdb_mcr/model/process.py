"""What /proc says of a process, as values. Source: proc(5)."""

from __future__ import annotations

from dataclasses import dataclass

from gdb_mcr.units import Range


@dataclass(frozen=True, slots=True)
class Mapping:
    """A line of /proc/PID/maps."""

    range: Range
    readable: bool
    writable: bool
    executable: bool
    private: bool
    """Copy on write; otherwise shared."""
    offset: int
    """Bytes into the file."""
    device: int
    """As os.makedev; 0 = no file. On some file systems (btrfs, overlayfs) not the one of stat(2)."""
    inode: int
    """0 = no file."""
    path: str
    """A path, a name such as ``[stack]``, or empty; ``is_deleted`` says whether the file is gone."""

    @property
    def is_file(self) -> bool:
        """Whether a file backs it, an unlinked one or a memfd included."""
        return self.inode != 0

    @property
    def is_deleted(self) -> bool:
        """Whether the file had no name any more."""
        return self.path.endswith(" (deleted)")

    @property
    def is_reserved(self) -> bool:
        """Whether it only keeps addresses: no access, no file."""
        return not (self.readable or self.writable or self.executable or self.inode)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """An open file descriptor: its link in /proc/PID/fd and its /proc/PID/fdinfo."""

    number: int
    target: str
    """Path, or what the kernel calls the object: ``socket:[123]``, ``anon_inode:[eventpoll]``."""
    inode: int
    """Inode number of the open file; all anonymous inodes share one."""
    position: int
    """File offset in bytes."""
    flags: int
    """O_* as in open(2); O_CLOEXEC is the descriptor's own."""
    watches: tuple[EpollWatch, ...] = ()
    """Of an epoll instance, by descriptor number."""

    @property
    def is_epoll(self) -> bool:
        """Whether it is an epoll instance."""
        return self.target == "anon_inode:[eventpoll]"

    @property
    def is_socket(self) -> bool:
        """Whether it is a socket."""
        return self.target.startswith("socket:")


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket as the kernel's tables in /proc/PID/net list it."""

    inode: int
    """As in a descriptor's target, ``socket:[inode]``."""
    protocol: str
    """tcp, udp or unix."""
    local: str
    """``127.0.0.1:80``, ``[::1]:80``; of a unix socket its path (``@name`` if abstract), "" if it has none."""
    remote: str
    """"" if it is not connected, or unknown (unix sockets)."""
    is_listening: bool


@dataclass(frozen=True, slots=True)
class EpollWatch:
    """A ``tfd:`` line of an epoll instance's fdinfo: one registration."""

    fd: int
    """Its number when it was registered."""
    events: int
    """EPOLLIN… as the kernel shows it; a disarmed EPOLLONESHOT shows as 0x40000000."""
    data: int
    inode: int
    device: int
    """The kernel's own encoding of the inode's file system (``sdev``), not that of os.makedev."""


@dataclass(frozen=True, slots=True)
class Task:
    """A thread, looked at without stopping it."""

    tid: int
    name: str
    state: str
    """One letter: R running, S sleeping, D, T stopped, t traced, Z, X."""
    syscall: int
    """The system call that blocks it; -1 = blocked elsewhere, or runs."""
    arguments: tuple[int, ...]
    """The call's six arguments; empty if there is none."""
    stack_pointer: int
    """0 while it runs."""
    pc: int
    """0 while it runs."""
    switches: int
    """Times it was scheduled in; if that has not changed, it has not run since."""

    @property
    def is_blocked(self) -> bool:
        """Whether it waits in a system call."""
        return self.syscall >= 0


@dataclass(frozen=True, slots=True)
class SignalSets:
    """Bit n-1 is signal n."""

    pending: int
    """For the whole process; those of single threads are in their own status."""
    blocked: int
    ignored: int
    caught: int


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """/proc/PID/status."""

    name: str
    state: str
    """One letter, as in `Task.state`."""
    parent: int
    tracer: int
    """Pid of who traces it, 0 = nobody."""
    uids: tuple[int, int, int, int]
    """Real, effective, saved, file system."""
    gids: tuple[int, int, int, int]
    umask: int
    threads: int
    signals: SignalSets
    seccomp: int = 0
    """0 = no filter decides about its system calls."""
