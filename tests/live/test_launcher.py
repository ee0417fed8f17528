"""N starts through mcr_launch: with O's launch facts, O's ranges kept free, O's libraries at O's addresses."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gdb_mcr.errors import UpdateFailed, UsageError
from gdb_mcr.model.launch import Launched, LaunchPlan, PlacedLibrary
from gdb_mcr.model.startup_log import LaunchFacts
from gdb_mcr.proc.descriptors import descriptors
from gdb_mcr.proc.mappings import mappings
from gdb_mcr.proc.pidfd import Pidfd
from gdb_mcr.proc.status import executable, is_alive, status
from gdb_mcr.reinit import launcher
from gdb_mcr.runtime_abi.messages import CHANNEL_FD, SETTINGS_FD
from gdb_mcr.units import PAGE, Range
from tests.support.memcached import (
    MemcachedClient,
    free_port,
    running_memcached,
    server_arguments,
    wait_until_served,
)
from tests.support.servers import nearest_server

SOURCE = Path(__file__).parents[1] / "targets" / "launch_report.c"
TIMEOUT_S = 10.0

Report = dict[str, list[str]]
Compile = Callable[..., Path]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    directory = tmp_path_factory.mktemp("launch")

    def build(name: str, *options: str) -> Path:
        target = directory / name
        if not target.exists():
            subprocess.run(["gcc", "-g", "-O1", *options, "-o", target, SOURCE], check=True, timeout=60)
        return target

    return build


@dataclass(frozen=True, slots=True)
class Reporter:
    """A plan for the reporting target, and the FIFO on which it reports."""

    plan: LaunchPlan
    fifo: Path

    def read(self) -> Report:
        """What it wrote until it closed the FIFO."""
        lines = read_fifo(self._reading, TIMEOUT_S).splitlines()
        found: Report = defaultdict(list)
        for name, _, value in (line.partition(" ") for line in lines):
            found[name].append(value)
        return found

    @property
    def _reading(self) -> int:
        return os.open(self.fifo, os.O_RDONLY | os.O_NONBLOCK)


def read_fifo(reading: int, timeout_s: float) -> str:
    deadline, text = time.monotonic() + timeout_s, b""
    poller = select.poll()
    poller.register(reading, select.POLLIN)
    while poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
        part = os.read(reading, 65536)
        text += part
        if not part and text:
            os.close(reading)
            return text.decode()
    raise AssertionError(f"no whole report in time: {text!r}")


@pytest.fixture
def reporter(compiled: Compile, tmp_path: Path) -> Reporter:
    fifo = tmp_path / "report"
    os.mkfifo(fifo)
    program = compiled("report")
    plan = LaunchPlan(program, (b"reporter", os.fsencode(fifo), b"-x"), (b"A=1", b"LD_BIND_NOW=", b"B=two words"))
    return Reporter(plan, fifo)


@contextmanager
def launched(plan: LaunchPlan, settings_fd: int = launcher.NONE, channel_fd: int = launcher.NONE) -> Iterator[Launched]:
    """A new process, killed at the end."""
    new = launcher.launch(plan, settings_fd, channel_fd, TIMEOUT_S)
    with Pidfd(new.pid) as handle:
        try:
            yield new
        finally:
            if is_alive(new.pid):
                handle.send_signal(signal.SIGKILL)
            assert handle.wait(TIMEOUT_S)


def own_facts(cwd: Path) -> LaunchFacts:
    """Launch facts that differ from this process's where that needs no privilege."""
    import resource

    limits = [resource.getrlimit(number) for number in range(16)]
    limits[resource.RLIMIT_NOFILE] = (200, limits[resource.RLIMIT_NOFILE][1])
    return LaunchFacts(
        argv=(),
        environ=(),
        uids=os.getresuid(),
        gids=os.getresgid(),
        umask=0o27,
        groups=tuple(os.getgroups()),
        capabilities=(0, 0, 0, 2**64 - 1, 0),
        rlimits=tuple((soft % 2**64, hard % 2**64) for soft, hard in limits),
        signal_mask=1 << (signal.SIGUSR1 - 1),
        signals_ignored=1 << (signal.SIGPIPE - 1),
        affinity=frozenset([min(os.sched_getaffinity(0))]),
        at_random=bytes(range(16)),
        namespaces=(),
        cwd=str(cwd),
        root="/",
        exe="",
    )


