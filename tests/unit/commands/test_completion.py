"""What may stand where the cursor is."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdb_mcr.commands.completion import complete, split_line
from gdb_mcr.commands.table import find
from gdb_mcr.errors import TargetError
from tests.support.fake_front_end import FakeFrontEnd
from tests.support.fake_updater import DOUBT, LOSS


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some files, one of them hidden."""
    monkeypatch.chdir(tmp_path)
    for name in ("new", "notes.mcr", ".hidden", "sub/one"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()


def offered(front: FakeFrontEnd, line: str) -> list[str]:
    """Candidates for the end of ``line``."""
    (name, *before), current, _ = split_line(line)
    return [one.text for one in complete(find(name, front.front_end), before, current, front.context)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("update ", ["4711", "new", "notes.mcr", "sub/"]),
        ("update 47", ["4711"]),
        ("update 4711 ne", ["new"]),
        ("update 4711 ./s", ["./sub/"]),
        ("update 4711 sub/", ["sub/one"]),
        ("update 4711 .h", [".hidden"]),
        ("update 4711 new ", []),
        ("update --policy ", ["default", "strict"]),
        ("update --policy=st", ["--policy=strict"]),
        ("update --annotations no", ["notes.mcr"]),
        ("update --timeout ", []),
        ("update --dry", ["--dry-run"]),
        ("update --dry-run --dry", []),
        ("update --annotations a --ann", ["--annotations"]),
        ("check ", ["4711", "new", "notes.mcr", "sub/"]),
        ("check new n", ["new", "notes.mcr"]),
        ("status ", ["4711"]),
        ("object 4711 ", []),
        ("transfer ", []),
    ],
)
def test_candidates_fit_the_place(shell: FakeFrontEnd, line: str, expected: list[str]) -> None:
    assert offered(shell, line) == expected


def test_only_findings_that_can_be_overridden_are_offered(shell: FakeFrontEnd) -> None:
    shell.context.finding_ids = (LOSS.id, "R6:conn", DOUBT.id)
    assert offered(shell, "update --yes-to ") == [LOSS.id, DOUBT.id]


def test_servers_that_cannot_be_listed_spoil_nothing(shell: FakeFrontEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> tuple[int, ...]:
        raise TargetError("no /proc")

    shell.context.make_updater = lambda: fail()  # type: ignore[assignment,return-value]
    assert offered(shell, "update n") == ["new", "notes.mcr"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", ([], "", "")),
        ("update", ([], "update", "update")),
        ("update ", (["update"], "", "")),
        ("update 'a b' c", (["update", "a b"], "c", "c")),
        ("update 'a b", (["update"], "a b", "'a b")),
        ("update \"it's", (["update"], "it's", "\"it's")),
        ("update it\\'s", (["update"], "it's", "it\\'s")),
        ('update "a\\', (["update"], "a\\", '"a\\')),
        ("update it\\ ", (["update"], "it ", "it\\ ")),
        ("update a\\", (["update"], "a\\", "a\\")),
        ('update "a\\" b', (["update"], 'a" b', '"a\\" b')),
    ],
)
def test_unfinished_line_is_split_as_a_finished_one(line: str, expected: tuple[list[str], str, str]) -> None:
    assert split_line(line) == expected
