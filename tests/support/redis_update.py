"""One update of a redis full of everything, and what came of it. Used by the tests and by `scripts/campaign-redis`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.mcr_server import McrServer, UpdateRun
from tests.support.redis_client import RedisClient, Reply, wait_until_served
from tests.support.redis_data import RedisData
from tests.support.redis_life import ServerLife
from tests.support.redis_scene import RedisScene

LIFETIME_MS = 86_400_000
START_S = 120.0


@dataclass(frozen=True)
class RedisUpdate:
    """What is to be updated, and how it is started.

    :param keys: in the data set.
    :param is_loaded: the keys come from an RDB when the server starts; else they are written then.
    :param is_saved: the server writes its RDB anew before the update: what it read at its start has changed.
    """

    old: Path
    new: Path
    directory: Path
    port: int
    keys: int
    is_loaded: bool = False
    is_saved: bool = False
    options: tuple[str, ...] = ()

    def command(self, binary: Path) -> list[str]:
        """How redis is started."""
        return [
            str(binary),
            *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory), "--save", ""),
            *("--appendonly", "no", "--enable-debug-command", "yes"),
        ]


@dataclass(frozen=True)
class RedisOutcome:
    """What there is to look at when it is over; everything that was wrong is a text."""

    run: UpdateRun
    encodings: frozenset[Reply]
    known: list[str]
    """Problems with scripts, functions, settings, expiry."""
    scene: list[str]
    """Problems of the connections."""
    data: list[str]
    """Differences between the keys and their copy."""
    life: list[str]
    """Problems in the further life."""
    serves: Path
    """The binary that serves."""
    seconds: float
    """From the update's start to its end."""


def update_redis(plan: RedisUpdate) -> RedisOutcome:
    """Fill, update, look over, go on."""
    data = RedisData(plan.port, plan.keys, int(time.time() * 1000) + LIFETIME_MS)
    if plan.is_loaded:
        _write_file(plan, data)
    with McrServer(plan.command(plan.old)) as server:
        wait_until_served(plan.port, START_S)
        if not plan.is_loaded:
            data.fill()
        data.live_on(seed=2, changes=plan.keys // 10)
        if plan.is_saved:
            _save(plan)
        with RedisScene(plan.port) as scene:
            life = ServerLife(plan.port, soon_s=6.0 + plan.keys / 50_000)
            life.prepare()
            began = time.monotonic()
            run = server.update(plan.new, *plan.options, timeout=600)
            seconds = time.monotonic() - began
            known, problems = life.check(), scene.finish()
        return RedisOutcome(
            run=run,
            encodings=frozenset(data.encodings()),
            known=known,
            scene=problems,
            data=data.differences(),
            life=life.go_on(data),
            serves=Path(f"/proc/{server.pid}/exe").resolve(),
            seconds=seconds,
        )


# The old build itself makes the file that it will be started with.
def _write_file(plan: RedisUpdate, data: RedisData) -> None:
    with McrServer(plan.command(plan.old)) as server:
        wait_until_served(plan.port, START_S)
        data.fill()
        _save(plan)
        assert server.first_exit_status is None


def _save(plan: RedisUpdate) -> None:
    with RedisClient(plan.port, timeout=START_S) as client:
        assert client.call("SAVE") == b"OK"
