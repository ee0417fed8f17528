"""The loops of one function, from its machine code."""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Protocol

from gdb_mcr.machine_code.decoder import Flow, Instruction, decode
from gdb_mcr.quiescence.control_flow import FlowGraph, Loop, loops_around
from gdb_mcr.units import Range

_TABLE_DISTANCE = 24  # instructions between the load of a jump table's address, or the check of its index, and the jump
_TABLE_LIMIT = 4096  # cases of a switch

_ROOT = -1

_STUB_BYTES = 16  # one of .plt or .plt.sec

_DEPTH = 2  # of calls that are followed to learn whether they return

_NEVER_RETURN = frozenset(
    (
        *("exit", "_exit", "_Exit", "quick_exit", "abort", "pthread_exit", "__stack_chk_fail", "__chk_fail"),
        *("__fortify_fail", "__assert_fail", "__assert_perror_fail", "__assert", "err", "errx", "verr", "verrx"),
        *("longjmp", "_longjmp", "siglongjmp", "__longjmp_chk", "__cxa_throw", "__libc_fatal"),
    )
)
"""Functions of libc behind whose calls compilers put whatever comes next in the file."""


class Code(Protocol):
    """Where code is read from; `dwarf.code_image.CodeImage` is one."""

    def piece(self, pc: int) -> Range | None:
        """The code around the instruction that belongs together, None where there is none."""
        ...

    def names(self, pc: int) -> tuple[str, ...]:
        """The inline chain at an instruction, innermost first; empty where no name is known."""
        ...

    def read(self, address: int, size: int) -> bytes:
        """Up to ``size`` bytes."""
        ...

    def import_at(self, slot: int) -> str:
        """The function of another file whose address stands in this word at run time, "" if it is none."""
        ...


