"""The client must tell right answers from wrong ones, in whatever pieces they come. The server is a scripted thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.support.memcached_client import (
    HOST,
    AnswerTimeout,
    ConnectionLost,
    MemcachedClient,
    MetaAnswer,
    UnexpectedAnswer,
    Value,
)


@contextmanager
def _client(
    *pieces: bytes, timeout: float = 5.0, stay: bool = False, read_ahead: int = 1 << 16
) -> Iterator[MemcachedClient]:
    """A client of a server that sends ``pieces`` at once and then closes, or stays without a word."""
    done = threading.Event()
    with closing(socket.create_server((HOST, 0))) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with closing(connection):
                for piece in pieces:
                    connection.sendall(piece)
                if stay:
                    done.wait(30)
                else:
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1 << 16):
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with MemcachedClient(listener.getsockname()[1], timeout=timeout, read_ahead=read_ahead) as client:
                yield client
        finally:
            done.set()
            thread.join(10)


@pytest.mark.parametrize("read_ahead", [1, 3, 1 << 16])
def test_get_when_the_data_holds_line_ends_then_reads_exactly_the_block(read_ahead: int) -> None:
    answer = b"VALUE k 7 9\r\na\r\nEND\r\nb\r\nEND\r\n"
    with _client(*(answer[i : i + 1] for i in range(len(answer))), read_ahead=read_ahead) as client:
        assert client.get(b"k") == Value(b"a\r\nEND\r\nb", 7)


def test_get_when_missing_then_none() -> None:
    with _client(b"END\r\n") as client:
        assert client.get(b"k") is None


def test_gets_when_there_then_has_the_cas_value() -> None:
    with _client(b"VALUE k 0 1 42\r\nx\r\nEND\r\n") as client:
        assert client.gets(b"k") == Value(b"x", 0, 42)


def test_get_when_another_key_is_answered_then_fails() -> None:
    with _client(b"VALUE other 0 1\r\nx\r\nEND\r\n") as client, pytest.raises(UnexpectedAnswer, match="other"):
        client.get(b"k")


def test_get_when_the_block_is_longer_than_announced_then_fails() -> None:
    with _client(b"VALUE k 0 1\r\nxyz\r\nEND\r\n") as client, pytest.raises(UnexpectedAnswer, match="CR LF"):
        client.get(b"k")


def test_set_when_not_stored_then_fails() -> None:
    answer = b"SERVER_ERROR out of memory storing object\r\n"
    with _client(answer) as client, pytest.raises(UnexpectedAnswer, match="out of memory"):
        client.set(b"k", b"x")


def test_read_line_when_the_server_closes_then_connection_lost() -> None:
    with _client(b"VALUE k 0 1\r\n") as client, pytest.raises(ConnectionLost, match="closed by the server"):
        client.get(b"k")


def test_read_line_when_nothing_comes_then_timeout_names_the_connection() -> None:
    with (
        _client(timeout=0.05, stay=True) as client,
        pytest.raises(AnswerTimeout, match=f"{client.local_port}: no answer"),
    ):
        client.version()


def test_has_input_when_half_a_request_is_sent_then_false_and_when_closed_then_true() -> None:
    with _client(stay=True) as client:
        client.send(b"get ")
        assert not client.has_input()
    with _client() as client:
        with pytest.raises(ConnectionLost):
            client.read_line()
        assert client.has_input()


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (b"HD t55 c9\r\n", MetaAnswer("HD", ("t55", "c9"))),
        (b"VA 2 kx O3\r\nab\r\n", MetaAnswer("VA", ("kx", "O3"), b"ab")),
        (b"EN\r\n", MetaAnswer("EN", ())),
    ],
)
def test_meta_when_answered_then_parsed(answer: bytes, wanted: MetaAnswer) -> None:
    with _client(answer) as client:
        found = client.meta(b"mg x t c")
    assert found == wanted
    assert MetaAnswer("HD", ("t55", "c9")).flag("c") == "9"
    assert wanted.flag("z") is None


def test_stats_when_answered_then_a_dictionary() -> None:
    with _client(b"STAT pid 5\r\nSTAT version 1.6.18 x\r\nEND\r\n") as client:
        assert client.stats() == {"pid": "5", "version": "1.6.18 x"}


def test_connect_when_nobody_listens_then_connection_lost() -> None:
    with closing(socket.create_server((HOST, 0))) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionLost, match=f"port {port}"):
        MemcachedClient(port)
