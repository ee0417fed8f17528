"""A hundred connections of redis in the middle of all sorts of things before an update, and going on after it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from tests.support import redis_roles as roles
from tests.support.redis_roles import RedisRole, WrongAnswer
from tests.support.server_view import server_sides

_CAST: tuple[tuple[type[RedisRole], int], ...] = (
    (roles.NeverUsed, 4),
    (roles.InMulti, 6),
    (roles.Watching, 6),
    (roles.Blocked, 7),
    (roles.BlockedForAWhile, 3),
    (roles.Subscribed, 9),
    (roles.Monitoring, 1),
    (roles.HalfCommand, 9),
    (roles.HalfLargeCommand, 3),
    (roles.LargeAnswer, 4),
    (roles.UnreadAnswers, 3),
    (roles.Tracking, 2),
    (roles.Restricted, 3),
    (roles.Muted, 2),
    (roles.Scanning, 2),
)
"""How many connections play which role; the rest of a scene is `Idle`."""

_SETTLE_S = 20.0


class SceneError(Exception):
    """The scene could not be set, so it would prove nothing. The server may be right."""


class RedisScene:
    """``with RedisScene(port) as scene:`` opens and prepares; update the server; ``scene.finish()`` must be empty.

    :param connections: at least 64, so that each role is played.
    :raises SceneError: a connection cannot be brought into its state.
    """

    def __init__(self, port: int, connections: int = 100) -> None:
        self._port = port
        self._connections = connections
        self._roles: list[RedisRole] = []

    def __enter__(self) -> Self:
        try:
            for kind, number in _cast(self._connections):
                self._roles.append(kind(self._port, number))
            self._prepare()
        except (OSError, WrongAnswer, SceneError):
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def finish(self) -> list[str]:
        """Go on with every connection; what went wrong, one text each."""
        failures = []
        for role in self._roles:
            try:
                role.finish()
            except (OSError, WrongAnswer) as failure:
                failures.append(f"{_title(role)}: {failure or type(failure).__name__}")
        return failures

    def close(self) -> None:
        """Close every connection."""
        for role in self._roles:
            role.client.close()

    # The one that is told every command comes last, or it is told all of the others' preparations.
    def _prepare(self) -> None:
        for role in sorted(self._roles, key=lambda one: isinstance(one, roles.Monitoring)):
            try:
                role.prepare()
            except WrongAnswer as failure:
                raise SceneError(f"{_title(role)}: {failure}") from failure
        deadline = time.monotonic() + _SETTLE_S
        while late := [_title(role) for role in self._unsettled()]:
            if time.monotonic() > deadline:
                raise SceneError(f"not settled in {_SETTLE_S} s: {', '.join(late)}")
            time.sleep(0.05)

    # The server has taken all we sent; of a large answer it has written a part, and must remember the rest.
    def _unsettled(self) -> Iterator[RedisRole]:
        sides = server_sides(self._port)
        for role in self._roles:
            side = sides.get(role.client.local_port)
            if side is None or side.unread or (role.answer_bytes() and not side.unsent):
                yield role


def _cast(connections: int) -> Iterator[tuple[type[RedisRole], int]]:
    rest = connections - sum(count for _, count in _CAST)
    if rest < 0:
        raise SceneError(f"a scene needs at least {connections - rest} connections")
    cast: tuple[tuple[type[RedisRole], int], ...] = (*_CAST, (roles.Idle, rest))
    for kind, count in cast:
        for number in range(count):
            yield kind, number


def _title(role: RedisRole) -> str:
    return f"{role.name} {role.number} (client port {role.client.local_port})"
