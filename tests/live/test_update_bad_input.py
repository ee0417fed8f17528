"""`mcr update` with what people get wrong, on a memcached that serves: one sentence, exit status 2, nothing touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.broken_programs import THREADED, compiled, without_debug_information
from tests.support.mcr_server import ROOT, mcr
from tests.support.served import Served, served_memcached, told
from tests.support.unharmed import Bystander

SEIZE = """
import ctypes, sys
ptrace = ctypes.CDLL(None).ptrace
ptrace.argtypes = [ctypes.c_long] * 4
sys.exit("PTRACE_SEIZE failed") if ptrace(0x4206, int(sys.argv[1]), 0, 0) else print("ready", flush=True)
sys.stdin.read()
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user and mount")


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--timeout", "0"], "no number of seconds above 0"),
        (["--args", "'"], "no closing quotation"),
        (["--yes-to", "R8:program"], "R8 cannot be overridden"),
        (["--anotations", "mine.mcr"], "did you mean `--annotations`?"),
    ],
)
def test_wrong_option(served: Served, bystander: Bystander, options: list[str], message: str) -> None:
    assert message in told(served.update(bystander, served.binary, *options), 2)


def new_directory(_: Served, directory: Path) -> Path:
    return directory


def new_missing(_: Served, directory: Path) -> Path:
    return directory / "gone"


def new_script(_: Served, directory: Path) -> Path:
    path = directory / "server"
    path.write_text("#!/bin/sh\nexec memcached\n")
    path.chmod(0o755)
    return path


def new_stripped(served: Served, directory: Path) -> Path:
    return without_debug_information(served.binary, directory / "stripped")


def new_32_bit(_: Served, directory: Path) -> Path:
    source = "void _start(void) { for (;;) { } }\n"
    return compiled(directory / "small", "-m32", "-nostdlib", "-static", source=source)


def new_fixed(_: Served, directory: Path) -> Path:
    return compiled(directory / "fixed", "-no-pie", "-pthread", source=THREADED)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (new_directory, "is a directory"),
        (new_missing, "there is no file"),
        (new_script, "not a script around it"),
        (new_stripped, "has no debug information"),
        (new_32_bit, "x86-64"),
        (new_fixed, "not position-independent"),
    ],
)
def test_new_that_is_no_server(
    served: Served, bystander: Bystander, tmp_path: Path, make: Callable[[Served, Path], Path], message: str
) -> None:
    new = make(served, tmp_path)
    said = told(served.update(bystander, new), 2)
    assert message in said
    assert str(new) in said


def test_annotations_with_errors(served: Served, bystander: Bystander, tmp_path: Path) -> None:
    """All of them are told, each with its place."""
    for name, text in (("bad.mcr", "drop ;\ndrop conn ->;\n"), ("unknown.mcr", "# a comment\ndrop no_such_name;\n")):
        (tmp_path / name).write_text(text)
    files = [f"--annotations={tmp_path}/{name}" for name in ("bad.mcr", "gone.mcr")]
    said = told(served.update(bystander, served.binary, *files), 2)
    assert all(place in said for place in ("bad.mcr:1:", "bad.mcr:2:", "gone.mcr"))
    said = told(served.update(bystander, served.binary, f"--annotations={tmp_path}/unknown.mcr"), 2)
    assert "unknown.mcr:2:" in said
    assert "no_such_name" in said


@needs_root
def test_another_user_may_not(served: Served, bystander: Bystander) -> None:
    def as_nobody(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            mcr(*words),
            cwd=ROOT,
            env={**os.environ, **bystander.environment, "HOME": bystander.environment["TMPDIR"]},
            user="nobody",
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    if as_nobody("help").returncode != 0:
        pytest.skip("another user cannot read this checkout")
    done = as_nobody("update", str(served.server.pid), "/bin/sh")
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"mcr: process {served.server.pid} may not be looked at: Permission denied" in done.stderr
    assert "as root or as the user that the server runs as" in done.stderr


@contextmanager
def seized(pid: int) -> Iterator[subprocess.Popen[str]]:
    """Another tracer, which does not stop the process."""
    command = [sys.executable, "-c", SEIZE, str(pid)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tracer:
        assert tracer.stdout is not None
        assert tracer.stdout.readline() == "ready\n"
        yield tracer


def test_harm_is_seen(served: Served) -> None:
    """Otherwise these tests would prove nothing."""
    with Bystander(served.server.pid, served.port, patience_s=0) as one:
        environment = {**os.environ, **one.environment}
        with seized(served.server.pid), subprocess.Popen(["sleep", "60"], env=environment) as left:
            found = "\n".join(one.harm())
            left.kill()
        assert f"thread {served.server.pid} is traced by" in found
        assert f"process {left.pid} still runs: sleep 60" in found


def test_server_that_has_a_tracer(served: Served, bystander: Bystander) -> None:
    with seized(served.server.pid) as tracer:
        said = told(served.update(bystander, served.binary), 2)
    assert f"process {served.server.pid} is already traced by" in said
    assert f"(process {tracer.pid})" in said
    assert "in GDB: `detach`" in said


def test_server_that_is_stopped_by_a_signal(served: Served, bystander: Bystander) -> None:
    os.kill(served.server.pid, signal.SIGSTOP)
    try:
        said = told(served.update(bystander, served.binary), 2)
    finally:
        os.kill(served.server.pid, signal.SIGCONT)
    assert f"kill -CONT {served.server.pid}" in said


# ---- full and unusable directories


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system without room."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], check=False).returncode != 0:
        pytest.skip("mounting is not permitted here")
    try:
        (tmp_path / "gdb_mcr" / "analysis").mkdir(mode=0o700, parents=True)
        with suppress(OSError), (tmp_path / "filling").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1024))
        assert os.statvfs(tmp_path).f_bavail == 0
        yield tmp_path
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@needs_root
@pytest.mark.parametrize("variable", ["XDG_STATE_HOME", "XDG_CACHE_HOME"])
def test_full_disk(served: Served, bystander: Bystander, full: Path, variable: str) -> None:
    said = told(served.update(bystander, served.binary, **{variable: str(full)}), 2)
    assert f"{full}/gdb_mcr" in said
    assert "No space left on device" in said
    assert f"set {variable}" in said or "XDG_CACHE_HOME and XDG_STATE_HOME" in said


@pytest.mark.parametrize(("kind", "message"), [("a link", "it is a symbolic link"), ("a file", "it is no directory")])
def test_state_directory_that_is_none(
    served: Served, bystander: Bystander, tmp_path: Path, kind: str, message: str
) -> None:
    place = tmp_path / "gdb_mcr"
    if kind == "a link":
        (tmp_path / "elsewhere").mkdir()
        place.symlink_to("elsewhere")
    else:
        place.touch()
    said = told(served.update(bystander, served.binary, XDG_STATE_HOME=str(tmp_path)), 2)
    assert str(place) in said
    assert message in said
    assert not list((tmp_path / "elsewhere").glob("*"))
