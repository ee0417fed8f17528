"""Help for people: usage lines, one verb, all verbs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from gdb_mcr.commands.arguments import Argument, Kind
from gdb_mcr.commands.registry import Category, Command, FrontEnd, is_optional

WIDTH = 100

_GLUE = "\u00a0"  # a blank at which no line is broken

INTRODUCTION = """\
gdb_mcr replaces a running C server by a new build of itself. The new server takes over the memory, the threads and
the connections of the old one; clients notice a short pause at most. Until the last step, commit, the old server is
only stopped and read: if anything speaks against the update, it is refused or rolled back and the old server runs on.

A server must have been started with `mcr run -- SERVER ARGS`, and both builds must have been compiled with -g."""

STEPWISE = """\
Step by step: start NEW_BIN starts the new server and holds it. quiesce stops the old one at a quiescent point. transfer
moves its state over, audit looks for what was missed, commit lets the new server serve and ends the old one. Until
commit, rollback undoes everything. After start or quiesce alone, release lets the old server run on."""

BY_FRONT_END = {
    FrontEnd.CLI: "`mcr VERB --help` explains one verb. `mcr shell` is a console with completion; `mcr gdbinit` prints "
    "the file that brings the same verbs into GDB.",
    FrontEnd.GDB: "`help mcr-VERB` explains one verb. A verb without PID means the process of the current inferior, "
    "or the only server there is. "
    "If this GDB is attached to the server, it gives it up while mcr works and takes it back afterwards. "
    "$_mcr_status is the exit status of the last verb: 0, 1 refused, 2 bad usage, 3 rolled back.",
    FrontEnd.SHELL: "`help VERB` explains one verb. A verb without PID means the last server that was named, or the "
    "only one there is. `quit` ends the shell and rolls back what is open.",
}


def called(command: Command, front_end: FrontEnd) -> str:
    """The verb as the user types it."""
    return {FrontEnd.CLI: f"mcr {command.name}", FrontEnd.GDB: f"mcr-{command.name}"}.get(front_end, command.name)


def usage(command: Command, front_end: FrontEnd) -> str:
    """One line: the verb, its positions, its options."""
    return " ".join(_usage_parts(command, front_end))


def _usage_parts(command: Command, front_end: FrontEnd) -> list[str]:
    positions = [_shown(one, front_end) for one in command.options if not one.is_option and one.kind is not Kind.REST]
    options = [_shown(one, front_end) for one in command.options if one.is_option]
    rest = [f"-- {one.shown}" for one in command.arguments if one.kind is Kind.REST]
    return [called(command, front_end), *positions, *options, *rest]


# An option and its value stay together.
def _wrapped_usage(command: Command, front_end: FrontEnd) -> Iterator[str]:
    glued = " ".join(part.replace(" ", _GLUE) for part in _usage_parts(command, front_end))
    for line in textwrap.wrap(f"usage: {glued}", WIDTH, subsequent_indent="    ", break_on_hyphens=False):
        yield line.replace(_GLUE, " ")


def command_help(command: Command, front_end: FrontEnd) -> str:
    """All about one verb."""
    return "\n".join(_command_lines(command, front_end))


def overview(commands: Sequence[Command], front_end: FrontEnd) -> str:
    """All verbs of a front end."""
    return "\n".join(_overview_lines([one for one in commands if front_end in one.front_ends], front_end))


def _command_lines(command: Command, front_end: FrontEnd) -> Iterator[str]:
    yield command.help
    yield ""
    yield from _wrapped_usage(command, front_end)
    yield ""
    yield from textwrap.wrap(command.description, WIDTH)
    yield ""
    for one in command.options:
        yield from _entry(_label(one), argument_text(one, front_end))
    yield ""
    for example in command.examples:
        yield f"    {called(command, front_end)} {example.line}".rstrip()
        yield from textwrap.wrap(example.text, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)


def _overview_lines(commands: Sequence[Command], front_end: FrontEnd) -> Iterator[str]:
    yield from _paragraphs(INTRODUCTION)
    for category in Category:
        group = [one for one in commands if one.category is category]
        if group:
            yield ""
            yield f"{category.value}:"
            for one in group:
                yield from _entry(called(one, front_end), one.help)
    if front_end is not FrontEnd.CLI:
        yield ""
        yield from _paragraphs(STEPWISE)
    yield ""
    yield from textwrap.wrap(BY_FRONT_END[front_end], WIDTH)


def argument_text(one: Argument, front_end: FrontEnd) -> str:
    """The argument's help, with its default."""
    if one.kind is Kind.PID and not one.optional and front_end is not FrontEnd.CLI:
        return f"{one.help} (default: the current server)"
    if one.default is None:
        return one.help
    default = f"{one.default:g}" if isinstance(one.default, float) else str(one.default)
    return f"{one.help} (default: {default})"


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ""
        yield from textwrap.wrap(paragraph, WIDTH)


def _label(one: Argument) -> str:
    if one.kind is Kind.REST:
        return f"-- {one.shown}"
    return f"{one.name} {one.shown}".rstrip() if one.is_option else one.shown


def _entry(label: str, text: str) -> Iterator[str]:
    first, *others = textwrap.wrap(text, WIDTH - 28)
    if len(label) > 23:
        yield f"  {label}"
        yield f"{'':28}{first}"
    else:
        yield f"  {label:<26}{first}"
    for line in others:
        yield f"{'':28}{line}"


def _shown(one: Argument, front_end: FrontEnd) -> str:
    text = _label(one)
    more = "…" if one.repeat else ""
    if one.is_option or is_optional(one, front_end):
        return f"[{text}]{more}"
    return f"{text}{more}"
