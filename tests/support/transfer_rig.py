"""The engine on fabricated memory: two type tables, a few objects, and what stands in N afterwards."""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field

from gdb_mcr.engine.handler_library import function_addresses
from gdb_mcr.engine.records import KIND_SHIFT, NONE, ImageKind, Object, ObjectFlag, ObjectKind, Pair, ShapeKind, Symbol
from gdb_mcr.engine.tracer import EngineTables, ImageExtent, Tracer
from gdb_mcr.model.layout import LayoutComparer
from gdb_mcr.model.place import Subject
from gdb_mcr.tracing.conversion import ProgramCompiler
from gdb_mcr.tracing.facts import FactIndex
from gdb_mcr.tracing.handled import HandlerIndex
from gdb_mcr.tracing.handlers import HandlerCompiler, compile_question
from gdb_mcr.tracing.policy import Policy
from gdb_mcr.tracing.shapes import ShapeCompiler
from gdb_mcr.tracing.steps import StepTable
from gdb_mcr.units import Range
from tests.support.type_builder import Types

GLOBALS, HEAP, NEW_GLOBALS, NEW_HEAP, OWN_HEAP = 0x10000, 0x200000, 0x50000, 0x700000, 0x800000
AREA = 0x4000


@dataclass
class Outcome:
    """Memory of N after a transfer, and what the engine reported."""

    new: bytearray
    heap: bytearray
    own_heap: bytearray
    moved: dict[int, bytes]
    events: list[tuple[int, int, int, int]]
    statistics: dict[str, int]
    flags: dict[int, ObjectFlag]
    sizes: dict[int, int]
    """Of chunks that have another one in N at the same address."""
    values: list[int]
    """Of the events."""
    freed: list[int]
    messages: list[str]

    def new_words(self, offset: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"<{count}Q", self.new, offset)


