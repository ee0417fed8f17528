"""Lines that GDB 13 really wrote, and what becomes of them."""

from __future__ import annotations

import json

import pytest

from gdb_mcr.debugger.mi_records import Async, MiError, Noise, Prompt, Result, ResultClass, Stream, checked, text
from gdb_mcr.debugger.mi_transport import parse_line

STOPPED = (
    '*stopped,frame={addr="0x00007fd7c278af36",func="epoll_wait",args=[],from="/lib/x86_64-linux-gnu/libc.so.6",'
    'arch="i386:x86-64"},thread-id="1",stopped-threads="all",core="0"'
)


@pytest.mark.parametrize(
    ("line", "record"),
    [
        ("7^done", Result(7, ResultClass.DONE)),
        ("8^running", Result(8, ResultClass.RUNNING)),
        ("^exit", Result(None, ResultClass.EXIT)),
        ('9^done,value="/usr/lib/debug"', Result(9, ResultClass.DONE, {"value": "/usr/lib/debug"})),
        ('=thread-exited,id="1",group-id="i1"', Async("thread-exited", {"id": "1", "group-id": "i1"})),
        ('*running,thread-id="2"', Async("running", {"thread-id": "2"})),
        ('~"[New LWP 12175]\\n"', Stream("console", "[New LWP 12175]\n")),
        ('&"warning: \\"x\\" \\\\ y\\n"', Stream("log", 'warning: "x" \\ y\n')),
        ("(gdb) ", Prompt()),
        ("a server's own words", Noise("a server's own words")),
    ],
)
def test_line_becomes_record(line: str, record: object) -> None:
    assert parse_line(line) == record


def test_stop_keeps_its_frame() -> None:
    record = parse_line(STOPPED)
    assert isinstance(record, Async)
    assert record.name == "stopped"
    assert record.payload["stopped-threads"] == "all"
    frame = record.payload["frame"]
    assert isinstance(frame, dict)
    assert frame["func"] == "epoll_wait"


def test_json_of_our_commands_survives_quoting() -> None:
    """GDB escapes quotes and backslashes; JSON itself is ASCII."""
    answer = {"ok": [{"name": 'a "b" \\ \n é', "frames": [[140737353, None]]}]}
    quoted = json.dumps(answer).replace("\\", "\\\\").replace('"', '\\"')
    record = parse_line(f'12^done,mcr="{quoted}"')
    assert isinstance(record, Result)
    assert json.loads(text(record.payload, "mcr")) == answer


def test_error_is_raised_with_its_fields() -> None:
    record = parse_line('3^error,msg="Undefined MI command: mcr-x",code="undefined-command"')
    assert isinstance(record, Result)
    with pytest.raises(MiError) as error:
        checked(record, '-mcr-x "1"')
    assert (error.value.code, error.value.message) == ("undefined-command", "Undefined MI command: mcr-x")
    assert error.value.command == '-mcr-x "1"'


@pytest.mark.parametrize("blocks", [1, 2])
def test_memory_answers_have_one_form_however_they_are_parsed(blocks: int) -> None:
    """One whole block takes a short way around pygdbmi, several do not."""
    block = '{begin="0x0000000000401000",offset="0x0000000000000000",end="0x0000000000401004",contents="7f454c46"}'
    record = parse_line(f"5^done,memory=[{','.join([block] * blocks)}]")
    assert isinstance(record, Result)
    fields = {
        "begin": "0x0000000000401000",
        "offset": "0x0000000000000000",
        "end": "0x0000000000401004",
        "contents": "7f454c46",
    }
    assert record.payload["memory"] == [fields] * blocks
