"""The load itself: one thread, one epoll, connections with at most one request in flight, every answer checked.

Runs in a process of its own (`memcached_load`), so that the controller under test does not disturb the measurement.
"""

from __future__ import annotations

import random
import select
import socket
import time
from collections import deque
from dataclasses import dataclass, field

from tests.support.gap import NO_GAP, Gap, GapRecorder, GapSeries
from tests.support.memcached_client import HOST

BIN_S = 0.1
"""Seconds in one bin of the histogram."""

_KEYS = 50
_LARGEST = 4096
_TEXTS_KEPT = 10
_BURST_S = 0.02  # after a pause, at most so much of the rate is made up for


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How much load."""

    port: int
    connections: int = 16
    rate: float | None = 5000.0
    """Requests a second over all connections; None = as fast as answers come."""
    timeout: float = 5.0
    """Seconds after which an unanswered request is an error."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What the clients saw. Times are seconds of CLOCK_MONOTONIC."""

    requests: int
    errors: int
    """Wrong answers, closed connections, and requests unanswered for longer than the time-out."""
    error_texts: tuple[str, ...]
    """The first few errors."""
    started: float
    stopped: float
    gaps: GapSeries
    """Between consecutive answers on one connection; at a bounded rate this includes the pacing."""
    waits: GapSeries
    """From a request to its answer."""
    histogram: tuple[int, ...]
    """Answers in each `BIN_S` seconds since ``started``."""
    stall: Gap
    """The longest time by which the load's own process woke too late: noise that is not the server's."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / max(1e-9, self.stopped - self.started)


@dataclass(slots=True)
class _Connection:
    index: int
    socket: socket.socket
    rng: random.Random
    versions: list[int] = field(default_factory=lambda: [0] * _KEYS)
    counter: int = 0
    wanted: bytes = b""
    received: bytes = b""
    sent_at: float = 0.0

    # The next request; `wanted` becomes the exact bytes of the right answer.
    def next_request(self, pool: bytes) -> bytes:
        draw = self.rng.random()
        number = self.rng.randrange(_KEYS)
        key = b"load:%d:%d" % (self.index, number)
        if draw < 0.6:
            data = self._data(pool, number)
            self.wanted = b"VALUE %s 0 %d\r\n%s\r\nEND\r\n" % (key, len(data), data)
            return b"get %s\r\n" % key
        if draw < 0.9:
            self.versions[number] += 1
            data = self._data(pool, number)
            self.wanted = b"STORED\r\n"
            return b"set %s 0 0 %d\r\n%s\r\n" % (key, len(data), data)
        self.counter += 1
        self.wanted = b"%d\r\n" % self.counter
        return b"incr load:%d:n 1\r\n" % self.index

    # Everything this connection will ask for, set once beforehand; version 0 of each key.
    def first_sets(self, pool: bytes) -> bytes:
        sets = [b"set load:%d:n 0 0 1\r\n0\r\n" % self.index]
        for number in range(_KEYS):
            data = self._data(pool, number)
            sets.append(b"set load:%d:%d 0 0 %d\r\n%s\r\n" % (self.index, number, len(data), data))
        return b"".join(sets)

    def _data(self, pool: bytes, number: int) -> bytes:
        place = (self.versions[number] * 7919 + number * 104_729 + self.index * 15_485_863) % (len(pool) - _LARGEST)
        size = 10 + place % 90 if place % 5 else 100 + place % (_LARGEST - 100)
        return pool[place : place + size]


class Traffic:
    """Opens the connections and sets the keys at once; `step` then does one round of the loop."""

    def __init__(self, options: LoadOptions, wake_fd: int) -> None:
        """:param wake_fd: a descriptor whose readability ends a `step` early."""
        self._options = options
        self._pool = random.Random(options.seed).randbytes(1 << 18)
        self._epoll = select.epoll()
        self._epoll.register(wake_fd, select.EPOLLIN)
        self._wake_fd = wake_fd
        self._by_fd = {c.socket.fileno(): c for c in (self._open(i) for i in range(options.connections))}
        self._ready = deque(self._by_fd.values())
        self._waiting: dict[int, _Connection] = {}
        self._texts: list[str] = []
        self._requests = self._errors = self._sent = 0
        self._stall = NO_GAP
        self._look_at = 0.0  # when to look for late answers next
        self._histogram: list[int] = []
        self._started = self._pace_from = time.monotonic()
        self._gaps = GapRecorder(self._started, options.connections)
        self._waits = GapRecorder(self._started, options.connections)

    @property
    def requests(self) -> int:
        """Right answers so far."""
        return self._requests

    @property
    def errors(self) -> int:
        """Errors so far."""
        return self._errors

    def step(self) -> bool:
        """Send what may be sent, wait, check what came. True if ``wake_fd`` is readable."""
        self._send_allowed(time.monotonic())
        return self._receive(self._pause())

    def finish(self) -> LoadResult:
        """Send no more, wait for the answers that are due, and close."""
        deadline = time.monotonic() + self._options.timeout
        self._epoll.unregister(self._wake_fd)
        while self._waiting and time.monotonic() < deadline:
            self._receive(0.05)
        stopped = time.monotonic()
        for connection in list(self._waiting.values()):
            self._fail(connection, f"no answer at the end, after {stopped - connection.sent_at:.2f} s")
        self._gaps.close(stopped, [c.index for c in self._ready])
        for connection in self._ready:
            connection.socket.close()
        self._epoll.close()
        return LoadResult(
            self._requests,
            self._errors,
            tuple(self._texts),
            self._started,
            stopped,
            self._gaps.series(),
            self._waits.series(),
            tuple(self._histogram),
            self._stall,
        )

    def _open(self, index: int) -> _Connection:
        client = socket.create_connection((HOST, self._options.port), timeout=self._options.timeout)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(index, client, random.Random(self._options.seed * 1000 + index))
        client.sendall(connection.first_sets(self._pool))
        answers = b"STORED\r\n" * (_KEYS + 1)
        got = b""
        while len(got) < len(answers) and (part := client.recv(1 << 16)):
            got += part
        if got != answers:
            raise ConnectionError(f"the first sets were answered {got[:80]!r}")
        client.setblocking(False)
        self._epoll.register(client.fileno(), select.EPOLLIN)
        return connection

    def _send_allowed(self, now: float) -> None:
        allowed = self._allowed(now)
        while self._ready and allowed > 0:
            connection = self._ready.popleft()
            request = connection.next_request(self._pool)
            connection.sent_at = time.monotonic()
            self._waiting[connection.index] = connection
            self._sent += 1
            allowed -= 1
            self._send(connection, request)

    # A request is smaller than an empty socket buffer, so a partial send is an error like any other.
    def _send(self, connection: _Connection, request: bytes) -> None:
        try:
            if connection.socket.send(request) != len(request):
                self._fail(connection, "the kernel took only a part of a request")
        except OSError as error:
            self._fail(connection, str(error))

    def _allowed(self, now: float) -> int:
        rate = self._options.rate
        if rate is None:
            return len(self._ready)
        due = (now - self._pace_from) * rate - self._sent
        if due > (limit := max(1.0, rate * _BURST_S)):
            self._pace_from += (due - limit) / rate
            due = limit
        return int(due)

    # Seconds to wait for an answer: until the next request is due, if a connection is free to send it.
    def _pause(self) -> float:
        if not self._ready or self._options.rate is None:
            return 0.05
        due_at = self._pace_from + (self._sent + 1) / self._options.rate
        return min(0.05, max(0.001, due_at - time.monotonic()))

    def _receive(self, pause: float) -> bool:
        before = time.monotonic()
        events = self._epoll.poll(pause)
        now = time.monotonic()
        if not events:
            self._note_stall(before + pause, now)
        if now > self._look_at:
            self._look_at = now + 0.1
            self._fail_late(now)
        woken = False
        for fd, _ in events:
            if fd == self._wake_fd:
                woken = True
            else:
                self._read(self._by_fd[fd])
        return woken

    def _read(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(1 << 16)
        except OSError as error:
            self._fail(connection, str(error))
            return
        if not data:
            self._fail(connection, "closed by the server")
            return
        connection.received += data
        if connection.received == connection.wanted:
            self._answered(connection, time.monotonic())
        elif not connection.wanted.startswith(connection.received):
            self._fail(connection, f"wanted {connection.wanted[:60]!r}, got {connection.received[:60]!r}")

    def _answered(self, connection: _Connection, now: float) -> None:
        connection.received = connection.wanted = b""
        del self._waiting[connection.index]
        self._ready.append(connection)
        self._requests += 1
        self._gaps.note(connection.index, now)
        self._waits.add(connection.sent_at, now)
        place = int((now - self._started) / BIN_S)
        if place >= len(self._histogram):
            self._histogram.extend([0] * (place + 1 - len(self._histogram)))
        self._histogram[place] += 1

    # An error ends the connection's part in the load: after it, answers could not be told apart.
    def _fail(self, connection: _Connection, text: str) -> None:
        self._errors += 1
        if len(self._texts) < _TEXTS_KEPT:
            at = time.monotonic() - self._started
            self._texts.append(f"connection {connection.index} at {at:.3f} s: {text}")
        self._waiting.pop(connection.index, None)
        if connection in self._ready:
            self._ready.remove(connection)
        del self._by_fd[connection.socket.fileno()]
        self._epoll.unregister(connection.socket.fileno())
        connection.socket.close()

    def _fail_late(self, now: float) -> None:
        for connection in list(self._waiting.values()):
            if now - connection.sent_at > self._options.timeout:
                self._waits.add(connection.sent_at, now)
                self._fail(connection, f"no answer in {now - connection.sent_at:.2f} s")

    def _note_stall(self, due: float, now: float) -> None:
        if now - due > self._stall.seconds:
            self._stall = Gap(due, now)
