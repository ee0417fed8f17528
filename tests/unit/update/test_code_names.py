"""Stacks for people."""

from __future__ import annotations

import pytest

from gdb_mcr.update.code_names import CodeNames, without_start


@pytest.mark.parametrize(
    ("stack", "shown"),
    [
        (
            ("epoll_wait", "loop", "main", "libc.so.6+0x271d0", "__libc_start_main", "_start"),
            ("epoll_wait", "loop", "main"),
        ),
        (("work", "libc.so.6+0x89000", "libc.so.6+0x10a000"), ("work",)),
        (("libc.so.6+0x85e50", "wait", "work"), ("libc.so.6+0x85e50", "wait", "work")),
        (("libc.so.6+0x1", "libc.so.6+0x2"), ("libc.so.6+0x1",)),
        ((), ()),
    ],
)
def test_what_calls_main_or_a_thread_is_left_out(stack: tuple[str, ...], shown: tuple[str, ...]) -> None:
    assert without_start(stack) == shown


def test_an_address_in_no_module_is_shown_as_it_is() -> None:
    names = CodeNames(1, ())
    assert names.stack((0x1001,)) == ("0x1000",)
    assert names.function(0x40) == "0x40"
