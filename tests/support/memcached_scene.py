"""A hundred connections in the middle of all sorts of things before an update, and going on after it."""

from __future__ import annotations

import fcntl
import struct
import termios
import time
from collections.abc import Collection, Iterator
from types import TracebackType
from typing import Self

from tests.support import memcached_roles as roles
from tests.support.memcached_client import ClientFailure
from tests.support.memcached_roles import Role
from tests.support.server_view import (
    TcpSocket,
    ViewError,
    listener_owner,
    server_fds,
    server_side_inodes,
    server_sides,
)

_CAST: tuple[tuple[type[Role], int], ...] = (
    (roles.NeverUsed, 5),
    (roles.HalfHeader, 6),
    (roles.HalfBody, 20),
    (roles.HalfMultiget, 3),
    (roles.LargeGet, 5),
    (roles.HalfReadBatch, 4),
    (roles.AnswerPending, 4),
    (roles.PendingCas, 6),
    (roles.Counter, 6),
    (roles.HalfMetaSet, 4),
    (roles.MetaPipeline, 4),
    (roles.HalfNoreply, 4),
    (roles.HalfBinary, 2),
    (roles.Watcher, 2),
)
"""How many connections play which role; the rest of a scene is `IdleAfterUse`."""

_SETTLE_S = 20.0


class SceneError(Exception):
    """The scene could not be set, so it would prove nothing. The server may be right."""


class UpdateScene:
    """``with UpdateScene(port) as scene:`` opens and prepares; update the server; ``scene.finish()`` must be empty.

    `prepare` and `finish` may then be called again, on the same connections, for the next update.

    :param connections: at least 75, so that each role is played.
    :raises SceneError: entering or preparing: a connection cannot be brought into its state.
    """

    def __init__(self, port: int, connections: int = 100) -> None:
        self._port = port
        self._connections = connections
        self._turn = 0
        self._roles: list[Role] = []
        self._inodes: dict[int, int] = {}
        self._client_inodes: dict[int, int] = {}

    def __enter__(self) -> Self:
        try:
            for kind, number in _cast(self._connections):
                self._roles.append(kind(self._port, number))
            self.prepare()
        except (ClientFailure, SceneError):
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def inodes(self) -> dict[int, int]:
        """Client port → inode of the server's end, as they were before the update."""
        return dict(self._inodes)

    def prepare(self) -> None:
        """Bring every connection into its state and wait until the server has seen all of it."""
        self._turn += 1
        for role in self._roles:
            try:
                role.begin(self._turn)
            except ClientFailure as failure:
                raise SceneError(f"{_title(role)}: {failure}") from failure
        self._settle()
        owner = listener_owner(self._port)
        self._inodes = server_side_inodes(owner, [role.client.socket for role in self._roles])
        self._client_inodes = {role.client.local_port: role.client.socket_inode for role in self._roles}
        if len(self._inodes) != len(self._roles):
            raise SceneError(f"process {owner} holds {len(self._inodes)} of {len(self._roles)} connections")

    def finish(self, new_pids: Collection[int] | None = None, timeout: float = 10.0, late: float = 0.5) -> list[str]:
        """Go on with every connection.

        :param new_pids: the processes that serve now; None = whichever listens on the port.
        :param timeout: seconds for an answer, and for all connections together.
        :param late: seconds that each further connection still gets for an answer when that time is over.
        :returns: what went wrong, one text each; empty if everything is right.
        """
        failures = [*self.check_sockets(new_pids)]
        deadline = time.monotonic() + timeout
        for role in self._roles:
            role.client.set_timeout(max(late, role.patience, deadline - time.monotonic()))
            try:
                role.finish()
            except (ClientFailure, ValueError) as failure:  # ValueError: an answer that is no number where one must be
                failures.append(f"{_title(role)}: {failure}")
            role.client.set_timeout(timeout)
        return failures

    def check_sockets(self, new_pids: Collection[int] | None = None) -> Iterator[str]:
        """Each connection's two ends must be the sockets they were, and ``new_pids`` must hold the server's end."""
        try:
            pids = [listener_owner(self._port)] if new_pids is None else list(new_pids)
            held = {target for pid in pids for target in server_fds(pid).values()}
        except ViewError as error:
            yield str(error)
            return
        sides = server_sides(self._port)
        for role in self._roles:
            port = role.client.local_port
            if role.client.socket_inode != self._client_inodes[port]:
                yield f"{_title(role)}: the client's own socket is another one"
            side = sides.get(port)
            if side is None or side.inode != self._inodes[port]:
                yield f"{_title(role)}: the server's socket was {self._inodes[port]} and is {side and side.inode}"
            elif f"socket:[{side.inode}]" not in held:
                yield f"{_title(role)}: none of {pids} holds the server's socket"

    def close(self) -> None:
        """Close every connection."""
        for role in self._roles:
            role.client.close()

    # Waits until the server has read all that was sent, and is blocked where a role says so. Asked of the kernel.
    def _settle(self) -> None:
        deadline = time.monotonic() + _SETTLE_S
        before: dict[int, tuple[int, int]] = {}
        while True:
            sides = server_sides(self._port)
            now = {role.client.local_port: _counts(role, sides) for role in self._roles}
            late = [role for role in self._roles if not _is_settled(role, sides.get(role.client.local_port))]
            if not late and now == before:
                return
            before = now
            if time.monotonic() > deadline:
                names = ", ".join(_title(role) for role in late)
                raise SceneError(f"not settled in {_SETTLE_S} s: {names or 'answers still move'}")
            time.sleep(0.05)


def _cast(connections: int) -> Iterator[tuple[type[Role], int]]:
    rest = connections - sum(count for _, count in _CAST)
    if rest < 0:
        raise SceneError(f"a scene needs at least {connections - rest} connections")
    for kind, count in ((roles.IdleAfterUse, rest), *_CAST):
        for number in range(count):
            yield kind, number


def _title(role: Role) -> str:
    return f"{role.name} {role.number} (client port {role.client.local_port})"


def _counts(role: Role, sides: dict[int, TcpSocket]) -> tuple[int, int]:
    side = sides.get(role.client.local_port)
    return _readable(role), side.unsent if side else -1


# The server has taken all we sent; of a large answer it has written a part, and must remember the rest.
def _is_settled(role: Role, side: TcpSocket | None) -> bool:
    if side is None:
        return False
    if total := role.answer_bytes():
        return side.unsent > 0 and _readable(role) + side.unsent < total
    return side.unread == 0


# Bytes that wait in the client's kernel buffer (FIONREAD, tcp(7)).
def _readable(role: Role) -> int:
    answer = fcntl.ioctl(role.client.socket.fileno(), termios.FIONREAD, b"\0" * 4)
    return int(struct.unpack("i", answer)[0])
