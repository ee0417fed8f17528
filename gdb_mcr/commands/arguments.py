"""What verbs take: declarations of arguments, and text to values."""

from __future__ import annotations

import math
import shlex
import stat
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from gdb_mcr.update.api import NEVER_OVERRIDDEN

Value = object
"""int, float, bool, str, Path, a tuple of those, or None where an optional argument is absent."""


class Kind(Enum):
    """What an argument stands for; decides how it is read and completed."""

    PID = auto()
    """A server's process id; int. GDB and the shell know one when none is given."""
    PROGRAM = auto()
    """A server or a file; int or Path."""
    BINARY = auto()
    """An existing file; Path."""
    FILE = auto()
    """Path."""
    OUTPUT = auto()
    """A file to write, "-" for standard output; str."""
    FINDING = auto()
    """The id of a finding that can be overridden; str."""
    SECONDS = auto()
    """Above 0; float."""
    COUNT = auto()
    """Above 0; int."""
    WORDS = auto()
    """One text that is split as a shell does; tuple of str."""
    TEXT = auto()
    """str."""
    CHOICE = auto()
    """One of `Argument.choices`; str."""
    FLAG = auto()
    """bool."""
    REST = auto()
    """Everything behind "--"; tuple of str."""


METAVARS = {
    Kind.PID: "PID",
    Kind.PROGRAM: "PID|BIN",
    Kind.BINARY: "BIN",
    Kind.FILE: "FILE",
    Kind.OUTPUT: "FILE",
    Kind.FINDING: "FINDING",
    Kind.SECONDS: "S",
    Kind.COUNT: "N",
    Kind.WORDS: "ARGS",
    Kind.TEXT: "TEXT",
    Kind.REST: "BIN ARGS…",
}
"""What stands for a value in usage lines."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument. A name that begins with "--" is an option, any other a position."""

    name: str
    kind: Kind
    help: str
    metavar: str = ""
    optional: bool = False
    """A position that may be left out in every front end. Options always may."""
    repeat: bool = False
    """May be given several times; the value is a tuple."""
    choices: tuple[str, ...] = ()
    default: Value = None

    @property
    def is_option(self) -> bool:
        """Whether it is named on the command line."""
        return self.name.startswith("--")

    @property
    def key(self) -> str:
        """The keyword under which the verb's function receives the value."""
        return self.name.lstrip("-").replace("-", "_")

    @property
    def shown(self) -> str:
        """What stands for its value in usage lines, "" for a flag."""
        return self.metavar or "|".join(self.choices) or METAVARS.get(self.kind, "")


def _pid(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ArgumentTypeError(f"`{text}` is no process id")
    return int(text)


def _program(text: str) -> int | Path:
    return _pid(text) if text.isascii() and text.isdigit() else _binary(text)


def _binary(text: str) -> Path:
    path = _file(text)
    if text.isascii() and text.isdigit():
        raise ArgumentTypeError(f"`{text}` is a process id; a file of that name is ./{text}")
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise ArgumentTypeError(f"there is no file {text}") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte
        raise ArgumentTypeError(f"cannot look at {text}: {getattr(error, 'strerror', error)}") from error
    if not stat.S_ISREG(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "no regular file"
        raise ArgumentTypeError(f"{text} is {what}; name the program's file")
    return path


def _file(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ArgumentTypeError(f"{text}: {error}") from error


def _finding(text: str) -> str:
    kind, colon, _ = text.partition(":")
    if not colon or not kind.startswith("R") or not kind[1:].isdigit():
        raise ArgumentTypeError(f"`{text}` is no finding's id; they look like R2:conn.rbuf")
    if kind in NEVER_OVERRIDDEN:
        raise ArgumentTypeError(f"findings of kind {kind} cannot be overridden")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not math.isfinite(seconds) or seconds <= 0:
        raise ArgumentTypeError(f"`{text}` is no number of seconds above 0")
    return seconds


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ArgumentTypeError(f"`{text}` is no number above 0")
    return int(text)


def _words(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ArgumentTypeError(f"`{text}`: {str(error).lower()}") from error


READERS: dict[Kind, Callable[[str], Value]] = {
    Kind.PID: _pid,
    Kind.PROGRAM: _program,
    Kind.BINARY: _binary,
    Kind.FILE: _file,
    Kind.OUTPUT: str,
    Kind.FINDING: _finding,
    Kind.SECONDS: _seconds,
    Kind.COUNT: _count,
    Kind.WORDS: _words,
    Kind.TEXT: str,
    Kind.CHOICE: str,
    Kind.REST: str,
}
"""Text to value, for each kind that has a text."""