def test_new_process_starts_with_the_facts_of_the_plan(reporter: Reporter, tmp_path: Path) -> None:
    cwd = tmp_path / "elsewhere"
    cwd.mkdir()
    with launched(replace(reporter.plan, facts=own_facts(cwd))) as new:
        report = reporter.read()
        assert report["arg"] == ["reporter", str(reporter.fifo), "-x"]
        assert report["env"] == ["A=1", "LD_BIND_NOW=", "B=two words"]
        assert report["cwd"] == [str(cwd)]
        assert report["umask"] == ["27"]
        assert report["random"] == [bytes(range(16)).hex()]
        assert report["blocked"] == [str(signal.SIGUSR1.value)]
        assert report["ignored"] == [str(signal.SIGPIPE.value)]
        assert (report["nofile"], report["cpus"]) == (["200"], ["1"])
        assert report["leader"] == ["1"]
        assert report["fd"] == ["0", "1", "2"]
        assert {one.target for one in descriptors(new.pid).values()} == {"/dev/null"}
        assert executable(new.pid) == reporter.plan.executable
        assert status(new.pid).tracer == 0


def test_settings_and_channel_come_at_their_numbers(reporter: Reporter) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    settings = os.memfd_create("settings")
    try:
        with ours, theirs, launched(reporter.plan, settings, theirs.fileno()) as new:
            assert reporter.read()["fd"] == ["0", "1", "2", str(SETTINGS_FD), str(CHANNEL_FD)]
            open_ones = descriptors(new.pid)
            assert open_ones[SETTINGS_FD].target.startswith("/memfd:settings")
            assert open_ones[CHANNEL_FD].inode == os.fstat(theirs.fileno()).st_ino
    finally:
        os.close(settings)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become somebody else")
def test_new_process_runs_as_the_old_ones_user(reporter: Reporter, tmp_path: Path) -> None:
    for directory in (reporter.plan.executable.parent, tmp_path):
        open_up(directory)
    reporter.fifo.chmod(0o666)
    facts = replace(own_facts(Path("/")), uids=(65534,) * 3, gids=(65534,) * 3, groups=(65534, 100))
    with launched(replace(reporter.plan, facts=facts)) as new:
        assert reporter.read()["ids"] == ["65534 65534"]
        assert status(new.pid).uids == (65534,) * 4


def open_up(directory: Path) -> None:
    """Lets everybody through to a directory of pytest's."""
    for one in (directory, *directory.parents[:3]):
        if one.owner() == "root" and one != Path("/tmp"):
            one.chmod(one.stat().st_mode | 0o011)


def test_reserved_ranges_stay_free_of_everything(reporter: Reporter) -> None:
    ranges = (Range(0x10000000000, 0x10000005000), Range(0x700000000000, 0x704000000000))
    with launched(replace(reporter.plan, reserved=ranges)) as new:
        reporter.read()
        reserved = [one.range for one in mappings(new.pid) if one.is_reserved]
        assert [one for one in ranges if one not in reserved] == []


def test_program_that_stands_in_the_way_is_moved(reporter: Reporter) -> None:
    """Nearly all places where the kernel puts programs are reserved; the program runs in the gap all the same."""
    low, high = 0x555555554000, 0x655555554000
    gap = Range(low + (1 << 39), low + (1 << 39) + (1 << 36))
    plan = replace(reporter.plan, reserved=(Range(low, gap.start), Range(gap.end, high)))
    with launched(plan) as new:
        address, value = reporter.read()["global"][0].split()
        assert int(address, 16) in gap
        assert value == "42"
        image = [one.range for one in mappings(new.pid) if one.path == str(plan.executable)]
        assert all(one.start in gap for one in image)
        assert at_entry(new.pid) in gap


def at_entry(pid: int) -> int:
    """AT_ENTRY as the kernel tells it to debuggers."""
    words = memoryview(Path(f"/proc/{pid}/auxv").read_bytes()).cast("Q")
    return next(words[i + 1] for i in range(0, len(words), 2) if words[i] == 9)


def test_clash_that_no_try_avoids_is_an_error(reporter: Reporter) -> None:
    with pytest.raises(UpdateFailed, match="where the old one has memory") as caught:
        launcher.launch(replace(reporter.plan, reserved=(Range(0x7F0000000000, 0x7FFFFFFFF000),)))
    assert "ASLR" in caught.value.hint


def test_preloaded_library_comes_first(compiled: Compile, reporter: Reporter) -> None:
    library = compiled("harmless.so", "-shared", "-fPIC")
    environ = (b"A=1", b"LD_PRELOAD=/nonexistent/theirs.so")
    with launched(replace(reporter.plan, preload=library, environ=environ)) as new:
        preloaded = f"LD_PRELOAD={library}:/nonexistent/theirs.so"
        assert reporter.read()["env"] == ["A=1", preloaded, "LD_BIND_NOW=1"]
        assert str(library) in libraries_of(new.pid)


def test_program_that_ends_at_once_is_quoted(compiled: Compile, reporter: Reporter) -> None:
    plan = replace(reporter.plan, preload=compiled("fails.so", "-DFAILS", "-shared", "-fPIC"))
    with pytest.raises(UpdateFailed, match="exit status 3 before its entry: no luck"):
        launcher.launch(plan)