@dataclass
class Rig:
    """Fill `theirs`, `base`, `ours` and `heap`, add objects, then `run`."""

    old: Types
    new: Types
    policy: Policy = field(default_factory=Policy)
    pairs_by_type: dict[int, int] = field(default_factory=dict)
    """Old struct index to new struct index."""

    def __post_init__(self) -> None:
        self.theirs, self.base, self.ours = bytearray(AREA), bytearray(AREA), bytearray(AREA)
        self.heap, self.base_heap = bytearray(AREA), bytearray(AREA)
        self.symbols: list[Symbol] = []
        self._globals: list[tuple[int, int, int, int, int, int, str]] = []
        self._chunks: list[tuple[int, int, int, int]] = []
        self._site_types: list[int] = []
        self.site_flags: list[ObjectFlag] = []
        self.own_heap = bytearray(AREA)
        """N's start-up chunks."""
        self.own_in_place = bytearray(AREA)
        """N's start-up chunks at O's addresses, and what N has behind them."""
        self.own_fds: list[int] = []
        self._chunk_pairs: list[Pair] = []
        self.new_heap = NEW_HEAP
        self.given: list[int] = []
        """Where in N the memory is that library functions wanted."""

    def variable(self, offset: int, old_type: int, new_offset: int, new_type: int, name: str = "") -> None:
        old, new = self.old.table()[old_type], self.new.table()[new_type]
        self._globals.append((offset, old.size, old_type, new_offset, new.size, new_type, name))

    def lost_variable(self, offset: int, old_type: int) -> None:
        """A variable that N does not have."""
        size = self.old.table()[old_type].size
        self._globals.append((offset, size, old_type, -NEW_GLOBALS, 0, NONE, ""))

    def chunk(self, offset: int, size: int, *, site: int = NONE, capacity: int = 0) -> int:
        self._chunks.append((HEAP + offset, size, max(capacity, size), site))
        return HEAP + offset

    def pair_chunk(
        self, offset: int, size: int, new_offset: int, new_size: int, base_size: int, *, base_offset: int | None = None
    ) -> tuple[int, int]:
        """A start-up chunk of both; its base content stands at the same offset of `base_heap`, or where O had it."""
        old, new = self.chunk(offset, size), OWN_HEAP + new_offset
        self._chunk_pairs.append(
            Pair(
                address=old,
                new_address=new,
                new_size=new_size,
                base_address=old if base_offset is None else HEAP + base_offset,
                base_size=base_size,
                merges=1,
                program=NONE,
            )
        )
        return old, new

    def pair_in_place(self, offset: int, size: int, own_size: int) -> int:
        """A start-up chunk that N has at O's address, with `own_size` bytes; O's has grown since to `size`."""
        address = self.chunk(offset, size)
        self._chunk_pairs.append(
            Pair(
                address=address,
                new_address=address,
                new_size=size,
                own_size=own_size,
                base_address=address,
                base_size=own_size,
                merges=1,
                program=NONE,
            )
        )
        return address

    def site(self, old_type: int) -> int:
        self._site_types.append(old_type)
        self.site_flags.append(ObjectFlag(0))
        return len(self._site_types) - 1

    def run(self) -> Outcome:
        old, new = self.old.table(), self.new.table()
        facts = FactIndex(self.policy.facts)
        shapes = ShapeCompiler(old, self.policy.shape_flags, self.policy.plain_fields, facts)
        layout = LayoutComparer(old, new, handled=HandlerIndex(self.policy.handlers).types)
        compiler = ProgramCompiler(old, new, self.policy, layout, facts, shapes.pointee)
        steps = self._compile_handlers(compiler)
        objects, pairs = [], list(self._chunk_pairs)
        for number, (offset, size, old_type, new_offset, new_size, new_type, name) in enumerate(self._globals):
            shape = shapes.variable_shape(old_type, number)
            objects.append(_object(GLOBALS + offset, size, ObjectKind.GLOBAL, shape))
            pairs.append(
                Pair(
                    address=GLOBALS + offset,
                    new_address=NEW_GLOBALS + new_offset,
                    new_size=new_size,
                    base_address=GLOBALS + offset,
                    base_size=size,
                    merges=1,
                    program=NONE if new_type == NONE else compiler.program(old_type, new_type, name, number),
                )
            )
        site_shapes = [shapes.shape(one) for one in self._site_types]
        tables = EngineTables(
            shapes.shapes,
            shapes.members,
            shapes.flags,
            bytearray(len(shapes.shapes)),
            [NONE] * len(shapes.shapes),
            symbols=sorted(self.symbols, key=lambda one: one.old_address),
            site_shapes=site_shapes,
            image=Range(GLOBALS - 0x8000, GLOBALS + AREA),
            text=Range(GLOBALS - 0x8000, GLOBALS),
            own_fds=self.own_fds,
            handlers=steps.handlers,
            steps=steps.steps,
            cases=shapes.cases,
            pointer_facts=shapes.pointer_facts,
        )
        for index, source in enumerate(shapes.source):
            if source < 0 or shapes.shapes[index].kind not in (ShapeKind.STRUCT, ShapeKind.POINTER, ShapeKind.CODE):
                continue
            target = self.pairs_by_type.get(source)
            if target is not None:
                tables.shape_changed[index] = not layout.same(source, target)
                tables.shape_programs[index] = compiler.program(source, target)
        more = len(shapes.shapes) - len(tables.shape_programs)
        tables.shape_changed.extend(bytes(more))
        tables.shape_programs += [NONE] * more
        tables.programs, tables.ops, tables.enums = compiler.programs, compiler.ops, compiler.enums
        with Tracer() as tracer:
            if self.policy.library is not None:
                tracer.set_functions(function_addresses(self.policy.library, steps.functions))
            return self._drive(tracer, tables, objects, pairs)

    # Variables are known by the order in which they were added.
    def _compile_handlers(self, compiler: ProgramCompiler) -> StepTable:
        table, old, new = StepTable(), self.old.table(), self.new.table()
        compiler.facts.number_questions(len(compiler.handlers.handlers))
        for handler in compiler.handlers.handlers:
            place = handler.place
            if place.subject is Subject.TYPE:
                sizes = old[place.old].size, new[place.new].size
            else:
                sizes = self._globals[place.old][1], self._globals[place.old][4]
            HandlerCompiler(handler, table, self._address_of, compiler.conversion).compile(*sizes)
        for fact in compiler.facts.questions:
            place = fact.place
            size = old[place.old].size if place.subject is Subject.TYPE else self._globals[place.old][1]
            compile_question(fact, table, self._address_of, size)
        return table

    def _address_of(self, variable: int) -> int:
        return GLOBALS + self._globals[variable][0]

    def _drive(self, tracer: Tracer, tables: EngineTables, objects: list[Object], pairs: list[Pair]) -> Outcome:
        tracer.set_image(ImageKind.THEIRS, [_extent(GLOBALS, self.theirs), _extent(HEAP, self.heap)])
        tracer.set_image(ImageKind.BASE, [_extent(GLOBALS, self.base), _extent(HEAP, self.base_heap)])
        ours = [_extent(NEW_GLOBALS, self.ours), _extent(OWN_HEAP, self.own_heap), _extent(HEAP, self.own_in_place)]
        tracer.set_image(ImageKind.OURS, ours)
        tracer.set_tables(tables)
        tracer.add_objects(objects)
        chunks = sorted(self._chunks)
        addresses, sizes, capacities = (array("Q", [one[i] for one in chunks]) for i in range(3))
        sites, site_flags = array("I", [one[3] for one in chunks]), array("I", [int(one) for one in self.site_flags])
        tracer.add_chunks(addresses, sizes, capacities, sites, site_flags)
        tracer.index()
        tracer.set_pairs(pairs)
        tracer.trace()
        for pair in pairs:
            index = tracer.find(pair.address)
            if index is not None and tracer.objects()[index].kind is ObjectKind.CHUNK:
                shape = tracer.objects()[index].type
                pair.program = NONE if shape == NONE else tables.shape_programs[shape]
        for index, size in tracer.outgrown():
            address = tracer.objects()[index].address
            program = tables.shape_programs[tracer.objects()[index].type]
            pairs.append(Pair(address=address, new_address=self.new_heap, new_size=size, program=program))
            self.new_heap += (size + 15) & ~15
        tracer.set_pairs(pairs)
        for size in (wanted := tracer.prepare()):
            self.given.append(self.new_heap)
            self.new_heap += (size + 15) & ~15
        assert len(wanted) == len(self.given)
        tracer.give(self.given)
        tracer.transfer()
        return self._collect(tracer)

    def _collect(self, tracer: Tracer) -> Outcome:
        new, own, moved, data = bytearray(self.ours), bytearray(self.own_heap), {}, tracer.patch_bytes()
        for patch in tracer.patches():
            piece = data[patch.offset : patch.offset + patch.size]
            if NEW_GLOBALS <= patch.address < NEW_GLOBALS + AREA:
                new[patch.address - NEW_GLOBALS : patch.address - NEW_GLOBALS + patch.size] = piece
            elif OWN_HEAP <= patch.address < OWN_HEAP + AREA:
                own[patch.address - OWN_HEAP : patch.address - OWN_HEAP + patch.size] = piece
            else:
                moved[patch.address] = piece
        events = [(one.kind, one.object, one.offset, one.detail) for one in tracer.events()]
        flags = {one.address: ObjectFlag(one.flags & ((1 << KIND_SHIFT) - 1)) for one in tracer.objects()}
        values = [one.value for one in tracer.events()]
        freed, statistics = tracer.freed(), tracer.statistics()
        messages = [tracer.message(value >> 8) for value in values]
        sizes = dict(struct.iter_unpack("<QQ", tracer.resized()))
        return Outcome(new, bytearray(self.heap), own, moved, events, statistics, flags, sizes, values, freed, messages)


def _object(address: int, size: int, kind: ObjectKind, shape: int) -> Object:
    return Object(
        address=address,
        size=size,
        type=shape,
        site=NONE,
        parent=NONE,
        pair=NONE,
        holder=NONE,
        capacity=size,
        flags=int(kind) << KIND_SHIFT,
    )


def _extent(address: int, buffer: bytearray) -> ImageExtent:
    return ImageExtent(Range(address, address + len(buffer)), buffer, 0)
