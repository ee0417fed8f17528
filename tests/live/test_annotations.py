"""What each statement of the annotation language does to a pair of servers; without them the pair is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdb_mcr.tracing.fates import HANDLED
from gdb_mcr.update.api import UpdateOptions
from gdb_mcr.update.explaining import explain
from gdb_mcr.update.recorded import find_recorded
from tests.support.annotated_server import FACTS, HANDLERS, LIBRARY, NEW, OLD, answers, build, build_library, served

pytestmark = pytest.mark.live

NEEDED = {"R1:node", "R2:session.hits", "R2:session.idle_s", "R2:settings.limit_s", "R2:value.as", "R5:item"}
"""Findings that speak against the update if nothing is said; each of them is settled by another statement."""


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("annotated")


def test_handlers_and_facts_carry_over_what_types_cannot(builds: Path, tmp_path: Path) -> None:
    (tmp_path / "all.mcr").write_text(HANDLERS + FACTS + LIBRARY)
    build_library(tmp_path)
    with served(builds) as (server, client):
        assert answers(client) == OLD
        options = UpdateOptions(annotations=(tmp_path / "all.mcr",))
        session = explain(find_recorded(server.pid), "*registry.first", build(builds, "-DNEW"), options)
        by_handler = {one.path for one in session.fields if one.decision == HANDLED}
        assert by_handler == {"idle_s", "made", "idle_ms", "created", "level"}
        address = client.ask("key")
        run = server.update(build(builds, "-DNEW"), f"--annotations={tmp_path}/all.mcr")
        assert run.status == 0, run.told()
        assert answers(client) == NEW
        assert client.ask("key") == address  # bytes, although they look like a pointer to what has moved


def test_without_annotations_the_pair_is_refused(builds: Path) -> None:
    with served(builds) as (server, client):
        run = server.update(build(builds, "-DNEW"))
        assert run.status == 1, run.told()
        assert run.finding_ids >= NEEDED
        assert answers(client) == OLD


@pytest.mark.parametrize(("function", "told"), [("crashes", "crashed"), ("refuses", "no session has more than")])
def test_a_library_function_that_fails_harms_nobody(builds: Path, tmp_path: Path, function: str, told: str) -> None:
    (tmp_path / "failing.mcr").write_text(HANDLERS + FACTS + LIBRARY.replace("twice", function))
    build_library(tmp_path)
    with served(builds) as (server, client):
        run = server.update(build(builds, "-DNEW"), f"--annotations={tmp_path}/failing.mcr")
        assert run.status == 1, run.told()
        assert any(one.startswith("R15:label") for one in run.finding_ids)
        assert told in " ".join(run.output.split())
        assert answers(client) == OLD


def test_a_handler_that_cannot_compute_a_value_refuses_the_update(builds: Path, tmp_path: Path) -> None:
    """It is told with the statement and the object, and the server never notices."""
    text = HANDLERS.replace("transfer session {", "transfer session {\n    new.level = 100 / (old.hits - 3);")
    (tmp_path / "failing.mcr").write_text(text + FACTS)
    with served(builds) as (server, client):
        run = server.update(build(builds, "-DNEW"), f"--annotations={tmp_path}/failing.mcr")
        assert run.status == 1, run.told()
        assert run.finding_ids >= {"R15:session:4"}
        assert "failing.mcr:4:" in run.output
        assert "division by zero" in " ".join(run.output.split())
        assert answers(client) == OLD
