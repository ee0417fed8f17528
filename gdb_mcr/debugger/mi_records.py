"""GDB/MI's records as values.

Source: GDB manual, "GDB/MI Output Syntax". The dicts come from pygdbmi's parser, whose quirks end here: it merges ``*``
and ``=`` records, leaves out the payload of some, and turns ``[frame={},frame={}]`` into a list of bare dicts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from gdb_mcr.errors import DebuggerError

Payload = Mapping[str, object]


class ResultClass(Enum):
    """How a command ended."""

    DONE = "done"
    RUNNING = "running"
    CONNECTED = "connected"
    ERROR = "error"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Result:
    """``token^class,…``: the answer to one command."""

    token: int | None
    kind: ResultClass
    payload: Payload = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Async:
    """``*stopped,…`` or ``=library-loaded,…``: something happened."""

    name: str
    payload: Payload = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """Text meant for people: ``console`` (~), ``log`` (&) or ``target`` (@)."""

    channel: str
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """``(gdb)``."""


@dataclass(frozen=True, slots=True)
class Noise:
    """A line that is no record, such as output of a program that shares GDB's standard output."""

    text: str


Record = Result | Async | Stream | Prompt | Noise


class MiError(DebuggerError):
    """GDB answered ``^error`` to ``command``."""

    def __init__(self, command: str, message: str, code: str) -> None:
        super().__init__(f"GDB refused {command.split(' ', 1)[0]}: {message}")
        self.command = command
        self.message = message
        self.code = code
        """GDB's own, such as "undefined-command"; mostly empty."""


def from_parsed(parsed: Mapping[str, object]) -> Record:
    """A record from a dict of ``pygdbmi.gdbmiparser.parse_response``."""
    payload = parsed.get("payload")
    message = parsed.get("message")
    match parsed["type"]:
        case "result":
            token = parsed.get("token")
            return Result(token if isinstance(token, int) else None, ResultClass(message), _mapping(payload))
        case "notify":
            return Async(str(message), _mapping(payload))
        case "console" | "log" | "target" as channel:
            return Stream(str(channel), str(payload or ""))
        case "done":
            return Prompt()
        case _:
            return Noise(str(payload or ""))


def checked(result: Result, command: str) -> Result:
    """``result`` itself. :raises MiError: it is an error."""
    if result.kind is ResultClass.ERROR:
        raise MiError(command, text(result.payload, "msg"), text(result.payload, "code"))
    return result


def text(payload: Payload, key: str) -> str:
    """A string field, empty if it is absent."""
    value = payload.get(key, "")
    return value if isinstance(value, str) else ""


_MEMORY = re.compile(
    r'^(?P<token>\d+)\^done,memory=\[\{begin="(?P<begin>0x[0-9a-f]+)",offset="(?P<offset>0x[0-9a-f]+)",'
    r'end="(?P<end>0x[0-9a-f]+)",contents="(?P<contents>[0-9a-f]*)"\}\]$'
)


def memory_result(line: str) -> Result | None:
    """The answer to -data-read-memory-bytes if it is one whole block, for which pygdbmi would take 20 ms; else None."""
    match = _MEMORY.match(line)
    if match is None:
        return None
    fields = match.groupdict()
    token = int(fields.pop("token"))
    return Result(token, ResultClass.DONE, {"memory": [fields]})


def _mapping(payload: object) -> Payload:
    return payload if isinstance(payload, Mapping) else {}
