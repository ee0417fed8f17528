"""Where O's start-up ends for the merge: at its end, or before it read a file that holds state of its own.

A server that loads what it has written itself (a dump, a journal) has its data from there, and so would N. The user
says so of the file (`input "dump.rdb" absent;`): N then does not find it, and all that O has made of it, and since,
counts as changed by O. Source: DESIGN section 4, "start-up inputs".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gdb_mcr.errors import UsageError
from gdb_mcr.model.annotation import InputRule
from gdb_mcr.model.finding import Finding
from gdb_mcr.model.startup_log import StartupInput, StartupLog
from gdb_mcr.model.statement import InputState
from gdb_mcr.runtime_abi.control import Control, EarlyPlace, Reader
from gdb_mcr.runtime_abi.tables import (
    BaseSnapshot,
    read_early_snapshot,
    read_inputs,
    read_snapshot,
    read_startup_log,
)


@dataclass(frozen=True, slots=True)
class StartState:
    """The start-up log, with the allocations and the memory of the start-up that counts."""

    log: StartupLog
    base: BaseSnapshot
    absent: tuple[str, ...] = ()
    """Paths of files that N does not find."""


def read_start_state(memory: Reader, control: Control, rules: Sequence[InputRule] = ()) -> StartState:
    """The start-up of a process, up to the first input that the rules call absent."""
    absent = [one for one in read_inputs(memory, control) if rules and is_absent(one, rules)]
    early = [place for one in absent if (place := early_place(one, control)) is not None]
    if not early:
        return StartState(read_startup_log(memory, control), read_snapshot(memory, control))
    first = min(early, key=lambda one: one.number)
    paths = tuple(one.path for one in absent)
    return StartState(read_startup_log(memory, control, first), read_early_snapshot(memory, first), paths)


def is_absent(one: StartupInput, rules: Sequence[InputRule]) -> bool:
    """Whether the user says that N does not find it."""
    return input_state(one, rules) is InputState.ABSENT


def input_state(one: StartupInput, rules: Sequence[InputRule]) -> InputState | None:
    """What the user says of it; the last statement that fits counts."""
    said = [rule.state for rule in rules if _fits(one.path, rule.pattern)]
    return said[-1] if said else None


def early_place(one: StartupInput, control: Control) -> EarlyPlace | None:
    """The snapshot before it was read, if it is still there."""
    return next((place for place in control.early if one.early and place.number == one.early), None)


def check_absent(log: StartupLog, control: Control, rules: Sequence[InputRule]) -> None:
    """:raises UsageError: N is not to find a file, and what O's memory was before it read the file is not known."""
    lost = [one.path for one in log.inputs if is_absent(one, rules) and early_place(one, control) is None]
    if lost:
        raise UsageError(
            f"the annotations call {lost[0]} absent, but what the server's memory was before it read it is not known",
            hint="that is known of the last four files outside of the system's directories; take the statement out",
        )


def unsettled_inputs(
    found: Sequence[Finding], log: Callable[[], StartupLog], control: Control, rules: Sequence[InputRule]
) -> list[Finding]:
    """R12: inputs that could be why both sides' start-up and O's work since cannot be joined.

    :param found: the findings of the transfer.
    :param log: asked only if it matters.
    """
    if not any(one.kind == "R13" for one in found):
        return []
    asked = [one for one in log().inputs if early_place(one, control) is not None and input_state(one, rules) is None]
    return [_unsettled(one) for one in asked]


def _unsettled(one: StartupInput) -> Finding:
    text = f"both servers have read {one.path} when they started; if the server writes it itself, the new one must not"
    return Finding(f"R12:{one.path}", "R12", False, text, "", f'input "{one.path}" absent;')


def _fits(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern if pattern.startswith("/") else f"*/{pattern}")
