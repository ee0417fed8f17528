"""Which stop points a class of threads has, by what was seen of its threads."""

from __future__ import annotations

from gdb_mcr.model.profile import EventOrigin, ProfiledLoop, Stability, ThreadClass
from gdb_mcr.model.stop_point import StopPointKind, TaskState, ThreadRole, WaitKind
from gdb_mcr.quiescence.classify import classify
from gdb_mcr.quiescence.observations import SeenLoop, SeenStack, ThreadOrigin, ThreadRecord

END_S = 10.0
LOOP = SeenLoop("serve", 0x100)
AT_REST = SeenStack("epoll_wait", WaitKind.EXTERNAL, 0x10, ("serve", "main"), (LOOP,))
ASKING = SeenStack("poll", WaitKind.EXTERNAL, 0x20, ("ask_other", "handle", "serve", "main"), (LOOP,))
READING = SeenStack("recv", WaitKind.EXTERNAL, 0x30, ("handle", "serve", "main"), (LOOP,))
LOCKING = SeenStack("pthread_mutex_lock", WaitKind.NONE, 0, ("handle", "serve", "main"), ())


def origin(start: str = "main", creation_id: int = 0, *, is_first: bool = True) -> ThreadOrigin:
    return ThreadOrigin((), is_first, creation_id, start, ())


def watched(
    *visits: tuple[SeenStack, float],
    made: ThreadOrigin | None = None,
    born_s: float = 0.0,
    is_idle_until_s: float = 0.0,
    pid: int = 1,
) -> ThreadRecord:
    """A thread that stays at one place after the other for so many seconds, and is woken every 100 ms."""
    record = ThreadRecord(pid, made or origin(), born_s == 0.0, born_s)
    now, switches = born_s, 0
    for stack, seconds in visits:
        record.note_stack(stack)
        for _ in range(round(seconds * 10)):
            now, switches = now + 0.1, switches + 1
            state = TaskState(1, True, 0, switches, stack.wait)
            record.look(now, state, stack.wait_pc, is_idle=now <= is_idle_until_s)
    return record


def only_class(*records: ThreadRecord) -> ThreadClass:
    processes = classify(records, max(one.last_s for one in records))
    assert len(processes) == 1
    assert len(processes[0].threads) == 1
    return processes[0].threads[0]


def kinds(one: ThreadClass) -> dict[str, StopPointKind]:
    return {stop.call: stop.kind for stop in one.stops}


def test_where_a_thread_spends_its_life_is_its_quiescent_point() -> None:
    found = only_class(watched((AT_REST, 8), (READING, 1), (ASKING, 1)))
    assert kinds(found) == {
        "epoll_wait": StopPointKind.QUIESCENT,
        "recv": StopPointKind.BLOCKING,
        "poll": StopPointKind.CANCELLATION,  # a signal would end it with EINTR
    }
    assert found.is_long_lived
    assert found.stability is Stability.STABLE
    assert found.role is ThreadRole.INITIATOR


def test_where_a_thread_waits_before_the_load_is_quiescent_however_busy_it_gets() -> None:
    found = only_class(watched((AT_REST, 1), (READING, 9), is_idle_until_s=1.0))
    assert kinds(found) == {"epoll_wait": StopPointKind.QUIESCENT, "recv": StopPointKind.QUIESCENT}


def test_each_thread_of_a_pool_may_have_its_own_place() -> None:
    # One waits for connections all the time, another one for the requests of a connection.
    found = only_class(watched((AT_REST, 10)), watched((READING, 10)))
    assert set(kinds(found).values()) == {StopPointKind.QUIESCENT}
    assert found.threads == 2


def test_a_thread_that_ends_with_its_request_has_no_quiescent_point() -> None:
    lasting = watched((AT_REST, END_S))
    short = watched((READING, 0.5), made=origin("handle", 7), born_s=2.0)
    main, handler = classify([lasting, short], lasting.last_s)[0].threads
    assert main.is_long_lived
    assert not handler.is_long_lived
    assert handler.stability is Stability.VOLATILE
    assert kinds(handler) == {"recv": StopPointKind.BLOCKING}
    assert handler.loop is None


def test_a_thread_for_each_connection_is_long_lived_and_volatile() -> None:
    found = only_class(watched((READING, 5), born_s=2.0))
    assert found.is_long_lived
    assert found.stability is Stability.VOLATILE
    assert found.quiescent[0].call == "recv"


def test_a_lock_is_an_internal_wait_and_a_blocking_point() -> None:
    found = only_class(watched((AT_REST, 9), (LOCKING, 1)))
    lock = next(one for one in found.stops if one.call == "pthread_mutex_lock")
    assert (lock.kind, lock.origin) == (StopPointKind.BLOCKING, EventOrigin.INTERNAL)


def test_a_thread_that_waits_for_others_is_internal() -> None:
    waiting = SeenStack("pthread_cond_wait", WaitKind.INTERNAL, 0x40, ("work",), (SeenLoop("work", 0x200),))
    assert only_class(watched((waiting, 10))).role is ThreadRole.INTERNAL


def test_stalls_are_counted_and_timed() -> None:
    stop = only_class(watched((AT_REST, 10))).stops[0]
    assert abs(stop.seconds - 9.9) < 0.01
    assert 98 <= stop.stalls <= 100  # one is our own stop's
    assert stop.longest_s < 0.2


def test_the_long_lived_loop_is_the_outermost_that_goes_round() -> None:
    # main() has a loop for restarts, which never happened; apache's and memcached's look alike without counting.
    outer, inner = SeenLoop("main", 0x1), SeenLoop("serve", 0x2)
    stack = SeenStack("poll", WaitKind.EXTERNAL, 0x10, ("serve", "main"), (outer, inner))
    record = watched((stack, 10))
    assert only_class(record).loop == ProfiledLoop("main", None)
    record.turns = {0x1: 0, 0x2: 0}
    assert only_class(record).loop == ProfiledLoop("main", 0)
    record.turns = {0x1: 0, 0x2: 42}
    assert only_class(record).loop == ProfiledLoop("serve", 42)
    record.turns = {0x1: 3, 0x2: 42}
    assert only_class(record).loop == ProfiledLoop("main", 3)


def test_processes_forked_by_different_code_are_different_classes() -> None:
    records = [watched((AT_REST, 10), made=ThreadOrigin((), True, 0, "main", ()), pid=1)]
    for pid in (2, 3):
        forked = ThreadOrigin(("spawn", "main"), False, 0, "main", ())
        records.append(watched((AT_REST, 10), made=forked, pid=pid))
    first, workers = classify(records, records[0].last_s)
    assert (first.created_by, first.processes) == ((), 1)
    assert (workers.created_by, workers.processes) == (("spawn", "main"), 2)
    assert workers.threads[0].threads == 2
