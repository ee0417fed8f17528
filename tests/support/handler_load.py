"""Many objects of one type that changed, transferred with a handler for it or without: the same rename in both."""

from __future__ import annotations

import mmap
import struct
import time
from array import array
from dataclasses import dataclass

from gdb_mcr.engine.records import NONE, ImageKind
from gdb_mcr.engine.tracer import EngineTables, ImageExtent, Tracer
from gdb_mcr.model.layout import LayoutComparer
from gdb_mcr.model.place import Side
from gdb_mcr.tracing.conversion import ProgramCompiler
from gdb_mcr.tracing.handled import HandlerIndex
from gdb_mcr.tracing.handlers import HandlerCompiler
from gdb_mcr.tracing.policy import Policy
from gdb_mcr.tracing.shapes import ShapeCompiler
from gdb_mcr.tracing.steps import StepTable
from gdb_mcr.units import Range
from tests.support.handler_text import Fields, binary, handler, number
from tests.support.type_builder import Types

HEAP, STRIDE, OLD_SIZE, NEW_SIZE = 0x1000_0000_0000, 64, 56, 64


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU time of the engine, seconds."""

    trace_s: float
    transfer_s: float

    @property
    def total_s(self) -> float:
        return self.trace_s + self.transfer_s


class HandlerLoad:
    """A list of `count` items: `{next; int seconds; flags; long hits; char key[24]; char *value}`."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._data = bytearray(count * STRIDE)
        for i in range(count):
            after = HEAP + (i + 1) % count * STRIDE
            struct.pack_into("<Qiiq", self._data, i * STRIDE, after, i % 1000, i % 7, i)
        self.memory = mmap.mmap(-1, count * STRIDE)

    def close(self) -> None:
        self.memory.close()

    def item(self, index: int) -> tuple[int, ...]:
        """N's item after a run: next, milliseconds, flags, count."""
        return struct.unpack_from("<Qiiq", self.memory, index * STRIDE)

    def run(self, *, with_handler: bool) -> Spent:
        """The handler is `new.milliseconds = old.seconds * 1000 + 5;`; without it the field is dropped."""
        self.memory[:] = bytes(self._data)
        tables = _tables(with_handler=with_handler)
        starts = array("Q", range(HEAP, HEAP + self._count * STRIDE, STRIDE))
        sizes, rooms = array("Q", [OLD_SIZE]) * self._count, array("Q", [STRIDE]) * self._count
        place = Range(HEAP, HEAP + self._count * STRIDE)
        with Tracer() as tracer:
            tracer.set_image(ImageKind.THEIRS, [ImageExtent(place, self.memory, 0)])
            tracer.set_tables(tables)
            tracer.add_chunks(starts, sizes, rooms, array("I", [0]) * self._count, array("I", [0]))
            tracer.index()
            tracer.set_pairs([])
            begun = time.thread_time()
            tracer.trace()
            traced = time.thread_time()
            tracer.transfer()
            spent = Spent(traced - begun, time.thread_time() - traced)
            assert not tracer.events()
            assert tracer.statistics()["objects_converted"] == self._count
        return spent


def _tables(*, with_handler: bool) -> EngineTables:
    old, new = Types(), Types()
    before, after = old.reserve(), new.reserve()
    _item(old, before, "seconds", "hits")
    _item(new, after, "milliseconds", "count")
    policy = Policy(dropped=frozenset({"item.seconds"}), renamed_fields={"item.hits": "count"})
    if with_handler:
        theirs, ours = Fields(old.table(), before, Side.OLD), Fields(new.table(), after, Side.NEW)
        value = binary(binary(theirs.load("seconds"), "*", number(1000)), "+", number(5))
        step = ours.store("milliseconds", value)
        one = handler(before, after, step, reads=("seconds",), writes=("milliseconds",))
        policy = Policy(handlers=(one,), renamed_fields={"item.hits": "count"})
    shapes = ShapeCompiler(old.table())
    layout = LayoutComparer(old.table(), new.table(), handled=HandlerIndex(policy.handlers).types)
    compiler, steps = ProgramCompiler(old.table(), new.table(), policy, layout), StepTable()
    for one in policy.handlers:
        HandlerCompiler(one, steps, lambda _: 0, compiler.conversion).compile(OLD_SIZE, NEW_SIZE)
    shape, program = shapes.shape(before), compiler.program(before, after)
    changed, programs = bytearray(len(shapes.shapes)), [NONE] * len(shapes.shapes)
    changed[shape], programs[shape] = 1, program
    return EngineTables(
        shapes.shapes,
        shapes.members,
        shapes.flags,
        changed,
        programs,
        programs=compiler.programs,
        ops=compiler.ops,
        enums=compiler.enums,
        site_shapes=[shape],
        handlers=steps.handlers,
        steps=steps.steps,
    )


# N's item has one more field at its end, and its place has room for it.
def _item(types: Types, at: int, time_field: str, count_field: str) -> None:
    rows = [
        ("next", 0, types.pointer(at)),
        (time_field, 8, types.int),
        ("flags", 12, types.int),
        (count_field, 16, types.long),
        ("key", 24, types.array(types.char, 24)),
        ("value", 48, types.pointer(types.char)),
    ]
    if count_field == "count":
        types.struct("item", NEW_SIZE, *rows, ("extra", 56, types.long), at=at)
    else:
        types.struct("item", OLD_SIZE, *rows, at=at)