def test_missing_library_is_named(compiled: Compile, reporter: Reporter, tmp_path: Path) -> None:
    library = tmp_path / "libabsent.so"
    subprocess.run(["gcc", "-shared", "-o", library, "-x", "c", os.devnull], check=True, timeout=60)
    program = compiled("needy", "-Wl,--no-as-needed", str(library), "-Wl,-rpath," + str(tmp_path))
    library.unlink()
    with pytest.raises(UpdateFailed, match=r"exit status 127 .*libabsent\.so: cannot open shared object file"):
        launcher.launch(replace(reporter.plan, executable=program))


def test_what_cannot_be_executed_is_a_usage_error(reporter: Reporter, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nsleep 100\n")
    script.chmod(0o700)
    for facts in (None, own_facts(tmp_path)):
        for path, why in ((tmp_path / "absent", "No such file"), (script, "no x86-64 ELF program")):
            with pytest.raises(UsageError, match=why):
                launcher.launch(replace(reporter.plan, executable=path, facts=facts))


def test_time_limit_ends_a_new_process_that_never_comes_to_its_entry(compiled: Compile, reporter: Reporter) -> None:
    plan = replace(reporter.plan, preload=compiled("hangs.so", "-DHANGS", "-shared", "-fPIC"))
    with pytest.raises(UpdateFailed, match="did not reach its entry in time") as caught:
        launcher.launch(plan, timeout_s=0.3)
    assert "--timeout" in caught.value.hint


def test_giving_up_a_launch_ends_the_new_process(compiled: Compile, reporter: Reporter) -> None:
    ours, theirs = socket.socketpair()
    plan = replace(reporter.plan, preload=compiled("hangs.so", "-DHANGS", "-shared", "-fPIC"))
    with ours:
        with launcher.start(plan, launcher.NONE, theirs.fileno(), TIMEOUT_S):
            theirs.close()
        ours.settimeout(TIMEOUT_S)
        assert ours.recv(1) == b""  # nobody has the other end any more


def test_library_of_large_alignment_is_placed_too(compiled: Compile, reporter: Reporter, tmp_path: Path) -> None:
    """ld.so maps such a library in two steps and unmaps what is too much: that must not hit what stands behind it."""
    library = tmp_path / "libaligned.so"
    options = ["-shared", "-Wl,-z,max-page-size=0x200000", "-x", "c", os.devnull]
    subprocess.run(["gcc", "-o", library, *options], check=True, timeout=60)
    linked = ("-Wl,--no-as-needed", str(library), "-Wl,-rpath," + str(tmp_path))
    plan = replace(reporter.plan, executable=compiled("aligned", *linked))
    with launched(plan) as first:
        reporter.read()
        base = libraries_of(first.pid)[str(library)]
        end = max(one.range.end for one in mappings(first.pid) if one.path == str(library))
    behind = Range(end, end + (1 << 22))
    placed = replace(plan, libraries=(PlacedLibrary(str(library), base),), reserved=(behind,))
    with launched(placed) as second:
        reporter.read()
        assert libraries_of(second.pid)[str(library)] == base
        assert any(one.is_reserved and behind.end == one.range.end for one in mappings(second.pid))
        assert all(one.is_reserved or not one.range.overlaps(behind) for one in mappings(second.pid))


def test_libraries_stand_where_the_old_memcached_has_them() -> None:
    old_build, new_build = nearest_server("memcached", "1.6.18-1+deb12u1"), nearest_server("memcached", "1.6.38-1")
    with running_memcached(old_build.binary, megabytes=64) as old:
        libraries = libraries_of(old.pid)
        image = [one.range for one in mappings(old.pid) if one.path == str(old_build.binary)]
        port = free_port()
        argv = [str(new_build.binary), *server_arguments(port, megabytes=64)]
        plan = LaunchPlan(
            new_build.binary,
            tuple(map(os.fsencode, argv)),
            (b"PATH=/bin",),
            libraries=tuple(PlacedLibrary(path, base) for path, base in libraries.items()),
            reserved=(Range(image[0].start, image[-1].end + 16 * PAGE),),
        )
        for _ in range(50):
            with launched(plan) as new:
                theirs = libraries_of(new.pid)
                assert len(theirs) >= 2
                assert {path: theirs[path] for path in libraries if path in theirs} == libraries
        with launched(plan) as new:
            assert wait_until_served(port).startswith("1.6.")
            with MemcachedClient(port, timeout=TIMEOUT_S) as client:
                client.set(b"key", b"value")
                value = client.get(b"key")
                assert value is not None
                assert value.data == b"value"


def libraries_of(pid: int) -> dict[str, int]:
    """Path to base of the shared libraries but for ld.so, which the kernel maps."""
    found: dict[str, int] = {}
    for one in mappings(pid):
        if ".so" in one.path and "/ld-linux" not in one.path:
            found.setdefault(one.path, one.range.start)
    return found
