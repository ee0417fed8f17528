"""/proc/PID/net. The lines are of a real kernel."""

from __future__ import annotations

import socket
import struct

from gdb_mcr.model.process import Socket
from gdb_mcr.proc.sockets import parse_inet, parse_unix
from gdb_mcr.proc.unix_peers import parse_message

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
TCP = HEAD + (
    "   0: 0100007F:4787 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 244520 1\n"
    "   1: 0100007F:4787 0100007F:C3B2 01 00000000:00000000 00:00000000 00000000 0 0 244600 1\n"
    "   2: 0100007F:C3B4 0100007F:4787 06 00000000:00000000 03:00001770 00000000 0 0 0 3 0\n"
)
TCP6 = HEAD + (
    "   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 "
    "00:00000000 00000000     0        0 7 1 0 100 0 0 10 0\n"
)
UNIX = (
    "Num       RefCount Protocol Flags    Type St Inode Path\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01    21 /run/a socket\n"
    "0000000000000000: 00000003 00000000 00000000 0001 03    22\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01    23 @hidden\n"
)


def test_inet_rows_tell_both_ends_and_leave_out_what_nobody_holds() -> None:
    assert list(parse_inet(TCP, "tcp")) == [
        Socket(244520, "tcp", "127.0.0.1:18311", "", True),
        Socket(244600, "tcp", "127.0.0.1:18311", "127.0.0.1:50098", False),
    ]


def test_inet6_addresses_stand_in_brackets() -> None:
    assert [one.local for one in parse_inet(TCP6, "tcp")] == ["[::1]:80"]


def test_unix_rows_keep_blanks_in_paths() -> None:
    assert list(parse_unix(UNIX)) == [
        Socket(21, "unix", "/run/a socket", "", True),
        Socket(22, "unix", "", "", False),
        Socket(23, "unix", "@hidden", "", True),
    ]


def test_the_other_end_of_a_unix_socket() -> None:
    message = struct.pack("<BBBBIII", socket.AF_UNIX, 1, 1, 0, 100, 0, 0)
    assert list(parse_message(message + struct.pack("<HHI", 8, 2, 101))) == [(100, 101)]
    assert list(parse_message(message + struct.pack("<HHI", 8, 4, 7) + struct.pack("<HHI", 8, 2, 102))) == [(100, 102)]
    assert list(parse_message(message)) == []
