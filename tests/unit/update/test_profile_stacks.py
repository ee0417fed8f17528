"""In which function a loop stands, and which frames of a forked process are its parent's."""

from __future__ import annotations

from gdb_mcr.debugger.base import FrameRow, StoppedThread
from gdb_mcr.model.startup_log import ThreadEntry, WaitKind
from gdb_mcr.quiescence.profile import SeenThread
from gdb_mcr.update.code_names import CodeNames
from gdb_mcr.update.profile_stacks import CodeLoops, StackReader, common_function, inherited_count

# The stack under a fork: spawn, start_workers, cycle, main, libc, _start.
FORK = (0x10, 0x20, 0x30, 0x40, 0x900, 0x910)


def test_frames_that_still_stand_where_the_fork_left_them_are_the_parent_s() -> None:
    # A wait in work, called by spawn behind its fork.
    assert inherited_count(FORK, [0x90, 0x80, 0x11, 0x20, 0x30, 0x40]) == 3


def test_a_child_that_returned_into_its_parent_s_loop_has_made_that_its_own() -> None:
    # It leaves the loop behind the fork, and accepts connections in another one of the same function.
    assert inherited_count(FORK, [0x31, 0x40]) == 1
    assert inherited_count(FORK, [0x90, 0x41]) == 0


def test_stacks_that_reach_further_out_fit_as_well() -> None:
    assert inherited_count(FORK, [0x90, 0x11, 0x20, 0x30, 0x40, 0x900, 0x910]) == 5


def test_without_a_fork_nothing_is_inherited() -> None:
    assert inherited_count((), [0x10, 0x40]) == 0
    assert inherited_count(FORK, []) == 0


def test_a_loop_with_other_functions_inlined_into_it_is_the_outer_function_s() -> None:
    # aeMain's loop: most of it is what was inlined.
    assert common_function([("poll", "events", "serve"), ("events", "serve"), ("serve",)]) == "serve"


def test_the_loop_of_an_inlined_function_is_that_function_s() -> None:
    loop = [("relay", "handle")] * 19
    assert common_function(loop) == "relay"
    assert common_function([*loop, ("handle",)]) == "relay"  # one that was moved in
    assert common_function([*loop, *loop, *[("handle",)] * 10]) == "handle"


def test_a_loop_without_names_has_no_function() -> None:
    assert common_function([]) == ""


def seen(kind: WaitKind, *, interrupted: bool) -> SeenThread:
    """main() waits in epoll_wait, through libmcr's wrapper; libc's own frames are around both ends."""
    rows = [
        (0x10, "__futex_wait", "/lib/libc.so.6"),
        (0x20, "hold_old", "/opt/libmcr.so"),
        (0x30, "mcr_hook_epoll_wait", "/opt/libmcr.so"),
        (0x40, "serve", "/srv/server"),
        (0x50, "main", "/srv/server"),
        (0x60, "__libc_start_main", "/lib/libc.so.6"),
        (0x70, "_start", "/srv/server"),
    ]
    frames = tuple(FrameRow(pc, name, module) for pc, name, module in rows)
    thread = StoppedThread(7, "server", frames, interrupted, 202, 0x10, 0x7000)
    entry = ThreadEntry(0, 7, 0, 0, 0, 0, 0, kind, True, False, 0x40)
    return StackReader(CodeNames(7, ()), CodeLoops()).seen_thread(thread, entry)


def test_the_call_is_the_one_that_the_program_made() -> None:
    found = seen(WaitKind.EXTERNAL, interrupted=True)
    assert found.call == "epoll_wait"
    assert found.stack == ("0x3f", "0x4f")  # nothing is known of that program's code; libc's and libmcr's are left out


def test_a_thread_that_an_event_has_reached_is_in_no_call() -> None:
    assert seen(WaitKind.EXTERNAL, interrupted=False).call == ""


def test_a_held_thread_is_in_its_call_whatever_it_does_there() -> None:
    assert seen(WaitKind.HELD, interrupted=False).call == "epoll_wait"
