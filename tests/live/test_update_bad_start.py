"""New builds that are another program, or fail in their start-up: refused or rolled back, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broken_programs import CRASH, LOOP, THREADED, compiled, with_main
from tests.support.served import Served, served_memcached, told
from tests.support.unharmed import Bystander


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with served_memcached() as served:
        yield served


@pytest.fixture
def bystander(served: Served) -> Iterator[Bystander]:
    """The server; each test that uses this ends with a look at whether it is unharmed."""
    with Bystander(served.server.pid, served.port) as bystander:
        yield bystander
        assert bystander.harm() == []


def test_another_program(served: Served, bystander: Bystander, tmp_path: Path) -> None:
    run = served.update(bystander, compiled(tmp_path / "other", "-pthread", source=THREADED))
    assert "two different programs" in told(run, 1)
    assert run.finding_ids == {"R8:program"}


def test_new_that_ends_at_once(served: Served, bystander: Bystander) -> None:
    said = told(served.update(bystander, served.binary, "--args", "--no-such-option"), 3)
    assert "ended in its start-up with exit status 1" in said
    assert "unrecognized option '--no-such-option'" in said
    assert "--args" in said


def test_new_that_crashes(served: Served, bystander: Bystander, tmp_path: Path) -> None:
    said = told(served.update(bystander, with_main(served.binary, CRASH, tmp_path / "crashing")), 3)
    assert "ended in its start-up with SIGILL" in said


def test_new_that_never_gets_ready(served: Served, bystander: Bystander, tmp_path: Path) -> None:
    looping = with_main(served.binary, LOOP, tmp_path / "looping")
    said = told(served.update(bystander, looping, "--timeout", "1.5"), 3)
    assert "did not become ready within 1.5 s" in said
    assert "--timeout" in said


def test_new_that_goes_to_the_background(served: Served, bystander: Bystander) -> None:
    said = told(served.update(bystander, served.binary, "--args", f"-d {served.arguments}"), 3)
    assert "went to the background" in said


def test_after_all_this_it_can_be_updated(served: Served, bystander: Bystander) -> None:
    """What nobody found cannot be overridden, but that is no reason to refuse."""
    run = served.update(bystander, served.binary, "--dry-run", "--yes-to", "R2:misspelt")
    assert run.status == 0, run.told()
    assert "--yes-to R2:misspelt: there was no such finding" in run.result["warnings"]
