"""What people get wrong at the `mcr` program: a sentence, the right exit status, and nothing touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.broken_programs import compiled
from tests.support.mcr_server import mcr, run_mcr

SOURCE = "int counter; int main(void) { return counter; }\n"
NO_LIBC = "void _start(void) { for (;;) { } }\n"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that can be analysed."""
    return compiled(tmp_path_factory.mktemp("good") / "good", source=SOURCE)


def told(*words: str, status: int = 2) -> str:
    """What `mcr` says on standard error. It must end with ``status`` and show no Python."""
    done = run_mcr(*words, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("mcr: ")
    return done.stderr


def test_unknown_verb() -> None:
    assert "did you mean `update`?" in told("updat", "12", "new")


def test_file_that_is_not_there(tmp_path: Path) -> None:
    assert f"there is no file {tmp_path}/gone" in told("update", "12", str(tmp_path / "gone"))


def test_answer_in_a_poor_charset_goes_to_a_reader_that_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONUTF8", "0")
    monkeypatch.setenv("PYTHONCOERCECLOCALE", "0")
    assert run_mcr("help", "update").returncode == 0
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(mcr("help"), stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_shell_script_ends_with_the_status_of_what_failed() -> None:
    script = "help\nnonsense\nhelp update\n"
    command = [*mcr("shell")]
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "there is no verb `nonsense`" in done.stdout
    assert "usage: update" not in done.stdout


def test_pid_that_nobody_has(good: Path) -> None:
    nobody = str(int(Path("/proc/sys/kernel/pid_max").read_text()) - 1)
    assert nobody in told("update", nobody, str(good))
    assert nobody in told("threads", nobody)
    assert nobody in told("status", nobody)


def test_process_that_was_not_started_by_mcr_run(good: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            said = told("update", str(process.pid), str(good))
            assert process.poll() is None
        finally:
            process.kill()
    assert str(process.pid) in said
    assert "mcr run" in said


@pytest.mark.parametrize("kind", ["32-bit", "stripped", "a script", "empty"])
def test_program_that_cannot_be_analysed(kind: str, good: Path, tmp_path: Path) -> None:
    path = tmp_path / "program"
    match kind:
        case "32-bit":
            compiled(path, "-m32", "-nostdlib", "-static", source=NO_LIBC)
        case "stripped":
            compiled(path, "-s", source=SOURCE)
        case "a script":
            path.write_text(f"#!{sys.executable}\nprint('no server')\n")
        case _:
            path.touch()
    path.chmod(0o700)
    assert "program" in told("check", str(good), str(path))
    assert "program" in told("run", "--", str(path))


def test_program_at_a_fixed_address(good: Path, tmp_path: Path) -> None:
    fixed = compiled(tmp_path / "fixed", "-no-pie", source=SOURCE)
    said = told("check", str(good), str(fixed))
    assert f"{fixed} is not position-independent" in said
    assert "-fPIE" in said


def test_run_of_a_program_that_is_not_there(tmp_path: Path) -> None:
    assert f"{tmp_path}/gone" in told("run", "--", str(tmp_path / "gone"))


def test_annotation_that_does_not_parse_is_shown_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "bad.mcr").write_text("drop ;\n")
    assert "bad.mcr:1:" in told("annotations", str(tmp_path / "bad.mcr"))
