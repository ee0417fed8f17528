"""What `mcr run` refuses before anything runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gdb_mcr.errors import AnalysisError, UsageError
from gdb_mcr.update.run import find_program, preloading, prepare_run


@pytest.mark.parametrize(
    ("command", "message"),
    [([], "no command"), (["./no-such-server"], "no such file"), (["no-such-server-anywhere"], "not found")],
)
def test_a_missing_program_is_said(command: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        prepare_run(command)
    assert caught.value.hint


def test_a_file_that_is_no_program_is_said(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_text("#!/bin/sh\n")
    with pytest.raises(UsageError, match="may execute"):
        prepare_run([str(file)])
    file.chmod(0o755)
    with pytest.raises(AnalysisError):
        prepare_run([str(file)])


def test_the_search_is_that_of_execvp(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "server").write_text("")
    (tmp_path / "second" / "server").chmod(0o755)
    path = f"{tmp_path / 'first'}:{tmp_path / 'second'}"
    assert find_program("server", {"PATH": path}) == tmp_path / "second" / "server"
    assert find_program("sh", {}).name == "sh"
    assert find_program("sh", os.environ).is_absolute()


def test_what_was_preloaded_before_stays() -> None:
    library = Path("/opt/libmcr.so")
    assert preloading({"A": "b"}, library) == {"A": "b", "LD_PRELOAD": "/opt/libmcr.so"}
    assert preloading({"LD_PRELOAD": "other.so"}, library) == {"LD_PRELOAD": "/opt/libmcr.so:other.so"}
    with pytest.raises(UsageError, match="blank"):
        preloading({}, Path("/my files/libmcr.so"))
