"""Start-up loops that make one element more: it may stand first, in the middle or last, of strings and of structs.

Each build of tests/targets/table_server.c makes a table of strings, and structs that hang in a list and in a table of
pointers. The old build has served meanwhile: it has changed a string where it stands, counted entries up and added
some, and two connections point to entries of their own. Where the two builds' elements cannot both have a place, the
update is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.table_server import STARTUP, TableClient, build, running

pytestmark = [pytest.mark.live]


@dataclass(frozen=True)
class New:
    """A new build: the options it is compiled with, and what its start-up makes."""

    options: tuple[str, ...]
    startup: tuple[str, ...]
    limit: tuple[str, ...] = ()
    """What `mine` answers behind NAME=COUNT: a field that the old build does not have."""
    no_limit: tuple[str, ...] = ()
    """The same for an entry that the old build has added: the field is zero."""


def _with_extra(place: int, names: tuple[str, ...] = STARTUP) -> tuple[str, ...]:
    return (*names[:place], "extra", *names[place:])


NEW_BUILDS = {
    "first": New(("-DEXTRA_AT=0",), _with_extra(0)),
    "middle": New(("-DEXTRA_AT=4",), _with_extra(4)),
    "last": New(("-DEXTRA_AT=8",), _with_extra(8)),
    "middle, and every struct grows": New(("-DEXTRA_AT=4", "-DGROWN"), _with_extra(4), ("100",), ("0",)),
    "first, and another is gone": New(
        ("-DEXTRA_AT=0", "-DGONE"), _with_extra(0, tuple(one for one in STARTUP if one != "gamma"))
    ),
}


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("table_servers")


@pytest.mark.parametrize("new", NEW_BUILDS.values(), ids=NEW_BUILDS)
def test_update_when_a_startup_loop_makes_one_more_then_all_is_in_its_place(builds: Path, new: New) -> None:
    with running(build(builds)) as (server, port), TableClient(port) as one, TableClient(port) as two:
        one.ask("add first")
        one.ask("add second")
        one.count_up("theta", 3)
        two.count_up("first", 2)
        one.ask("loud beta")

        run = server.update(build(builds, *new.options))
        assert run.status == 0, run.told()

        counts = dict.fromkeys(new.startup, 0) | {"theta": 3}
        assert one.ask("names") == ["BETA" if name == "beta" else name for name in new.startup]
        assert one.ask("list") == _shown(counts)
        assert one.ask("table") == _shown(counts)
        assert one.ask("added") == ["second=0", "first=2"]
        assert one.ask("mine") == ["theta=4", *new.limit]
        assert two.ask("mine") == ["first=3", *new.no_limit]
        _check_that_it_serves_on(port, counts | {"theta": 4}, new)


def _check_that_it_serves_on(port: int, counts: dict[str, int], new: New) -> None:
    with TableClient(port) as fresh:
        fresh.ask("append later")
        fresh.count_up("extra", 1)
        fresh.ask("add third")
        expected = _shown(counts | {"extra": 1, "later": 0})
        assert fresh.ask("list") == expected
        assert fresh.ask("table") == expected
        assert fresh.ask("added") == ["third=0", "second=0", "first=3"]
        assert fresh.ask("mine") == ["extra=2", *new.limit]


def _shown(counts: dict[str, int]) -> list[str]:
    return [f"{name}={count}" for name, count in counts.items()]


@dataclass(frozen=True)
class Conflict:
    """What the old server has done meanwhile, and the finding that speaks against the new build because of it."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    lines: tuple[str, ...]
    finding: str


CONFLICTS = {
    "O has appended where N's first element has pushed one up": Conflict((), ("-DEXTRA_AT=0",), ("append x",), "table"),
    "O has appended where N has one more": Conflict((), ("-DEXTRA_AT=8",), ("append x",), "table"),
    "O has counted in a slot that N gives to another": Conflict(
        ("-DSLOTS",), ("-DSLOTS", "-DEXTRA_AT=4"), ("hit zeta",), "slots"
    ),
    "O has counted in the last slot, where N has one more": Conflict(
        ("-DSLOTS",), ("-DSLOTS", "-DEXTRA_AT=7"), ("hit theta",), "slots"
    ),
    "O has counted in one that N no longer makes": Conflict((), ("-DGONE",), ("pick gamma", "mine"), "element entry"),
}


@pytest.mark.parametrize("case", CONFLICTS.values(), ids=CONFLICTS)
def test_update_when_something_would_be_lost_then_it_is_refused(builds: Path, case: Conflict) -> None:
    with running(build(builds, *case.old)) as (server, port), TableClient(port) as client:
        for line in case.lines:
            client.ask(line)
        before = [client.ask(word) for word in ("names", "list", "table", "slots")]

        run = server.update(build(builds, *case.new))

        assert (run.status, f"R13:{case.finding}" in run.finding_ids) == (1, True), run.told()
        assert [client.ask(word) for word in ("names", "list", "table", "slots")] == before


def test_update_when_slots_have_moved_up_and_nobody_has_counted_then_they_are_the_new_ones(builds: Path) -> None:
    with running(build(builds, "-DSLOTS")) as (server, port), TableClient(port) as client:
        run = server.update(build(builds, "-DSLOTS", "-DEXTRA_AT=0"))
        assert run.status == 0, run.told()
        assert client.ask("slots") == _shown(dict.fromkeys(_with_extra(0), 0))
