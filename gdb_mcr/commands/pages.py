"""`docs/commands/VERB.md`: the part that follows from a verb's declaration; what stands below is written by hand."""

from __future__ import annotations

from collections.abc import Iterator

from gdb_mcr.commands.arguments import Argument, Kind
from gdb_mcr.commands.help import argument_text, called, usage
from gdb_mcr.commands.registry import Command, FrontEnd

END = "<!-- Above: written by scripts/write-docs from the declaration. Below: by hand. -->"


def page(command: Command, before: str) -> str:
    """The page anew; ``before`` is what it was, "" for a new one."""
    by_hand = before.partition(END)[2].strip()
    generated = "\n".join(_generated(command))
    return f"{generated}\n{END}\n{by_hand}".rstrip() + "\n"


def _generated(command: Command) -> Iterator[str]:
    yield f"# {command.name}"
    yield ""
    yield command.help
    yield ""
    yield command.description
    yield ""
    yield "```"
    yield from (usage(command, one) for one in FrontEnd if one in command.front_ends)
    yield "```"
    yield ""
    yield "| argument | meaning |"
    yield "|---|---|"
    yield from (f"| {_label(one)} | {_cell(argument_text(one, FrontEnd.CLI))} |" for one in command.options)
    yield ""
    yield "Examples:"
    yield ""
    first = next(one for one in FrontEnd if one in command.front_ends)
    for example in command.examples:
        yield f"- `{called(command, first)} {example.line}".rstrip() + f"`: {example.text}"
    yield ""


def _label(one: Argument) -> str:
    text = f"{one.name} {one.shown}".rstrip() if one.is_option else one.shown
    return f"`{_cell(f'-- {text}' if one.kind is Kind.REST else text)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
