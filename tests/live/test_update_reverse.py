"""The way back: memcached 1.6.38 becomes 1.6.18 again, which lacks what twenty releases have brought.

What must be found was written down from both sources before the test first ran (SERVERS.md has the pair's numbers):

- `LIBEVENT_THREAD.n`: the worker's event and its eventfd stand in a struct of their own (memcached.h:707). libevent
  changes the event with each connection that is handed to the worker, 1.6.18 has no member `n`.
  Its twin `ion`, and `ion_lock`, `ion_head`, `conns_tosubmit` serve external storage and the proxy only; neither is on,
  so they are as start-up has left them. `thread_baseid` is set in start-up and never again.
- `LIBEVENT_THREAD.cur_sfd`: each `set` and `get` notes the client's number there for log lines (proto_text.c:181).
- `_mc_resp_bundle.thread`: set in each bundle (memcached.c:1063), and the first command of a connection takes one.
- `conn.resps_suspended`, `conn.ssl`, `conn.ssl_enabled`, `_mc_resp.suspended`: zero in every connection of this test.
- `settings.slab_automove_version`, `settings.slab_rebal`, `settings.ssl_enabled`, and six counters of `stats` and
  `stats_state`: as start-up has left them while no page is moved and external storage is off.
- `crawler_mgdump_mod`, `storage_compact_cond`, `slabs_pick_any_for_reassign::cur`: never changed after start-up here.
- Read buffers and bundles come from one cache; its freed memory holds stale words, as it does on the way forth. What
  they are taken for depends on who had the memory before: `STALE`.

What was not foreseen, and no type tells: 1.6.18 relies on every response of a bundle knowing its bundle, which 1.6.38
writes only into those that it hands out. With `drop _mc_resp_bundle.thread` the update committed, and 1.6.18 crashed in
one of four runs, when two responses of one bundle were under way. So the annotations do not settle that finding: it
refuses the update unless the user, who sees that all clients are idle, says yes to it.
"""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.support.mcr_server import ROOT, McrServer
from tests.support.memcached import (
    ItemPlan,
    MemcachedClient,
    UpdateScene,
    fill,
    free_port,
    prepare_checks,
    run_after_checks,
    server_arguments,
    verify,
    wait_until_served,
)
from tests.support.server_view import listener_owner
from tests.support.servers import nearest_server

pytestmark = [pytest.mark.live, pytest.mark.slow]

OLD, NEW = "1.6.38-1", "1.6.18-1+deb12u1"
ANNOTATIONS = ROOT / "scripts" / "annotations" / "memcached-1.6.38-1.6.18.mcr"
ITEMS = 20_000

CHANGED_MEANING = "R2:_mc_resp_bundle.thread"
EXPECTED = {"R2:LIBEVENT_THREAD.n", "R2:LIBEVENT_THREAD.cur_sfd", CHANGED_MEANING}
FREED = {"R4:conn_queue_item/struct cache_free_s", "R4:conn_queue_item/a pointer"}
"""Both builds give the items of accepted connections back to a free list of cache.c, and the older one's are smaller:
without an annotation a free item is two things at once."""
STALE = {"R1:_mc_resp_bundle", "R5:_mc_resp_bundle"}
"""Found on the way forth (test_update_memcached) without annotations; they may or may not be met."""


def test_update_when_an_older_build_lacks_what_was_changed_then_exactly_that_is_told_and_nothing_happens() -> None:
    old, new = nearest_server("memcached", OLD), nearest_server("memcached", NEW)
    port = free_port()
    with McrServer([str(old.binary), *server_arguments(port)]) as server:
        version = wait_until_served(port)
        with MemcachedClient(port) as first, MemcachedClient(port) as second:
            first.set(b"kept", b"value")
            assert second.get(b"kept") is not None

            run = server.update(new.binary)

            assert run.status == 1, run.told()
            certain = {one["id"] for one in run.result["findings"] if one["certain"]}
            assert certain - STALE == EXPECTED | FREED, run.told()
            assert {one for one in run.result["blocking"] if one.startswith("R2:")} == EXPECTED
            assert run.new_pids == []
            assert (first.version(), second.version()) == (version, version)
            assert second.get(b"kept") is not None
        assert listener_owner(port) == server.pid


def test_update_when_responses_are_under_way_then_the_annotations_leave_one_finding_and_every_client_goes_on() -> None:
    old, new = nearest_server("memcached", OLD), nearest_server("memcached", NEW)
    port = free_port()
    with McrServer([str(old.binary), *server_arguments(port)]) as server:
        wait_until_served(port)
        with UpdateScene(port) as scene:
            run = server.update(new.binary, "--annotations", str(ANNOTATIONS))
            assert (run.status, run.result["blocking"]) == (1, [CHANGED_MEANING]), run.told()
            assert scene.finish([server.pid]) == []


def test_update_when_all_clients_are_idle_then_the_user_may_say_yes_and_the_older_build_serves() -> None:
    old, new = nearest_server("memcached", OLD), nearest_server("memcached", NEW)
    port = free_port()
    with McrServer([str(old.binary), *server_arguments(port)]) as server:
        wait_until_served(port)
        filled = fill(port, plan=ItemPlan(ITEMS, 1))
        state = prepare_checks(port)
        with ExitStack() as stack:
            idle = [stack.enter_context(MemcachedClient(port)) for _ in range(40)]
            for number, client in enumerate(idle):
                client.set(b"of%d" % number, b"before")

            run = server.update(new.binary, "--annotations", str(ANNOTATIONS), "--yes-to", CHANGED_MEANING)

            assert run.status == 0, run.told()
            for number, client in enumerate(idle):
                assert client.get(b"of%d" % number) == idle[0].get(b"of%d" % number) is not None
        assert verify(port, filled) == []
        assert run_after_checks(port, new.version.partition("-")[0], state) == []
        assert listener_owner(port) == run.new_pids[0]
