"""A GDB that is attached to the server gives it up while a verb works on it, and takes back what serves then."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gdb_script import GdbRun, run_script

pytestmark = pytest.mark.plugin

# GONE is a function that only the old build has.
SOURCE = """
#include <stdio.h>
#include <unistd.h>
int rounds;
__attribute__((noinline)) void turn(void) { rounds++; }
#ifdef GONE
__attribute__((noinline)) void GONE(void) { turn(); }
#else
#define GONE turn
#endif
int main(void)
{
    puts("ready");
    fflush(stdout);
    for (;;) {
        usleep(5000);
        GONE();
    }
}
"""

# What the fake updater sees of O in the place of updating it.
LOOK = """
python
def look(pid):
    lines = open(f"/proc/{pid}/status").read().splitlines()
    print("traced by", next(line.split()[1] for line in lines if line.startswith("TracerPid")))
    with open(f"/proc/{pid}/mem", "rb") as memory:
        memory.seek(turn)
        print("breakpoint", memory.read(1) == bytes([0xcc]))
u.on_update = look
end
"""


@pytest.fixture
def old(tmp_path: Path) -> Iterator[int]:
    """The pid of a running old build."""
    yield from running(build(tmp_path, "old", "-DGONE=step"))


@pytest.fixture
def new(tmp_path: Path) -> Iterator[int]:
    """The pid of a running new build, which poses as the old one's successor."""
    yield from running(build(tmp_path, "new"))


def build(directory: Path, name: str, *options: str) -> Path:
    (directory / "target.c").write_text(SOURCE)
    command = ["gcc", "-g", "-O1", *options, "-o", str(directory / name), str(directory / "target.c")]
    subprocess.run(command, check=True, timeout=60)
    return directory / name


def running(program: Path) -> Iterator[int]:
    process = subprocess.Popen([str(program)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        assert process.poll() is None, "it did not outlive GDB"
    finally:
        process.kill()
        process.communicate(timeout=10)


def attached(pid: int, *lines: str) -> str:
    """A script that attaches first, sets `turn` to the address of that function, and has breakpoints always in."""
    script = [f"python gdb.execute('attach {pid}', to_string=True)", "set breakpoint always-inserted on"]
    return "\n".join([*script, "python turn = int(gdb.parse_and_eval('(long) &turn'))", LOOK, *lines, ""])


def where(name: str) -> str:
    """A line that says what the current inferior is and where it stands."""
    return f"python print({name!r}, gdb.selected_inferior().pid, gdb.selected_frame().name())"


def run(script: str, directory: Path, *, status: int = 0) -> GdbRun:
    done = run_script(script, directory)
    assert done.status == status, done.errors + done.out
    assert "Traceback" not in done.errors
    return done


def test_server_is_lent_whole_and_taken_back_with_its_breakpoints(tmp_path: Path, old: int) -> None:
    lines = ["break turn", "break step thread 1 if rounds > 0", f"mcr-update {old} old --dry-run"]
    script = attached(
        old,
        "python u.outcome = fake_updater.WOULD_COMMIT",
        *lines,
        "continue",
        where("stopped"),
        "continue",
        where("stopped"),
        "mcr-threads",
        "info breakpoints",
    )
    done = run(script, tmp_path)
    assert "traced by 0\nbreakpoint False\n" in done.out
    stops = [line.split()[1:] for line in done.out.splitlines() if line.startswith("stopped ")]
    assert sorted(stops) == [[str(old), "step"], [str(old), "turn"]]
    assert f"detached from process {old}" in done.errors
    assert "breakpoint 2 (step) is breakpoint 3 now" in done.errors
    assert "stop only if rounds > 0" in done.out


def test_successor_is_taken_with_the_breakpoints_that_it_has_places_for(tmp_path: Path, old: int, new: int) -> None:
    script = attached(
        old,
        f"python u.outcome = replace(fake_updater.COMMITTED, new_pids=({new},))",
        "break step",
        "break turn",
        "break *turn+1",
        "watch rounds",
        "mcr-update new",
        "delete 4",
        "continue",
        where("stopped"),
    )
    done = run(script, tmp_path)
    assert f"attached to process {new}, which serves now" in done.errors
    assert "breakpoint 1 (step) is disabled: the new program has no such place" in done.errors
    assert "breakpoint 3 (*turn+1) is disabled: it is an address of the old program" in done.errors
    assert f"stopped {new} turn\n" in done.out


def test_open_update_keeps_the_server_until_it_ends(tmp_path: Path, old: int) -> None:
    which = "python print('has', gdb.selected_inferior().pid)"
    script = attached(old, "break turn", f"mcr-quiesce {old}", which, "mcr-status", which, "mcr-rollback", which)
    done = run(script, tmp_path)
    assert [line for line in done.out.splitlines() if line.startswith("has")] == ["has 0", "has 0", f"has {old}"]


@pytest.mark.parametrize(
    ("lines", "hint"),
    [
        (["set mcr-hand-over off"], "type `detach inferiors 1`, or `set mcr-hand-over on`"),
        (["continue &"], "stop it first (`interrupt`, or Ctrl-C)"),
    ],
    ids=["off", "running"],
)
def test_what_the_user_keeps_or_runs_is_not_taken(tmp_path: Path, old: int, lines: list[str], hint: str) -> None:
    script = attached(old, *lines, "mcr-update old")
    done = run(script, tmp_path, status=1)
    assert f"process {old} is already traced by this GDB" in done.errors
    assert hint in done.errors
    assert "traced by" not in done.out


def test_child_debugger_works_beside_the_user_s_and_leaves_it_as_it_was(tmp_path: Path, old: int) -> None:
    """The child GDB is a child of the user's GDB here, whose SIGCHLD handler and waits must not get in its way."""
    borrow = """
python
from gdb_mcr.debugger.child_gdb import ChildGdb
def borrow(pid):
    with ChildGdb() as child:
        child.stop(pid)
        print("frames", sorted(len(one.frames) > 1 for one in child.threads()))
        child.let_go()
u.on_update = borrow
end
"""
    dry = ["python u.outcome = fake_updater.WOULD_COMMIT", "mcr-update old --dry-run"]
    done = run(attached(old, borrow, "break turn", *dry, "continue", where("stopped")), tmp_path)
    assert "frames [True]\n" in done.out
    assert f"stopped {old} turn\n" in done.out
