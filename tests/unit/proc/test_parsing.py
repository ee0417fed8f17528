"""Texts of /proc files as the kernel writes them become values."""

from __future__ import annotations

import os

import pytest

from gdb_mcr.model.process import EpollWatch, SignalSets
from gdb_mcr.proc.descriptors import parse_descriptor, parse_watches
from gdb_mcr.proc.mappings import parse_mappings
from gdb_mcr.proc.status import parse_status, tells_end
from gdb_mcr.proc.tasks import parse_task, split_stat
from gdb_mcr.units import Range

MAPS = """\
558182b08000-558182b0d000 r-xp 00002000 fe:10 260875                     /srv/my server (deleted)
558190d99000-558190dba000 rw-p 00000000 00:00 0                          [heap]
700000000000-700000100000 ---p 00000000 00:00 0 
7f0000000000-7f0000001000 rw-s 00000000 00:01 1031                       /memfd:two\\012lines (deleted)
"""  # noqa: W291

STATUS = """\
Name:\ta (b) c
Umask:\t0027
State:\tt (tracing stop)
Tgid:\t4711
Pid:\t4711
PPid:\t1
TracerPid:\t77
Uid:\t1\t2\t3\t4
Gid:\t5\t6\t7\t8
FDSize:\t64
Groups:\t0 
Threads:\t10
SigQ:\t1/15000
SigPnd:\t0000000000000000
ShdPnd:\t0000000000004000
SigBlk:\t0000000000000200
SigIgn:\t0000000000001000
SigCgt:\t0000000180000000
"""  # noqa: W291

EPOLL = """\
pos:\t0
flags:\t02000002
mnt_id:\t15
ino:\t1039
tfd:       22 events:       19 data:               16  pos:0 ino:d562 sdev:9
tfd:        6 events: 40000000 data: ffffffffffffffff  pos:0 ino:40f sdev:10
"""


def test_mapping_of_a_deleted_program() -> None:
    text, *_ = parse_mappings(MAPS)
    assert (text.range, text.offset, text.inode) == (Range(0x558182B08000, 0x558182B0D000), 0x2000, 260875)
    assert (text.readable, text.writable, text.executable, text.private) == (True, False, True, True)
    assert text.device == os.makedev(0xFE, 0x10)
    assert text.path == "/srv/my server (deleted)"
    assert text.is_deleted
    assert text.is_file


def test_mappings_without_a_file_and_shared_ones() -> None:
    _, heap, reserved, shared = parse_mappings(MAPS)
    assert (heap.path, heap.is_file, heap.is_reserved) == ("[heap]", False, False)
    assert (reserved.path, reserved.is_reserved) == ("", True)
    assert (shared.private, shared.is_file) == (False, True)
    assert shared.path == "/memfd:two\nlines (deleted)"


def test_descriptor_flags_are_octal() -> None:
    one = parse_descriptor(7, "anon_inode:[eventpoll]", EPOLL)
    assert (one.number, one.inode, one.position) == (7, 1039, 0)
    assert one.flags == os.O_CLOEXEC | os.O_RDWR
    assert one.is_epoll
    assert not one.is_socket


def test_descriptor_of_an_old_kernel_has_no_inode() -> None:
    one = parse_descriptor(3, "socket:[12]", "pos:\t8\nflags:\t02\n")
    assert (one.inode, one.position, one.is_socket) == (0, 8, True)


def test_watches_are_hexadecimal_but_for_the_number() -> None:
    assert list(parse_watches(EPOLL)) == [
        EpollWatch(fd=22, events=0x19, data=0x16, inode=0xD562, device=9),
        EpollWatch(fd=6, events=0x40000000, data=2**64 - 1, inode=0x40F, device=0x10),
    ]


def test_status() -> None:
    status = parse_status(STATUS)
    assert (status.name, status.state, status.parent, status.tracer) == ("a (b) c", "t", 1, 77)
    assert (status.uids, status.gids, status.umask, status.threads) == ((1, 2, 3, 4), (5, 6, 7, 8), 0o27, 10)
    assert status.signals == SignalSets(pending=1 << 14, blocked=1 << 9, ignored=1 << 12, caught=0x180000000)


@pytest.mark.parametrize(
    ("flags", "own", "shared", "ends"),
    [
        (0x400140, 0, 0, False),
        (0x400140, 1 << 13, 1 << 10, False),  # SIGALRM, SIGSEGV
        (0x400140, 1 << 8, 0, True),
        (0x400140, 0, 1 << 8, True),
        (0x40010C, 0, 0, True),
    ],
)
def test_what_is_killed_is_ending_until_it_is_gone(flags: int, own: int, shared: int, ends: bool) -> None:
    """In the middle it has taken the signal already, and is giving its memory back."""
    stat = f"12 (a) R (b)) R 1 12 12 0 -1 {flags} 5 0"
    assert tells_end(stat, f"Name:\ta\nSigPnd:\t{own:016x}\nShdPnd:\t{shared:016x}\n") is ends


def test_name_in_stat_may_contain_anything() -> None:
    assert split_stat("12 (a) R (b)) S 1 12") == ("a) R (b)", ["S", "1", "12"])


def test_task_in_a_call_outside_of_one_and_running() -> None:
    stat, schedstat = "9 (mc-worker) S 1 9", "300 200 41\n"
    blocked = parse_task(9, stat, "232 0x3 0x55 0x20 0xffffffff 0x0 0x0 0x7ffe10 0x7f12\n", schedstat)
    assert (blocked.name, blocked.state, blocked.switches) == ("mc-worker", "S", 41)
    assert (blocked.syscall, blocked.arguments) == (232, (3, 0x55, 0x20, 0xFFFFFFFF, 0, 0))
    assert (blocked.stack_pointer, blocked.pc, blocked.is_blocked) == (0x7FFE10, 0x7F12, True)
    elsewhere = parse_task(9, stat, "-1 0x7ffe10 0x7f12\n", schedstat)
    assert (elsewhere.syscall, elsewhere.arguments, elsewhere.pc, elsewhere.is_blocked) == (-1, (), 0x7F12, False)
    running = parse_task(9, stat, "running\n", schedstat)
    assert (running.syscall, running.pc, running.is_blocked) == (-1, 0, False)
