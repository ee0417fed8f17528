"""Transfer handlers to steps of the engine's register machine.

Source: DESIGN section 13; `native/engine/handlers.h`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

from gdb_mcr.engine.handler_records import StepCode
from gdb_mcr.model.expression import Expression, Location, Number, Pointer
from gdb_mcr.model.handler import (
    ArrayLength,
    Convert,
    CountLoop,
    Evaluate,
    Handler,
    If,
    ListLoop,
    SetLocal,
    Step,
    Store,
)
from gdb_mcr.model.place import Side, Subject
from gdb_mcr.model.program import Program
from gdb_mcr.tracing.conversion import ProgramCompiler
from gdb_mcr.tracing.evaluation import Evaluator, form_of
from gdb_mcr.tracing.facts import Conditional
from gdb_mcr.tracing.sides import LoadedModule
from gdb_mcr.tracing.steps import StepTable, StepWriter

Conversion = Callable[[int, int], tuple[int, int]]
"""From an O type and an N type to the ops that convert the one to the other: the first one, and how many."""


def compile_handlers(compiler: ProgramCompiler, table: StepTable, old: LoadedModule, new: Program) -> None:
    """Compiles all handlers of a program compiler, in the order of their numbers, and then the questions of its facts.

    Before it compiles any program.
    :raises InvalidAnnotations: one is larger than the engine takes.
    """

    def address_of(variable: int) -> int:
        return old.bias + old.program.variables[variable].address

    compiler.facts.number_questions(len(compiler.handlers.handlers))
    for handler in compiler.handlers.handlers:
        place = handler.place
        sizes = _size(old.program, place.subject, place.old), _size(new, place.subject, place.new)
        HandlerCompiler(handler, table, address_of, compiler.conversion).compile(*sizes)
    for fact in compiler.facts.questions:
        compile_question(fact, table, address_of, _size(old.program, fact.place.subject, fact.place.old))


def compile_question(fact: Conditional, table: StepTable, address_of: Callable[[int], int], old_size: int) -> int:
    """What a fact depends on, over an object of O of this size in bytes. Answers the handler that the engine asks."""
    writer = StepWriter(table, fact.place.key, fact.span, 0)
    answer = writer.register()
    value = fact.count if isinstance(fact, ArrayLength) else fact.condition
    writer.emit(StepCode.MOVE, answer, Evaluator(writer, address_of).value(value))
    return writer.end(old_size, 0)


def _size(program: Program, subject: Subject, index: int) -> int:
    return program.types[index].size if subject is Subject.TYPE else program.variables[index].size


class HandlerCompiler:
    """Compiles one handler."""

    def __init__(
        self, handler: Handler, table: StepTable, address_of: Callable[[int], int], conversion: Conversion
    ) -> None:
        """:param address_of: where a variable of O, by its index, stands in memory."""
        self._handler = handler
        self._writer = StepWriter(table, handler.place.key, handler.span, len(handler.locals))
        self._evaluate = Evaluator(self._writer, address_of)
        self._conversion = conversion

    def compile(self, old_size: int, new_size: int) -> int:
        """The handler's index in the table. Sizes in bytes, of what it handles.

        :raises InvalidAnnotations: it is larger than the engine takes.
        """
        self._steps(self._handler.body)
        return self._writer.end(old_size, new_size)

    def _steps(self, steps: Sequence[Step]) -> None:
        for step in steps:
            mark = self._writer.mark
            self._writer.span = step.span
            self._step(step)
            self._writer.release(mark)

    def _step(self, step: Step) -> None:
        match step:
            case SetLocal():
                self._set(step.local, step.value)
            case Store():
                self._store(step)
            case Convert():
                self._convert(step)
            case If():
                self._if(step)
            case CountLoop():
                self._count(step)
            case ListLoop():
                self._follow(step)
            case Evaluate():
                self._evaluate.value(step.value)
            case _:
                assert_never(step)

    def _set(self, local: int, value: Expression) -> None:
        mark = self._writer.mark
        self._writer.emit(StepCode.MOVE, local, self._evaluate.value(value))
        self._writer.release(mark)

    # A number goes over by its value: the engine looks whether it fits.
    def _store(self, step: Store) -> None:
        register = self._stored(step)
        place = step.to
        offset = self._evaluate.offset(place)
        if place.bit_size:
            is_signed = isinstance(step.type, Number) and step.type.signed and not step.type.boolean
            bits = place.bit_offset | int(is_signed) << 8
            self._writer.emit(StepCode.STORE_BITS, register, offset, place.bit_size, at=place.offset, value=bits)
        else:
            self._writer.emit(StepCode.STORE, register, offset, form_of(step.type), at=place.offset)

    def _stored(self, step: Store) -> int:
        kind, source = step.type, step.value.type
        if isinstance(source, Pointer) and isinstance(kind, Pointer):
            return self._pointer(step.value, source)
        if isinstance(kind, Number) and isinstance(source, Number) and (kind.floating or kind.boolean):
            return self._evaluate.cast(step.value, kind)
        if isinstance(kind, Number) and isinstance(source, Number) and source.floating:
            return self._evaluate.cast(step.value, Number(8, signed=kind.signed))
        return self._evaluate.value(step.value)

    # An address of O's becomes N's; one that N's own conversion has put there is one of N's already.
    def _pointer(self, value: Expression, kind: Pointer) -> int:
        register = self._evaluate.value(value)
        if kind.side is Side.NEW:
            return register
        to = self._writer.register()
        self._writer.emit(StepCode.TRANSLATE, to, register)
        return to

    def _convert(self, step: Convert) -> None:
        first, count = self._conversion(step.source.type, step.to.type)
        old, new = self._place(step.source), self._place(step.to)
        self._writer.emit(StepCode.CONVERT, 0, old, new, at=first, value=count | step.to.size << 32)

    def _place(self, location: Location) -> int:
        return self._evaluate.whole_offset(location)

    def _if(self, step: If) -> None:
        mark = self._writer.mark
        otherwise = self._writer.jump(StepCode.JUMP_ZERO, self._evaluate.value(step.condition))
        self._writer.release(mark)
        self._steps(step.then)
        if not step.otherwise:
            self._writer.land(otherwise)
            return
        end = self._writer.jump()
        self._writer.land(otherwise)
        self._steps(step.otherwise)
        self._writer.land(end)

    def _count(self, step: CountLoop) -> None:
        end = self._writer.register()
        self._set(step.local, step.start)
        self._set(end, step.end)
        top, mark = self._writer.here, self._writer.mark
        goes_on = self._writer.register()
        self._writer.emit(StepCode.LESS, goes_on, step.local, end)
        leave = self._writer.jump(StepCode.JUMP_ZERO, goes_on)
        self._writer.release(mark)
        self._steps(step.body)
        self._writer.span = step.span
        self._writer.emit(StepCode.ADD, step.local, step.local, self._writer.constant(1))
        self._writer.jump(to=top)
        self._writer.land(leave)

    def _follow(self, step: ListLoop) -> None:
        self._set(step.local, step.first)
        top = self._writer.here
        leave = self._writer.jump(StepCode.JUMP_ZERO, step.local)
        self._steps(step.body)
        self._writer.span = step.span
        self._set(step.local, step.next)
        self._writer.jump(to=top)
        self._writer.land(leave)
