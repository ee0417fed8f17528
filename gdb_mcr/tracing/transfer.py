"""One state transfer: from two sides at rest to the bytes that N gets. Decisions here, loops in the engine.

Source: seed, "mutable tracing"; DESIGN sections 8 to 11.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gdb_mcr.engine.handler_library import function_addresses
from gdb_mcr.engine.records import (
    KIND_SHIFT,
    NONE,
    ImageKind,
    Object,
    ObjectFlag,
    ObjectKind,
    Pair,
    ShapeKind,
    Symbol,
    SymbolKind,
)
from gdb_mcr.engine.tracer import EngineTables, ImageExtent, Tracer
from gdb_mcr.model.layout import LayoutComparer
from gdb_mcr.model.match import Match
from gdb_mcr.model.program import Program, Variable
from gdb_mcr.tracing.areas import (
    constant_variables,
    global_variables,
    text_range,
    without_overlaps,
    writable_areas,
)
from gdb_mcr.tracing.conversion import DroppedField, ProgramCompiler
from gdb_mcr.tracing.facts import FactIndex
from gdb_mcr.tracing.handled import HandlerIndex
from gdb_mcr.tracing.handlers import compile_handlers
from gdb_mcr.tracing.policy import Policy
from gdb_mcr.tracing.shapes import ShapeCompiler
from gdb_mcr.tracing.sides import ChunkPair, LoadedModule, Side, Site
from gdb_mcr.tracing.sites import SiteResolver
from gdb_mcr.tracing.steps import StepTable
from gdb_mcr.units import Range


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes for N."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Growth:
    """A chunk that does not fit its place in N's layout."""

    address: int
    new_size: int


