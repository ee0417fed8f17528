"""All verbs, in the order of the help."""

from __future__ import annotations

from gdb_mcr.commands import annotate, check, inspect, profile, steps, tools, update
from gdb_mcr.commands.registry import Command, FrontEnd
from gdb_mcr.errors import UsageError
from gdb_mcr.source import did_you_mean

COMMANDS: tuple[Command, ...] = (
    tools.run,
    check.check,
    update.update,
    check.diff,
    check.annotations_,
    annotate.annotate,
    steps.start,
    steps.quiesce,
    steps.release,
    steps.transfer,
    steps.audit,
    steps.commit,
    steps.rollback,
    inspect.status,
    inspect.threads,
    inspect.fds,
    inspect.object_,
    inspect.log,
    inspect.history,
    profile.profile,
    tools.shell,
    tools.gdbinit,
    annotate.fmt,
)


def available(front_end: FrontEnd) -> tuple[Command, ...]:
    """The verbs of one front end."""
    return tuple(one for one in COMMANDS if front_end in one.front_ends)


def find(name: str, front_end: FrontEnd) -> Command:
    """The verb ``name``.

    :raises UsageError: there is none, or not in this front end.
    """
    for one in COMMANDS:
        if one.name == name:
            if front_end in one.front_ends:
                return one
            raise UsageError(f"{name} does not work here", hint=_where(one))
    # `mcr update` and `mcr-update` are what the verb is called elsewhere.
    bare = name.removeprefix("mcr").lstrip("-")
    if name != bare and front_end is FrontEnd.SHELL:
        raise UsageError(f"there is no verb `{name}`", hint="leave out `mcr`: verbs have their bare names here")
    near = did_you_mean(bare, [one.name for one in available(front_end)])
    raise UsageError(f"there is no verb `{name}`", hint=near or "`help` lists the verbs")


def _where(command: Command) -> str:
    places = {FrontEnd.CLI: "as `mcr {}`", FrontEnd.GDB: "in GDB as `mcr-{}`", FrontEnd.SHELL: "in `mcr shell` as `{}`"}
    found = [text.format(command.name) for one, text in places.items() if one in command.front_ends]
    return f"it works {' and '.join(found)}"
