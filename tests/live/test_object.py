"""What `object` says of the objects of a recorded memcached, and of what an update to a later release does to them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gdb_mcr.errors import UsageError
from gdb_mcr.model.inspection import FieldFate, ObjectResult
from gdb_mcr.update import inspection
from gdb_mcr.update.api import UpdateOptions
from gdb_mcr.update.explaining import explain
from gdb_mcr.update.recorded import find_recorded
from tests.support.mcr_server import McrServer, run_mcr
from tests.support.memcached import MemcachedClient, free_port, server_arguments, wait_until_served
from tests.support.servers import nearest_server

pytestmark = pytest.mark.live

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Scene:
    """A memcached with one client, which has stored one item."""

    pid: int
    client: MemcachedClient
    fd: int
    """The server's end of its connection."""
    binary: Path
    slab_class: int
    """Where the item is."""

    def ask(self, expression: str, new: Path | None = None) -> ObjectResult:
        return explain(find_recorded(self.pid), expression, new, UpdateOptions())

    def connection(self) -> ObjectResult:
        return self.ask(f"*conns[{self.fd}]")


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    binary = nearest_server("memcached", "1.6.18-1+deb12u1").binary
    port = free_port()
    with McrServer([str(binary), *server_arguments(port, megabytes=64)]) as server:
        wait_until_served(port, TIMEOUT_S)
        deadline = time.monotonic() + TIMEOUT_S
        while not inspection.log(server.pid).complete:
            assert time.monotonic() < deadline
            time.sleep(0.01)  # nothing announces the end of the start-up
        with MemcachedClient(port, timeout=TIMEOUT_S) as client:
            client.set(b"key", b"value")
            classes = {int(name.split(":")[1]) for name in client.stats("items")}
            (fd,) = [one.fd for one in inspection.fds(server.pid).descriptors if one.kind == "socket"]
            yield Scene(server.pid, client, fd, binary, min(classes))


@pytest.fixture(scope="module")
def later() -> Path:
    return nearest_server("memcached", "1.6.38-1").binary


def _field(result: ObjectResult, path: str) -> FieldFate:
    (found,) = [one for one in result.fields if one.path == path]
    return found


def test_a_field_of_a_variable(scene: Scene) -> None:
    result = scene.ask("settings.maxconns")
    assert (result.description, result.type, result.evidence) == ("settings", "struct settings", "declared")
    assert result.place.startswith("settings.maxconns (int) at ")
    assert result.fields == (FieldFate("maxconns", "as at the end of start-up", "1024", "1024"),)
    assert (result.fate, result.findings) == ("", ())


def test_a_variable_that_has_changed(scene: Scene) -> None:
    result = scene.ask("stats_state")
    assert _field(result, "curr_conns").decision == "changed since start-up"
    assert len(result.fields) > 10


def test_an_element_of_an_array_on_the_heap(scene: Scene) -> None:
    result = scene.ask(f"conns[{scene.fd}]")
    assert (result.type, result.path, result.evidence) == ("conn *[1024]", "conns", "precise")
    assert result.site[0] == "conn_init"
    (slot,) = result.fields
    assert (slot.path, slot.base) == (f"[{scene.fd}]", "NULL")
    assert slot.theirs.endswith("(struct conn)")


def test_what_a_pointer_leads_to(scene: Scene) -> None:
    result = scene.connection()
    assert (result.type, result.evidence, result.place) == ("struct conn", "precise", "")
    assert "since the start-up" in result.description
    assert "conn_new" in result.site
    assert result.path.startswith("conns")
    assert (_field(result, "sfd").theirs, _field(result, "sfd").base) == (str(scene.fd), "")
    assert _field(result, "state").theirs == "conn_read"


def test_an_address_inside_an_object(scene: Scene) -> None:
    whole = scene.connection()
    inside = scene.ask(hex(whole.address + 8))
    assert (inside.address, inside.type, len(inside.fields)) == (whole.address, whole.type, len(whole.fields))
    assert "byte 8 of the object" in inside.place
    assert scene.ask(f"{whole.address:#x}.sfd").fields == (_field(whole, "sfd"),)


def test_a_slab_page_is_opaque(scene: Scene) -> None:
    page = scene.ask(f"**slabclass[{scene.slab_class}].slab_list")
    assert (page.size, page.type, page.evidence, page.fields) == (1 << 20, "", "none", ())
    inside = scene.ask(hex(page.address + 5000))
    assert inside.address == page.address
    assert "byte 5000 of the object" in inside.place


def test_start_up_memory_that_serves_all_workers(scene: Scene) -> None:
    result = scene.ask("*threads")
    assert result.type == "struct LIBEVENT_THREAD[4]"
    assert "in the start-up" in result.description
    assert "memcached_thread_init" in result.site


def test_an_update_to_the_same_build_moves_everything_as_it_is(scene: Scene) -> None:
    settings = scene.ask("settings", scene.binary)
    assert (settings.fate, settings.findings) == ("merged", ())
    assert _field(settings, "maxconns").decision == "ours: unchanged since start-up"
    assert scene.ask("stats_state.curr_conns", scene.binary).fields[0].decision == "theirs: changed since start-up"
    connection = scene.ask(f"*conns[{scene.fd}]", scene.binary)
    assert (connection.fate, connection.findings) == ("moved as it is", ())


def test_an_update_to_a_later_release_converts_what_changed(scene: Scene, later: Path) -> None:
    settings = scene.ask("settings", later)
    assert settings.fate == "merged and converted"
    assert _field(settings, "oldest_cas").decision == "left behind: the new build has no such member"
    assert [one.id for one in settings.findings] == ["R2:settings.oldest_cas"]
    assert any(one.decision == "ours: new in this build" for one in settings.fields)
    connection = scene.ask(f"*conns[{scene.fd}]", later)
    assert connection.fate.startswith("converted")
    assert _field(connection, "sfd").decision == "theirs: made since start-up"


@pytest.mark.parametrize(
    ("expression", "message", "hint"),
    [
        ("setings", "no variable `setings`", "`settings`"),
        ("settings.maxcon", "no member `maxcon`", "`maxconns`"),
        ("conns[0]->sfd", "null pointer", ""),
        ("0x10", "no object", "nothing is mapped at 0x10"),
        ("settings.", "cannot read", "for example"),
    ],
)
def test_what_is_not_there_is_told_with_what_is_near(scene: Scene, expression: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        scene.ask(expression)
    assert hint in caught.value.hint


def test_code_is_no_object(scene: Scene) -> None:
    handler = _field(scene.connection(), "event.ev_evcallback.evcb_cb_union")
    address = int.from_bytes(bytes.fromhex(handler.theirs.replace(" ", "")), "little")
    with pytest.raises(UsageError) as caught:
        scene.ask(hex(address))
    assert "is code of event_handler" in caught.value.hint


def test_a_changed_field_without_a_home_refuses_the_update(scene: Scene, later: Path) -> None:
    scene.client.flush_all()
    result = scene.ask("settings", later)
    assert (result.fate, result.why) == ("refused", "because of oldest_cas")
    assert _field(result, "oldest_cas").decision.startswith("refused: ")
    assert _field(result, "oldest_live").decision.startswith("theirs: changed since start-up")


def test_the_program_prints_it(scene: Scene, later: Path) -> None:
    done = run_mcr("object", str(scene.pid), "settings.maxconns", "--new", str(later), timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    assert "merged and converted" in done.stdout
    assert "maxconns  1024  ours: unchanged since start-up" in done.stdout