class StateTransfer:
    """Traces O and computes N's memory. Close the tracer when done: objects and events live in it."""

    def __init__(self, old: Side, new: Side, match: Match, policy: Policy, tracer: Tracer) -> None:
        self.old = old
        self.new = new
        self.match = match
        self.tracer = tracer
        self._policy = policy
        old_types, new_types = old.executable.program.types, new.executable.program.types
        self.facts = FactIndex(policy.facts)
        self.shapes = ShapeCompiler(old_types, policy.shape_flags, policy.plain_fields, self.facts)
        handled = HandlerIndex(policy.handlers).types
        self.layout = LayoutComparer(old_types, new_types, matched=match.types, handled=handled)
        self.compiler = ProgramCompiler(old_types, new_types, policy, self.layout, self.facts, self.shapes.pointee)
        self.steps = StepTable()
        self.resolver = SiteResolver(old, policy)
        self._tables = EngineTables([], [], bytearray(), bytearray(), [])
        self._pairs: list[Pair] = []
        self._variable_index = {id(one): index for index, one in enumerate(old.executable.program.variables)}
        self._globals: list[Object] = []
        self._site_shapes: list[int] = []
        self._is_compiled = False

    @property
    def dropped(self) -> Sequence[DroppedField]:
        """What DROPPED_FIELD events refer to."""
        return self.compiler.dropped

    @property
    def pairs(self) -> Sequence[Pair]:
        """Where objects go that do not simply keep their address."""
        return self._pairs

    def counterpart(self, variable: Variable) -> Variable | None:
        """What a variable of O continues as in N."""
        target = self.match.variables.get(self._variable_index[id(variable)])
        return None if target is None else self.new.executable.program.variables[target]

    def compile(self) -> None:
        """Does ahead of time, before O stands still, what depends on the programs alone."""
        variables = global_variables(self.old.executable.program)
        compile_handlers(self.compiler, self.steps, self.old.executable, self.new.executable.program)
        if self.steps.functions and self._policy.library is not None:
            self.tracer.set_functions(function_addresses(self._policy.library, self.steps.functions))
        self._tables.handlers, self._tables.steps = self.steps.handlers, self.steps.steps
        self._compile_types(variables)
        for variable in variables:
            self._globals.append(self._global(variable))
            self._pairs.append(self._variable_pair(variable))
        for variable in self._changed_constants():
            self._globals.append(self._global(variable, int(ObjectFlag.NEVER)))
            self._pairs.append(self._variable_pair(variable))
        self._tables.symbols = self._symbols()
        self._tables.image = self.old.executable.range
        self._tables.text = text_range(self.old.executable)
        self._is_compiled = True

    def come_to_rest(self, old: Side) -> None:
        """O has stopped: these are its chunks, sites and modules. Its executable is the same."""
        self.old = old
        self.resolver = SiteResolver(old, self._policy)

    def trace(
        self,
        theirs: Sequence[ImageExtent],
        base: Sequence[ImageExtent],
        ours: Sequence[ImageExtent],
        chunk_pairs: Iterable[ChunkPair],
        own_fds: Sequence[int] = (),
    ) -> None:
        """Types every object of O and finds what holds it in place.

        :param own_fds: descriptor numbers that only N has.
        """
        if not self._is_compiled:
            self.compile()
        self._compile_sites()
        self._tables.own_fds = own_fds
        tracer = self.tracer
        for kind, extents in ((ImageKind.THEIRS, theirs), (ImageKind.BASE, base), (ImageKind.OURS, ours)):
            tracer.set_image(kind, extents)
        tracer.set_tables(self._tables)
        self._add_objects()
        tracer.index()
        self._pairs += self._chunk_pairs(chunk_pairs)
        tracer.set_pairs(self._pairs)
        tracer.trace()

    def growths(self) -> list[Growth]:
        """Chunks that need a new place; answer with `place` for each of them."""
        objects = self.tracer.objects()
        return [Growth(objects[index].address, size) for index, size in self.tracer.outgrown()]

    def place(self, growth: Growth, new_address: int) -> None:
        """Says where in N a grown chunk goes."""
        index = self.tracer.find(growth.address)
        shape = NONE if index is None else self.tracer.objects()[index].type
        program = NONE if shape == NONE else self._tables.shape_programs[shape]
        self._pairs.append(
            Pair(address=growth.address, new_address=new_address, new_size=growth.new_size, program=program)
        )

    def wanted(self) -> list[int]:
        """Sizes of what handlers want to allocate in N, in bytes; answer with `give`."""
        self._pair_typed_chunks()
        self.tracer.set_pairs(self._pairs)
        return self.tracer.prepare() if self.steps.functions else []

    def give(self, addresses: Sequence[int]) -> None:
        """Says where in N the memory is that handlers want."""
        self.tracer.give(addresses)

    def transfer(self) -> list[Write]:
        """Merges and converts everything; results for unmoved chunks are in the THEIRS image, the rest is returned."""
        self._pair_typed_chunks()
        self.tracer.set_pairs(self._pairs)
        self.tracer.transfer()
        data = self.tracer.patch_bytes()
        return [Write(patch.address, data[patch.offset : patch.offset + patch.size]) for patch in self.tracer.patches()]

    def resized(self) -> bytes:
        """struct mcr_chunk_size[] of the chunks that stay at their address and have another size in N."""
        return self.tracer.resized()

    def dead_originals(self) -> list[int]:
        """Chunks of O that N needs no copy of: nothing leads to where they were, or the audit refuses."""
        objects = self.tracer.objects()
        moved = [one.address for one in self._pairs if one.new_address not in (0, one.address)]
        found = ((address, self.tracer.find(address)) for address in moved)
        left = [address for address, index in found if index is not None and _is_chunk_at(objects[index], address)]
        return [*left, *self.tracer.freed()]

    # ---- types

    def _compile_types(self, variables: Sequence[Variable]) -> None:
        for variable in variables:
            self.shapes.shape(variable.type)
        for old_index in self.match.types:
            self.shapes.shape(old_index)
        self._compile_sites()

    # Sites come all the time; those that are known have their shapes.
    def _compile_sites(self) -> None:
        known = self._site_shapes
        known += [self._site_shape(site) for site in self.old.sites[len(known) :]]
        self._compile_programs()

    def _compile_programs(self) -> None:
        shapes, tables = self.shapes, self._tables
        tables.shapes, tables.members, tables.shape_flags = shapes.shapes, shapes.members, shapes.flags
        tables.cases, tables.pointer_facts = shapes.cases, shapes.pointer_facts
        tables.site_shapes = self._site_shapes
        while (shape := len(tables.shape_programs)) < len(shapes.shapes):
            source = shapes.source[shape]
            target = self._counterpart(source)
            is_changed = target is not None and not self.layout.same(source, target)
            tables.shape_changed.append(is_changed)
            is_data = source < 0 or shapes.shapes[shape].kind == ShapeKind.DATA
            tables.shape_programs.append(NONE if is_data and not is_changed else self._program(source, target))
        tables.programs, tables.ops, tables.enums = self.compiler.programs, self.compiler.ops, self.compiler.enums

    def _program(self, source: int, target: int | None) -> int:
        return self.compiler.as_is(source) if target is None else self.compiler.program(source, target)

    def _counterpart(self, source: int) -> int | None:
        return self.match.types.get(source) if source >= 0 else None

    def _site_shape(self, known: Site) -> int:
        found = self.resolver.typed(known)
        if found is None:
            return NONE
        module, site = found
        if module.program is self.old.executable.program:
            return self.shapes.shape(site.type)
        return self._inherited_shape(module.program, site.type)

    # A chunk of an earlier generation has this generation's layout of the type of that name.
    def _inherited_shape(self, program: Program, type_index: int) -> int:
        one = program.types.strip(type_index)
        if one is None or not one.name:
            return NONE
        here = self.old.executable.program.types
        same = [other for other in here.named(one.name) if other.kind is one.kind and other.complete]
        exact = [other for other in same if other.decl_file == one.decl_file]
        chosen = exact or same
        return self.shapes.shape(chosen[0].index) if len(chosen) == 1 else NONE

    # ---- objects

    def _global(self, variable: Variable, flags: int = 0) -> Object:
        address = self.old.executable.bias + variable.address
        shape = self.shapes.variable_shape(variable.type, self._variable_index[id(variable)])
        return _object(address, variable.size, ObjectKind.GLOBAL, shape, flags)

    # Constants keep N's values; but pointers into those with another layout must follow it.
    def _changed_constants(self) -> Iterable[Variable]:
        for variable in constant_variables(self.old.executable.program):
            there = self.counterpart(variable)
            if there is not None and not there.writable and not self.layout.same(variable.type, there.type):
                yield variable

    def _add_objects(self) -> None:
        rows = list(self._globals)
        for area in self._library_areas():
            flags = self._library_flags(area)
            rows.append(_object(area.start, area.size, ObjectKind.LIBRARY, NONE, flags))
            self._pairs.append(_same_place(area))
        rows += [_object(area.start, area.size, ObjectKind.MAPPING, NONE) for area in self.old.mappings]
        self.tracer.add_objects(rows)
        chunks = self.old.chunks
        site_flags = array("I", [int(self.resolver.owner_flags(site)) for site in self.old.sites])
        self.tracer.add_chunks(chunks.addresses, chunks.sizes, chunks.capacities, chunks.sites, site_flags)

    def _variable_pair(self, variable: Variable) -> Pair:
        old, new = self.old.executable, self.new.executable
        address = old.bias + variable.address
        pair = Pair(address=address, base_address=address, base_size=variable.size, merges=1, program=NONE)
        there = self.counterpart(variable)
        if there is not None:
            pair.new_address, pair.new_size = new.bias + there.address, there.size
            number = self._variable_index[id(variable)]
            pair.program = self.compiler.program(variable.type, there.type, variable.name, number)
        return pair

    def _library_areas(self) -> list[Range]:
        mine = {module.program.build_id: module for module in self.new.libraries}
        areas = []
        for module in self.old.libraries:
            twin = mine.get(module.program.build_id)
            if twin is not None and twin.bias == module.bias and not self._policy.is_never_library(module.name):
                areas += writable_areas(module)
        return areas

    def _library_flags(self, area: Range) -> int:
        owner = next((module for module in self.old.libraries if area.start in module.range), None)
        ruled = owner is not None and self._policy.is_ruled_library(owner.name)
        return int(ObjectFlag.RULED_OWNER) if ruled else 0

    def _chunk_pairs(self, pairs: Iterable[ChunkPair]) -> list[Pair]:
        return [
            Pair(
                address=one.address,
                new_address=one.new_address,
                new_size=one.new_size,
                base_address=one.base_address,
                base_size=one.base_size,
                merges=1,
                program=NONE,
            )
            for one in pairs
        ]

    # The type of a paired chunk is known only after tracing.
    def _pair_typed_chunks(self) -> None:
        objects = self.tracer.objects()
        for pair in self._pairs:
            index = self.tracer.find(pair.address)
            if index is None or not objects[index].is_chunk:
                continue
            one = objects[index]
            if one.type != NONE:
                pair.program = self._tables.shape_programs[one.type]
            if pair.new_address == one.address and pair.new_size < one.size and not self._is_changed(one.type):
                # O has grown it where it is. N gets O's heap with its places: there is as much room as O found.
                pair.own_size, pair.new_size = pair.new_size, one.size

    def _is_changed(self, shape: int) -> bool:
        return shape != NONE and bool(self._tables.shape_changed[shape])

    # ---- symbols

    def _symbols(self) -> list[Symbol]:
        old, new = self.old.executable, self.new.executable
        rows = [*self._code_symbols(old, new), *self._constant_symbols(old, new)]
        return without_overlaps(sorted(rows, key=lambda one: (one.old_address, -one.size)))

    def _code_symbols(self, old: LoadedModule, new: LoadedModule) -> Iterable[Symbol]:
        for index, function in enumerate(old.program.functions):
            target = self.match.functions.get(index)
            home = new.bias + new.program.functions[target].start if target is not None else 0
            size = function.end - function.start
            yield Symbol(old_address=old.bias + function.start, size=size, new_address=home, kind=SymbolKind.CODE)

    def _constant_symbols(self, old: LoadedModule, new: LoadedModule) -> Iterable[Symbol]:
        for index, variable in enumerate(old.program.variables):
            target = self.match.variables.get(index)
            if variable.writable or variable.thread_local or target is None or not variable.size:
                continue
            there = new.program.variables[target]
            if there.writable:
                continue
            yield Symbol(
                old_address=old.bias + variable.address,
                size=variable.size,
                new_address=new.bias + there.address,
                kind=SymbolKind.CONSTANT if there.size == variable.size else SymbolKind.RESIZED,
            )


def _object(address: int, size: int, kind: ObjectKind, shape: int, flags: int = 0) -> Object:
    return Object(
        address=address,
        size=size,
        type=shape,
        site=NONE,
        parent=NONE,
        pair=NONE,
        holder=NONE,
        capacity=min(size, NONE),
        flags=int(kind) << KIND_SHIFT | flags,
    )


def _is_chunk_at(one: Object, address: int) -> bool:
    return one.kind is ObjectKind.CHUNK and one.address == address


def _same_place(area: Range) -> Pair:
    return Pair(
        address=area.start,
        new_address=area.start,
        new_size=area.size,
        base_address=area.start,
        base_size=area.size,
        merges=1,
        program=NONE,
    )
