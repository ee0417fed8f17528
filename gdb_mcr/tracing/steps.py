"""Steps of the engine's register machine, one handler at a time: registers, jumps, and the source of every step.

Source: `native/engine/handlers.h`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from gdb_mcr.engine.handler_records import (
    MAX_ARGUMENTS,
    MAX_STEPS,
    NO_REGISTER,
    REGISTERS,
    HandlerRow,
    StepCode,
    StepRow,
)
from gdb_mcr.errors import InvalidAnnotations
from gdb_mcr.source import Problem, Span

MAX_ROUNDS = 1 << 24
"""Rounds of all loops that one run of a handler may take: a list that leads back into itself must not hold up O."""


class StepTable:
    """The steps of all handlers, as the engine gets them."""

    def __init__(self) -> None:
        self.steps: list[StepRow] = []
        self.handlers: list[HandlerRow] = []
        self.names: list[str] = []
        """By handler: the type, variable or field that it is about."""
        self.functions: list[str] = []
        """Of a handler library, by the number that steps call them by."""
        self.spans: list[Span] = []
        """By step: the statement that it is part of."""

    def function(self, name: str) -> int:
        """The number of a library function."""
        if name not in self.functions:
            self.functions.append(name)
        return self.functions.index(name)

    def handler_of(self, step: int) -> int:
        """Which handler a step belongs to."""
        return bisect_right([one.first for one in self.handlers], step) - 1


class StepWriter:
    """Writes the steps of one handler. Registers are taken and given back like a stack; locals stay at its bottom."""

    def __init__(self, table: StepTable, name: str, span: Span, locals_count: int) -> None:
        self._table = table
        self._name = name
        self._first = len(table.steps)
        self._top = locals_count
        self._used = max(locals_count, 1)
        self.span = span
        """Of the statement that is being compiled."""
        self._check(locals_count <= REGISTERS, "more variables than a handler may have")

    def register(self) -> int:
        """A register for a value; `release` gives it back."""
        self._check(self._top < REGISTERS, "more values at once than a handler may have")
        self._top += 1
        self._used = max(self._used, self._top)
        return self._top - 1

    @property
    def mark(self) -> int:
        """What `release` takes."""
        return self._top

    def release(self, mark: int) -> None:
        """Gives back all registers that were taken since."""
        self._top = mark

    @property
    def here(self) -> int:
        """The number of the next step, as jumps count: from the handler's first one."""
        return len(self._table.steps) - self._first

    def emit(
        self,
        code: StepCode,
        to: int = 0,
        left: int = 0,
        right: int = 0,
        *,
        at: int = 0,
        value: int = 0,
    ) -> StepRow:
        """One more step. :param value: anything that 64 bits can hold, with or without a sign."""
        self._check(self.here < MAX_STEPS, "too long")
        row = StepRow(code=code, to=to, left=left, right=right, at=at, value=_signed(value))
        self._table.steps.append(row)
        self._table.spans.append(self.span)
        return row

    def call(self, function: str, arguments: Sequence[Callable[[], int]]) -> int:
        """A new register with what a library function gives for the arguments, which are evaluated in their order."""
        self._check(len(arguments) <= MAX_ARGUMENTS, f"calling {function} with more than {MAX_ARGUMENTS} arguments")
        to, mark = self.register(), self.mark
        places = [self.register() for _ in arguments]
        for place, argument in zip(places, arguments, strict=True):
            inner = self.mark
            self.emit(StepCode.MOVE, place, argument())
            self.release(inner)
        number = self._table.function(function)
        self.emit(StepCode.CALL, to, places[0] if places else to, len(places), at=number)
        self.release(mark)
        return to

    def constant(self, value: int) -> int:
        """A new register with this value."""
        to = self.register()
        self.emit(StepCode.CONST, to, value=value)
        return to

    def jump(self, code: StepCode = StepCode.JUMP, left: int = 0, *, to: int = 0) -> StepRow:
        """A jump; `land` says later where it leads."""
        return self.emit(code, left=left, at=to)

    def land(self, jump: StepRow) -> None:
        """The jump leads to the next step."""
        jump.at = self.here

    def end(self, old_size: int, new_size: int) -> int:
        """The handler is complete. Answers its index."""
        self.emit(StepCode.END)
        self._table.names.append(self._name)
        self._table.handlers.append(HandlerRow(self._first, self.here, old_size, new_size, MAX_ROUNDS, self._used))
        return len(self._table.handlers) - 1

    def _check(self, holds: bool, what: str) -> None:
        if not holds:
            hint = "split it: `let` a part of it, or leave a part of the work to a handler library"
            raise InvalidAnnotations([Problem("too-large", self.span, f"this handler is {what}", hint)])


NOWHERE = NO_REGISTER
"""In place of an offset's register: the offset is known."""


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
