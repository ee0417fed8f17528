"""Profiles as files, and what they say of stopped threads."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from gdb_mcr.errors import UsageError
from gdb_mcr.model.profile import (
    EventOrigin,
    ProcessClass,
    Profile,
    ProfiledLoop,
    ProfiledStop,
    Stability,
    ThreadClass,
    Unblocking,
)
from gdb_mcr.model.results import Build
from gdb_mcr.model.stop_point import StopPointKind, ThreadRole
from gdb_mcr.quiescence.profile import SeenThread, judge, ways_out
from gdb_mcr.quiescence.profile_file import parse_profile, profile_text

WORKER_ID = 0xFEDCBA9876543210


def stop(call: str, kind: StopPointKind, *stack: str) -> ProfiledStop:
    return ProfiledStop(call, stack, kind, EventOrigin.EXTERNAL, 3, 1.5, 0.25)


def thread(start: str, creation_id: int, *stops: ProfiledStop, is_long_lived: bool = True) -> ThreadClass:
    stability = Stability.STABLE if is_long_lived else Stability.VOLATILE
    loop = ProfiledLoop(start, 12) if is_long_lived else None
    return ThreadClass(
        start, ("start_worker", "main"), creation_id, 2, ThreadRole.INITIATOR, stability, is_long_lived, loop, stops
    )


PROFILE = Profile(
    program=Build('/opt/s p"a\\ce/server', "abc123"),
    command=("server", "-c", "naïve\n\x7f"),
    load='for i in 1 2; do echo "$i"; done',
    seconds=10.25,
    looks=1000,
    stops=20,
    processes=(
        ProcessClass(
            created_by=(),
            processes=1,
            stability=Stability.STABLE,
            threads=(
                thread("main", 0, stop("sigsuspend", StopPointKind.QUIESCENT, "cycle", "main")),
                thread(
                    "work",
                    WORKER_ID,
                    stop("epoll_wait", StopPointKind.QUIESCENT, "lib.so+0x10", "loop", "work"),
                    stop("recv", StopPointKind.BLOCKING, "handle", "loop", "work"),
                ),
                thread("once", 9, stop("recv", StopPointKind.BLOCKING, "once"), is_long_lived=False),
            ),
        ),
        ProcessClass(
            created_by=("spawn", "main"),
            processes=4,
            stability=Stability.STABLE,
            threads=(thread("main", 0, stop("epoll_wait", StopPointKind.QUIESCENT, "child", "spawn", "main")),),
        ),
    ),
)


def test_a_profile_comes_back_from_its_file_as_it_was() -> None:
    assert parse_profile(profile_text(PROFILE), "p") == PROFILE


def test_its_file_says_what_may_be_changed_and_where_processes_come_from() -> None:
    text = profile_text(PROFILE)
    assert "# You may change it." in text
    assert "# ---- process: forked by spawn < main" in text


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("format = 1", "format = 2", "no profile of format 1"),
        ('kind = "blocking"', 'kind = "harmless"', "`kind` is harmless, not one of quiescent, blocking, cancellation"),
        ('call = "recv"\n', "", "`call` is missing"),
        ("looks = 1000", 'looks = "many"', "no profile"),
        ("created_by = []", "created_by = 7", "`created_by` is no list of texts"),
        ("[[process]]", "[[process", "no TOML"),
    ],
)
def test_a_file_that_is_no_profile_is_refused_with_the_reason(old: str, new: str, complaint: str) -> None:
    text = profile_text(PROFILE)
    assert old in text
    with pytest.raises(UsageError, match=r"^mine\.toml is no ") as raised:
        parse_profile(text.replace(old, new), "mine.toml")
    assert complaint in str(raised.value)


def only_verdict(creation_id: int, call: str, *stack: str) -> tuple[StopPointKind | None, str]:
    verdict = judge(PROFILE, [SeenThread(1, creation_id, call, stack)])[0]
    return verdict.kind, verdict.why


def test_a_thread_at_a_quiescent_point_is_recognised() -> None:
    assert only_verdict(WORKER_ID, "epoll_wait", "lib.so+0x10", "loop", "work") == (StopPointKind.QUIESCENT, "")


def test_functions_without_names_do_not_matter() -> None:
    # Another build of the library has its code elsewhere.
    assert only_verdict(WORKER_ID, "epoll_wait", "lib.so+0x999", "loop", "work") == (StopPointKind.QUIESCENT, "")


def test_a_thread_whose_creators_were_renamed_goes_by_its_first_function() -> None:
    assert only_verdict(1234, "epoll_wait", "loop", "work")[0] is StopPointKind.QUIESCENT


def test_initial_threads_of_two_kinds_of_processes_are_told_apart_by_their_stacks() -> None:
    assert only_verdict(0, "sigsuspend", "cycle", "main")[0] is StopPointKind.QUIESCENT
    assert only_verdict(0, "epoll_wait", "child", "spawn", "main")[0] is StopPointKind.QUIESCENT
    assert only_verdict(0, "sigsuspend", "child", "spawn", "main")[0] is None


def test_work_in_progress_is_named() -> None:
    kind, why = only_verdict(WORKER_ID, "recv", "handle", "loop", "work")
    assert kind is StopPointKind.BLOCKING
    assert why == "it waits in recv, called by handle, a blocking point: it has work in progress"


def test_a_thread_that_ends_with_its_request_says_so() -> None:
    assert only_verdict(9, "recv", "once")[1].endswith("threads of its kind end with their request")


def test_what_the_profile_does_not_know_is_not_quiescent() -> None:
    assert only_verdict(WORKER_ID, "epoll_wait", "other", "work") == (
        None,
        "it waits in epoll_wait, called by other, which the profile does not list",
    )
    assert only_verdict(WORKER_ID, "", "compute", "work")[1] == "it runs in compute, which the profile does not list"
    assert only_verdict(5, "recv", "stranger") == (None, "the profile knows no thread that starts in stranger")
    assert only_verdict(5, "recv") == (None, "the profile knows no thread that has no stack")


def with_unblocking(way: Unblocking) -> Profile:
    first, *others = PROFILE.processes
    main, work, *rest = first.threads
    quiescent, blocking = work.stops
    work = replace(work, stops=(quiescent, replace(blocking, unblock=way)))
    return replace(PROFILE, processes=(replace(first, threads=(main, work, *rest)), *others))


@pytest.mark.parametrize("way", [Unblocking(signal.SIGUSR1), Unblocking(0)], ids=["signal", "event"])
def test_how_to_get_a_thread_out_survives_the_file(way: Unblocking) -> None:
    changed = with_unblocking(way)
    assert parse_profile(profile_text(changed), "p") == changed


def test_an_unknown_way_out_is_refused() -> None:
    text = profile_text(with_unblocking(Unblocking(0))).replace('unblock = "event"', 'unblock = "SIGNONE"')
    with pytest.raises(UsageError, match="`unblock` is SIGNONE"):
        parse_profile(text, "p")


def test_only_threads_in_the_middle_of_work_are_got_out() -> None:
    busy = SeenThread(7, WORKER_ID, "recv", ("handle", "loop", "work"))
    idle = SeenThread(8, WORKER_ID, "epoll_wait", ("lib.so+0x99", "loop", "work"))
    elsewhere = SeenThread(9, WORKER_ID, "recv", ("other", "work"))
    way = Unblocking(signal.SIGUSR1)
    assert ways_out(with_unblocking(way), [busy, idle, elsewhere]) == {7: way}
    assert ways_out(PROFILE, [busy, idle, elsewhere]) == {}
