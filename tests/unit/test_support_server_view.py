"""The parsers of /proc text, on text; and what can be asked of this very process."""

from __future__ import annotations

import os
import socket
from contextlib import closing

import pytest

from gdb_mcr.units import Range
from tests.support.server_view import (
    TcpSocket,
    ThreadPlace,
    ViewError,
    listener_owner,
    listener_owners,
    mapped_ranges,
    parse_syscall,
    parse_tcp_table,
    send_buffer_limit,
    server_fds,
    server_side_inodes,
    server_sides,
    thread_ids,
)

_TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2C2F 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 1001 1 0000 100 0 0 10 0
   1: 0100007F:2C2F 0100007F:D431 01 0031E018:00000005 01:00000014 00000000     0        0 1002 2 0000 20 4 0 10 -1
"""


def test_tcp_table_when_parsed_then_ports_queues_and_inodes() -> None:
    assert list(parse_tcp_table(_TABLE)) == [
        TcpSocket(11311, 0, 10, 0, 2, 1001),
        TcpSocket(11311, 54321, 1, 0x31E018, 5, 1002),
    ]


def test_syscall_when_waiting_or_running_then_place_or_none() -> None:
    assert parse_syscall(7, "232 0x4 0x7f 0x20 0xffffffff 0x0 0x8 0x7ffd10 0x7f9933\n") == ThreadPlace(
        7, 0x7FFD10, 0x7F9933
    )
    assert parse_syscall(7, "-1 0x7ffd10 0x7f9933\n") == ThreadPlace(7, 0x7FFD10, 0x7F9933)
    assert parse_syscall(7, "running\n") is None


def test_sides_when_a_connection_is_ours_then_its_server_end_is_found() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        with closing(socket.create_connection(("127.0.0.1", port))) as client:
            client.sendall(b"abc")
            server, _ = listener.accept()
            with closing(server):
                inode = os.fstat(server.fileno()).st_ino
                client_port = client.getsockname()[1]
                assert server_side_inodes(os.getpid(), [client]) == {client_port: inode}
                assert server_sides(port)[client_port].unread == 3
                assert server_fds(os.getpid())[server.fileno()] == f"socket:[{inode}]"
                assert server_side_inodes(1, [client]) == {}, "process 1 does not hold it"
        assert listener_owner(port) == os.getpid()


def test_listener_owner_when_nobody_listens_then_says_so() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    assert listener_owners(port) == []
    with pytest.raises(ViewError, match=f"0 processes listen on port {port}"):
        listener_owner(port)


def test_process_when_gone_then_view_error() -> None:
    with pytest.raises(ViewError, match="4194305"):
        server_fds(4_194_305)  # above the kernel's largest pid
    with pytest.raises(ViewError, match="4194305"):
        thread_ids(4_194_305)


def test_mapped_ranges_when_asked_for_code_then_holds_a_function_of_the_library() -> None:
    code = mapped_ranges(os.getpid(), "libc.so.6", "x")
    assert len(code) == 1
    assert isinstance(code[0], Range)
    assert code[0].size > 1 << 20


def test_send_buffer_limit_when_read_then_is_plausible() -> None:
    assert 1 << 16 <= send_buffer_limit() <= 1 << 30
