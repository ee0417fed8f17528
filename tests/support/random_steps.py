"""Random steps for the engine's register machine: whatever they say, it refuses them or runs them without harm."""

from __future__ import annotations

import random
from array import array

from gdb_mcr.engine.handler_records import NO_REGISTER, HandlerRow, StepCode, StepRow
from gdb_mcr.engine.records import NONE, ImageKind, Op, OpCode, Program, Shape, ShapeKind
from gdb_mcr.engine.tracer import EngineError, EngineTables, ImageExtent, Tracer
from gdb_mcr.units import Range

HEAP, OLD_SIZE, NEW_SIZE, CHUNKS = 0x200000, 48, 40, 4
REGISTERS = 6
_OPS = [
    Op(code=OpCode.HANDLER),
    Op(code=OpCode.DATA, length=8),
    Op(code=OpCode.POINTER, old_offset=8, new_offset=8),
    Op(code=OpCode.INTEGER, old_bytes=8, new_bytes=4, old_offset=16, new_offset=16),
]
_ODD = (0, 1, 7, 8, 39, 40, 41, 47, 48, 64, 255, 256, 1 << 16, 1 << 31, (1 << 32) - 1)


def random_steps(chance: random.Random, count: int) -> list[StepRow]:
    """Steps that are mostly sound: with all of them random none would ever be run."""
    return [_random_step(chance, count) for _ in range(count - 1)] + [StepRow(code=StepCode.END)]


def _random_step(chance: random.Random, count: int) -> StepRow:
    code = chance.choice(list(StepCode))
    to, left, right = (chance.randrange(REGISTERS) for _ in range(3))
    at = chance.choice((chance.randrange(count), chance.randrange(OLD_SIZE), chance.choice(_ODD)))
    value = chance.choice(
        (HEAP + chance.randrange(1 << 10), chance.randrange(-64, 64), chance.getrandbits(64) - (1 << 63))
    )
    if code in (StepCode.LOAD_OLD, StepCode.LOAD_NEW, StepCode.STORE, StepCode.READ):
        right = chance.choice((1, 2, 4, 8, 3)) | chance.choice((0, 0x10, 0x40))
        if code is not StepCode.READ and chance.random() < 0.7:
            left, at = NO_REGISTER, chance.randrange(NEW_SIZE - 7)
    elif code is StepCode.STORE_BITS:
        right, value = chance.randrange(1, 32), chance.randrange(8)
    elif code is StepCode.CONVERT:
        at, value = chance.randrange(len(_OPS)), 1 | chance.randrange(NEW_SIZE) << 32
    elif code is StepCode.EXTEND:
        at = chance.randrange(1, 65)
    if chance.random() < 0.005:
        to, left, right = (chance.randrange(256) for _ in range(3))
    return StepRow(code=code, to=to, left=left, right=right, at=at, value=value)


def run_steps(chance: random.Random, steps: list[StepRow]) -> bool:
    """Runs them on a few objects of random bytes; whether the engine took them."""
    heap = bytearray(chance.randbytes(CHUNKS * 64))
    for i in range(0, len(heap), 8):
        if chance.random() < 0.4:
            heap[i : i + 8] = (HEAP + chance.randrange(CHUNKS * 64)).to_bytes(8, "little")
    guard = bytes(heap)
    tables = EngineTables(
        [Shape(kind=ShapeKind.STRUCT, size=OLD_SIZE)],
        [],
        bytearray(1),
        bytearray([1]),
        [0],
        programs=[Program(0, len(_OPS), NONE, NONE, OLD_SIZE, NEW_SIZE, NONE, 0)],
        ops=_OPS,
        site_shapes=[0],
        handlers=[HandlerRow(0, len(steps), OLD_SIZE, NEW_SIZE, 1000, REGISTERS)],
        steps=steps,
    )
    with Tracer() as tracer:
        tracer.set_image(ImageKind.THEIRS, [ImageExtent(Range(HEAP, HEAP + len(heap)), heap, 0)])
        try:
            tracer.set_tables(tables)
        except EngineError:
            return False
        starts = array("Q", [HEAP + 64 * i for i in range(CHUNKS)])
        sizes = array("Q", [OLD_SIZE] * CHUNKS)
        tracer.add_chunks(starts, sizes, sizes, array("I", [0] * CHUNKS), array("I", [0]))
        tracer.index()
        tracer.set_pairs([])
        tracer.trace()
        tracer.transfer()
    assert all(heap[64 * i + OLD_SIZE : 64 * i + 64] == guard[64 * i + OLD_SIZE : 64 * i + 64] for i in range(CHUNKS))
    return True
