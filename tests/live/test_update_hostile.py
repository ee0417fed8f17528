"""Clients' data is full of words that look like addresses of the server's functions, variables and objects: no byte of
it changes in an update. The update is refused only where such a word holds an object that has to change its layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.hostile import hostile_words
from tests.support.mcr_server import ROOT, McrServer
from tests.support.memcached import free_port, server_arguments
from tests.support.memcached import wait_until_served as wait_for_memcached
from tests.support.memcached_hostile import MemcachedHostile
from tests.support.redis_client import wait_until_served
from tests.support.redis_hostile import RedisHostile
from tests.support.redis_update import RedisUpdate
from tests.support.servers import nearest_server

pytestmark = [pytest.mark.live, pytest.mark.slow]

MANY = 100
BUFFERS = "free cache_free_s;\nbytes conn.rbuf;\n"
OLD_MEMCACHED = "1.6.18-1+deb12u1"
ANNOTATIONS = ROOT / "scripts" / "annotations" / "memcached-1.6.18-1.6.38.mcr"


def test_redis_when_clients_store_addresses_then_each_byte_is_as_it_was(tmp_path: Path) -> None:
    old = nearest_server("redis", "7.0.15-1~deb12u10", "nocve").binary
    new = nearest_server("redis", "7.0.15-1~deb12u10").binary
    plan = RedisUpdate(old, new, tmp_path, free_port(), keys=0)
    with McrServer(plan.command(old)) as server:
        wait_until_served(plan.port)
        with RedisHostile(plan.port, hostile_words(server.pid, old)) as data:
            run = server.update(new)
            assert run.status == 0, run.told()
            assert data.differences() == []
    assert run.result["counts"]["likely_dynamic_to_static"] > MANY, "they do look like pointers"
    assert run.result["counts"]["objects_immutable"] > MANY


@pytest.mark.parametrize("version", ["1.6.18-1+deb12u1", "1.6.38-1"])
def test_memcached_when_clients_store_addresses_then_each_byte_is_as_it_was(version: str, tmp_path: Path) -> None:
    old, new = nearest_server("memcached", OLD_MEMCACHED).binary, nearest_server("memcached", version).binary
    is_same, port, own = version == OLD_MEMCACHED, free_port(), tmp_path / "buffers.mcr"
    own.write_text(BUFFERS)
    with McrServer([str(old), *server_arguments(port)]) as server:
        wait_for_memcached(port)
        with MemcachedHostile(port, hostile_words(server.pid, old, of_heap=is_same)) as data:
            run = server.update(new, "--annotations", str(own if is_same else ANNOTATIONS))
            assert run.status == 0, run.told()
            assert data.differences() == []
    assert run.result["counts"]["likely_dynamic_to_static"] > MANY, "they do look like pointers"


def test_memcached_when_addresses_of_objects_that_change_are_stored_then_refused_and_each_byte_is_as_it_was() -> None:
    old, new = nearest_server("memcached", OLD_MEMCACHED).binary, nearest_server("memcached", "1.6.38-1").binary
    port = free_port()
    with McrServer([str(old), *server_arguments(port)]) as server:
        wait_for_memcached(port)
        with MemcachedHostile(port, hostile_words(server.pid, old)) as data:
            run = server.update(new, "--annotations", str(ANNOTATIONS))
            assert run.status == 1, run.told()
            assert {one.partition(":")[0] for one in run.result["blocking"]} == {"R5"}
            assert data.differences() == []
