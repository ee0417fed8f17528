"""What may stand where the cursor is, for GDB and the shell."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gdb_mcr.commands.arguments import Argument, Kind
from gdb_mcr.commands.context import Context
from gdb_mcr.commands.registry import Command, is_optional
from gdb_mcr.errors import McrError
from gdb_mcr.update.api import NEVER_OVERRIDDEN

MAX_FILES = 500
"""File names that are offered at most."""

_PIDS = frozenset({Kind.PID, Kind.PROGRAM})
_FILES = frozenset({Kind.FILE, Kind.BINARY, Kind.PROGRAM, Kind.OUTPUT, Kind.REST})


@dataclass(frozen=True, slots=True)
class Candidate:
    """One word that may stand there."""

    text: str
    about: str = ""


def complete(command: Command, before: Sequence[str], current: str, context: Context) -> list[Candidate]:
    """Candidates for the word ``current``, which begins with it; ``before`` are the words behind the verb."""
    option, equals, value = current.partition("=")
    named = {one.name: one for one in command.options if one.is_option}
    if equals and option in named:
        found = _values(named[option], value, context)
        return [Candidate(f"{option}={one.text}", one.about) for one in found]
    waiting = named.get(before[-1]) if before else None
    if waiting is not None and waiting.kind is not Kind.FLAG:
        return list(_values(waiting, current, context))
    if current.startswith("-"):
        return _options(command, before, current)
    slots = _slots(command, before, context)
    return list(dict.fromkeys(one for slot in slots for one in _values(slot, current, context)))


def split_line(line: str) -> tuple[list[str], str, str]:
    """An unfinished line: its whole words, the unfinished one, and that one as typed (quotes and all)."""
    start, closing = _last_word(line)
    typed = line[start:]
    return shlex.split(line[:start]), "".join(shlex.split(typed + closing)), typed


# Where the last word begins, and what is missing at its end: a backslash's letter, a quote.
def _last_word(line: str) -> tuple[int, str]:
    start, quote, is_escaped = 0, "", False
    for at, letter in enumerate(line):
        if is_escaped:
            is_escaped = False
        elif letter == "\\" and quote != "'":
            is_escaped = True
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter.isspace():
            start = at + 1
    return start, ("\\" if is_escaped else "") + quote


def _options(command: Command, before: Sequence[str], current: str) -> list[Candidate]:
    used = {word.partition("=")[0] for word in before}
    return [
        Candidate(one.name, one.help)
        for one in command.options
        if one.is_option and one.name.startswith(current) and (one.repeat or one.name not in used)
    ]


# The positions that the next word may fill: a server that may be left out, and what comes behind it.
def _slots(command: Command, before: Sequence[str], context: Context) -> list[Argument]:
    waiting = [one for one in command.arguments if not one.is_option]
    for word in _positions(command, before):
        if len(waiting) > 1 and waiting[0].kind is Kind.PID and not word.isdigit():
            waiting = waiting[1:]
        if waiting and not waiting[0].repeat and waiting[0].kind is not Kind.REST:
            waiting = waiting[1:]
    count = 2 if waiting and is_optional(waiting[0], context.front_end) else 1
    return waiting[:count]


def _positions(command: Command, before: Sequence[str]) -> Iterator[str]:
    valued = {one.name for one in command.options if one.is_option and one.kind is not Kind.FLAG}
    words = iter(before)
    for word in words:
        if word in valued:
            next(words, None)
        elif not word.startswith("-"):
            yield word


def _values(one: Argument, current: str, context: Context) -> Iterator[Candidate]:
    texts: list[str] = [text for text in one.choices if text.startswith(current)]
    if one.kind in _PIDS:
        texts += [text for text in map(str, _servers(context)) if text.startswith(current)]
    if one.kind is Kind.FINDING:
        ids = [text for text in context.finding_ids if text.partition(":")[0] not in NEVER_OVERRIDDEN]
        texts += [text for text in ids if text.startswith(current)]
    if one.kind in _FILES:
        texts += _files(current)
    yield from map(Candidate, texts)


def _servers(context: Context) -> tuple[int, ...]:
    try:
        return context.updater.servers()
    except McrError:
        return ()


def _files(current: str) -> list[str]:
    start = current.rpartition("/")[2]
    shown = current[: len(current) - len(start)]
    try:
        entries = sorted(os.scandir(Path(shown or ".").expanduser()), key=lambda one: one.name)
    except (OSError, RuntimeError, ValueError):
        return []
    names = [
        f"{shown}{one.name}{'/' if one.is_dir() else ''}"
        for one in entries
        if one.name.startswith(start) and (start or not one.name.startswith("."))
    ]
    return names[:MAX_FILES]
