"""How a verb is declared: once, as data. See `table.py` for the list of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, Flag, auto

from gdb_mcr.commands.arguments import Argument, Kind
from gdb_mcr.model.results import Result
from gdb_mcr.model.steps import Step


class FrontEnd(Flag):
    """Where a verb can be given."""

    CLI = auto()
    """`mcr VERB`: one verb, then the program ends."""
    GDB = auto()
    """`(gdb) mcr-VERB`"""
    SHELL = auto()
    """`mcr shell`"""


EVERYWHERE = FrontEnd.CLI | FrontEnd.GDB | FrontEnd.SHELL
STAYING = FrontEnd.GDB | FrontEnd.SHELL
"""Front ends in which an update can stay open between two verbs."""


class Category(Enum):
    """Groups in the help."""

    UPDATE = "Updating a server"
    STEPS = "Updating step by step (in GDB and mcr shell)"
    INSPECT = "Looking at a server"
    TOOLS = "Tools"


JSON = Argument("--json", Kind.OUTPUT, "also write the answer as JSON to FILE, or only that to standard output with -")
"""Every verb has it."""


@dataclass(frozen=True, slots=True)
class Example:
    """One use of a verb. ``line`` is what follows the verb's name."""

    line: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """One verb."""

    name: str
    help: str
    """One sentence."""
    description: str
    """Some sentences more."""
    category: Category
    front_ends: FrontEnd
    arguments: tuple[Argument, ...]
    examples: tuple[Example, ...]
    function: Callable[..., Result]
    """Takes a `Context` and each argument by its `key`."""
    step: Step | None
    """The step of an update that it takes; `model.steps` says when that is legal."""
    traces: bool
    """Whether it attaches to the server, so that no other debugger may be."""
    alone: bool
    """Whether no step-wise update may be open."""

    @property
    def options(self) -> tuple[Argument, ...]:
        """All arguments, those that every verb has included."""
        return (*self.arguments, JSON)


def command(
    name: str,
    *,
    help: str,  # noqa: A002 - the word that every command line uses
    description: str,
    category: Category,
    examples: tuple[Example, ...],
    arguments: tuple[Argument, ...] = (),
    front_ends: FrontEnd = EVERYWHERE,
    step: Step | None = None,
    traces: bool = False,
    alone: bool = False,
) -> Callable[[Callable[..., Result]], Command]:
    """Declare the decorated function as the verb ``name``; the name then stands for the `Command`."""

    def declare(function: Callable[..., Result]) -> Command:
        return Command(
            name, help, description, category, front_ends, arguments, examples, function, step, traces, alone
        )

    return declare


def is_optional(one: Argument, front_end: FrontEnd) -> bool:
    """Whether a position may be left out: GDB and the shell know which server is meant."""
    return one.optional or (one.kind in (Kind.PID, Kind.PROGRAM) and front_end is not FrontEnd.CLI)