class FunctionFlow:
    """The blocks and loops of the function around an instruction, its parts elsewhere (`.cold`) included."""

    def __init__(self, code: Code, pc: int, does_return: Callable[[Instruction], bool]) -> None:
        """
        :param pc: an instruction's address; of a call the return address less one will do.
        :param does_return: whether a call may come back.
        """
        self._code = code
        self._pieces: list[Range] = []
        self._instructions: dict[int, Instruction] = {}
        first = code.piece(pc)
        if first is not None:
            self._collect(first)
        self._order = sorted(self._instructions)
        self._ends = {at for at, one in self._instructions.items() if not _goes_on(one, does_return)}
        self._jumps = {at: self._targets(at) for at, one in self._instructions.items() if one.flow in _JUMPS}
        self._starts = self._block_starts()
        self._graph = self._flow_graph() if self._starts else None
        self.loops: tuple[Loop, ...] = self._graph.loops() if self._graph is not None else ()
        """Outer ones before those inside them."""

    @property
    def returns(self) -> bool:
        """Whether it may return to its caller, or ends in a call of another function in its own place."""
        blocks = self._graph.order if self._graph is not None else ()
        return any(self._may_leave(self._last(start)) for start in blocks if start != _ROOT)

    def loops_at(self, pc: int) -> tuple[Loop, ...]:
        """The loops around an instruction (or any address inside it), the outermost first."""
        index = bisect_right(self._starts, pc) - 1
        return loops_around(self.loops, self._starts[index]) if index >= 0 else ()

    def call_before(self, return_address: int) -> int | None:
        """The address of the instruction that ends there, None if none does."""
        index = bisect_right(self._order, return_address - 1) - 1
        at = self._order[index] if index >= 0 else 0
        return at if at and self._instructions[at].end == return_address else None

    def instructions_of(self, loop: Loop) -> Iterator[int]:
        """The addresses of all instructions of a loop."""
        for start in loop.body:
            first, end = bisect_left(self._order, start), self._last(start).end
            yield from self._order[first : bisect_left(self._order, end)]

    # This piece, and those into which it jumps and which are no functions of their own.
    def _collect(self, piece: Range) -> None:
        pending = [piece]
        while pending:
            one = pending.pop()
            if one in self._pieces:
                continue
            self._pieces.append(one)
            found = decode(self._code.read(one.start, one.size), one.start)
            self._instructions.update((instruction.address, instruction) for instruction in found)
            targets = {instruction.target for instruction in found if instruction.target is not None}
            pending += self._other_parts(piece, targets)

    def _other_parts(self, home: Range, targets: set[int]) -> Iterator[Range]:
        for target in sorted(targets):
            piece = self._code.piece(target)
            if piece is not None and (piece.start != target or self._name(target) == self._name(home.start) != ""):
                yield piece

    def _name(self, pc: int) -> str:
        names = self._code.names(pc)
        return names[-1] if names else ""

    def _targets(self, at: int) -> tuple[int, ...]:
        instruction = self._instructions[at]
        if instruction.target is None:
            return tuple(self._jump_table(at))
        return (instruction.target,) if instruction.target in self._instructions else ()

    # lea table(%rip), %rdx; movslq (%rdx,%rax,4), %rax; add %rdx, %rax; jmp *%rax: words relative to the table.
    def _jump_table(self, at: int) -> Iterator[int]:
        place = bisect_right(self._order, at) - 1
        before = [self._instructions[one] for one in self._order[max(0, place - _TABLE_DISTANCE) : place]]
        table = next((one.address_taken for one in reversed(before) if one.address_taken is not None), None)
        bound = next((one.bound for one in reversed(before) if one.bound is not None), None)
        count = bound + 1 if bound is not None and 0 <= bound < _TABLE_LIMIT else _TABLE_LIMIT
        words = self._code.read(table, 4 * count) if table is not None else b""
        for (offset,) in struct.iter_unpack("<i", words[: len(words) // 4 * 4]):
            assert table is not None
            if table + offset not in self._instructions:
                return
            yield table + offset

    def _block_starts(self) -> list[int]:
        starts = {piece.start for piece in self._pieces}
        starts.update(target for targets in self._jumps.values() for target in targets)
        starts.update(self._instructions[at].end for at in self._ends | self._jumps.keys())
        return sorted(starts & self._instructions.keys())

    # Where jump tables could not be read, blocks to which no known jump leads hang off a root of their own.
    def _flow_graph(self) -> FlowGraph:
        successors = {start: self._following(self._last(start)) for start in self._starts}
        led_to = {one for following in successors.values() for one in following}
        others = [] if self._is_complete() else [start for start in self._starts if start not in led_to]
        successors[_ROOT] = tuple(dict.fromkeys((self._pieces[0].start, *others)))
        return FlowGraph(_ROOT, successors)

    def _is_complete(self) -> bool:
        return all(
            self._jumps[at] or self._instructions[at].slot for at in self._jumps if not self._instructions[at].target
        )

    def _last(self, start: int) -> Instruction:
        index = bisect_right(self._starts, start)
        end = self._starts[index] if index < len(self._starts) else self._order[-1] + 1
        return self._instructions[self._order[bisect_right(self._order, end - 1) - 1]]

    def _following(self, last: Instruction) -> tuple[int, ...]:
        falls_through = last.address not in self._ends and last.end in self._instructions
        return tuple(dict.fromkeys((*self._jumps.get(last.address, ()), *((last.end,) if falls_through else ()))))

    def _may_leave(self, last: Instruction) -> bool:
        if last.flow in _JUMPS:
            return not self._jumps[last.address]
        return last.flow is Flow.RETURN


_JUMPS = frozenset({Flow.JUMP, Flow.BRANCH})


def _goes_on(one: Instruction, does_return: Callable[[Instruction], bool]) -> bool:
    return one.flow in (Flow.NEXT, Flow.BRANCH) or (one.flow is Flow.CALL and does_return(one))


class Flows:
    """The functions of one file, each looked at once."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._flows: dict[tuple[int, int], FunctionFlow] = {}
        self._returns: dict[tuple[int, int], bool] = {}

    def at(self, pc: int) -> FunctionFlow:
        """The function around an instruction."""
        return self._flow(pc, _DEPTH)

    def _flow(self, pc: int, depth: int) -> FunctionFlow:
        piece = self._code.piece(pc)
        key = (piece.start if piece is not None else -1, depth)
        if key not in self._flows:
            self._flows[key] = FunctionFlow(self._code, pc, lambda call: self._does_return(call, depth))
        return self._flows[key]

    def _does_return(self, call: Instruction, depth: int) -> bool:
        if call.slot is not None:
            return self._code.import_at(call.slot) not in _NEVER_RETURN
        if call.target is None:
            return True
        key = (call.target, depth)
        if key not in self._returns:
            self._returns[key] = True  # what calls itself returns, if anything does
            self._returns[key] = self._target_returns(call.target, depth)
        return self._returns[key]

    def _target_returns(self, target: int, depth: int) -> bool:
        if self._code.piece(target) is None:
            return self._stub(target) not in _NEVER_RETURN
        return depth == 0 or self._flow(target, depth - 1).returns

    def _stub(self, target: int) -> str:
        code = decode(self._code.read(target, _STUB_BYTES), target)
        slots = [one.slot for one in code if one.flow is Flow.JUMP and one.slot is not None]
        return self._code.import_at(slots[0]) if slots else ""
