"""A verb's command line to values, by argparse, which here neither prints nor ends the process."""

from __future__ import annotations

import shlex
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from gdb_mcr.commands.arguments import READERS, Argument, Kind, Value
from gdb_mcr.commands.help import command_help, usage
from gdb_mcr.commands.registry import JSON, Command, FrontEnd, is_optional
from gdb_mcr.errors import UsageError
from gdb_mcr.source import did_you_mean

HELP_OPTIONS = frozenset({"-h", "--help"})


@dataclass(frozen=True, slots=True)
class Invocation:
    """A verb with its values."""

    command: Command
    values: Mapping[str, Value]
    """By `Argument.key`."""
    json: str | None
    """Where the JSON goes, "-" for standard output, None for nowhere."""


@dataclass(frozen=True, slots=True)
class HelpText:
    """What the user asked for instead of running the verb."""

    text: str


def split_words(line: str) -> list[str]:
    """A line's words by a shell's rules for quotes and comments.

    :raises UsageError: a quote is open.
    """
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:
        raise UsageError(f"this line does not parse: {str(error).lower()}") from error


def parse(command: Command, words: Sequence[str], front_end: FrontEnd) -> Invocation | HelpText:
    """Read the words behind the verb.

    :raises UsageError: they are wrong; its hint is the usage.
    """
    head, rest = _split_rest(command, list(words), front_end)
    head = _join_values(command, head)
    if HELP_OPTIONS & set(head):
        return HelpText(command_help(command, front_end))
    parser = _parser(command, front_end)
    parser.refuse_unknown_options(head)
    namespace, superfluous = parser.parse_known_args(head)
    if superfluous:
        parser.error(f"`{superfluous[0]}` is one word too many")
    values = vars(namespace)
    for one in command.arguments:
        if one.kind is Kind.REST:
            values[one.key] = rest
        elif one.repeat:
            values[one.key] = tuple(values[one.key] or ())
    json = values.pop(JSON.key)
    return Invocation(command, values, json)


class _Parser(ArgumentParser):
    """Raises where argparse would end the process."""

    def __init__(self, command: Command, front_end: FrontEnd) -> None:
        self._usage = usage(command, front_end)
        self._options = [one.name for one in command.options if one.is_option]
        super().__init__(prog=command.name, add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message.removeprefix("argument "), hint=f"usage: {self._usage}")

    def refuse_unknown_options(self, words: Sequence[str]) -> None:
        """Before anything else is complained about: what follows an unknown option may be its value."""
        for word in words:
            name = word.partition("=")[0]
            if name.startswith("--") and name != "--" and name not in self._options:
                near = did_you_mean(name, self._options)
                raise UsageError(f"there is no option {name}", hint=near or f"usage: {self._usage}")


def _parser(command: Command, front_end: FrontEnd) -> _Parser:
    parser = _Parser(command, front_end)
    for one in command.options:
        if one.kind is Kind.REST:
            continue
        if one.kind is Kind.FLAG:
            parser.add_argument(one.name, dest=one.key, action="store_true", help=SUPPRESS)
        elif one.is_option:
            _add_option(parser, one)
        else:
            _add_position(parser, one, front_end)
    return parser


def _add_option(parser: _Parser, one: Argument) -> None:
    parser.add_argument(
        one.name,
        dest=one.key,
        metavar=one.shown,
        type=READERS[one.kind],
        choices=one.choices or None,
        action="append" if one.repeat else "store",
        default=one.default,
    )


def _add_position(parser: _Parser, one: Argument, front_end: FrontEnd) -> None:
    optional = is_optional(one, front_end)
    nargs = ("*" if optional else "+") if one.repeat else ("?" if optional else None)
    parser.add_argument(one.key, metavar=one.shown, type=READERS[one.kind], nargs=nargs, default=one.default)


# The values of --args and --json may look like options: "-t 4", "-h", "-".
def _join_values(command: Command, words: list[str]) -> list[str]:
    names = {one.name for one in command.options if one.kind in (Kind.WORDS, Kind.OUTPUT)}
    joined: list[str] = []
    waiting = iter(words)
    for word in waiting:
        value = next(waiting, None) if word in names else None
        joined.append(word if value is None else f"{word}={value}")
    return joined


# A server's command line begins behind "--", or at the first word that is no option of ours.
def _split_rest(command: Command, words: list[str], front_end: FrontEnd) -> tuple[list[str], tuple[str, ...]]:
    rest = next((one for one in command.arguments if one.kind is Kind.REST), None)
    if rest is None:
        return words, ()
    with_value = {one.name for one in command.options if one.is_option and one.kind is not Kind.FLAG}
    at = _rest_start(words, with_value)
    head, tail = words[:at], words[at:]
    tail = tail[1:] if tail[:1] == ["--"] else tail
    if not tail and not HELP_OPTIONS & set(head):
        raise UsageError("which server?", hint=f"usage: {usage(command, front_end)}")
    return head, tuple(tail)


def _rest_start(words: list[str], with_value: Collection[str]) -> int:
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != "--":
        at += 2 if words[at] in with_value else 1
    return at
