"""One process's tables at one moment, joined to what the engines ask for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gdb_mcr.dwarf.identity import identify
from gdb_mcr.dwarf.load import load_cached, load_library
from gdb_mcr.engine.process_memory import TransferError
from gdb_mcr.engine.tracer import EngineError
from gdb_mcr.errors import AnalysisError, UpdateFailed
from gdb_mcr.model.annotation import InputRule
from gdb_mcr.model.datatype import DataType
from gdb_mcr.model.program import Program
from gdb_mcr.model.startup_log import Allocation, LoggedOperation, ModuleEntry, OperationKind, StartupLog
from gdb_mcr.reinit.alignment import Content, LogSide
from gdb_mcr.reinit.content import ContentReader, PiecewiseMemory, TextField
from gdb_mcr.reinit.plan import LiveChunks
from gdb_mcr.runtime_abi.control import Control, Reader, read_control
from gdb_mcr.runtime_abi.heap import HeapDamaged, HeapImage, read_heap, used_spans
from gdb_mcr.tracing.areas import writable_areas
from gdb_mcr.tracing.heap import chunks_of, sites_of
from gdb_mcr.tracing.policy import Policy
from gdb_mcr.tracing.sides import Chunks, LoadedModule, Side, Site
from gdb_mcr.tracing.sites import SiteResolver
from gdb_mcr.units import PAGE, Range, align_up
from gdb_mcr.update.start_state import StartState, read_start_state

MAP_ANONYMOUS = 0x20
MAP_PRIVATE = 0x2
PROT_WRITE = 0x2


_NO_FIELDS: Mapping[Hashable, TextField] = {}

READS = 20
"""Times that the heap's tables are read until they fit each other."""


@dataclass
class ModuleLoader:
    """Programs by build-id; each file is analysed once."""

    known: dict[str, Program] = field(default_factory=dict)

    def program(self, entry: ModuleEntry) -> Program | None:
        """What is known of a loaded file; None if another one stands at its path now and nobody has analysed it."""
        if entry.build_id not in self.known:
            found = _load(entry)
            if found is None:
                return None
            self.known[entry.build_id] = found
        return self.known[entry.build_id]


# The file may have been replaced since, above all an earlier generation's program.
def _load(entry: ModuleEntry) -> Program | None:
    path = Path(entry.path)
    try:
        if identify(path).build_id == entry.build_id:
            return load_library(path)
    except AnalysisError:
        pass
    return load_cached(entry.build_id, entry.path)


@dataclass(frozen=True)
class SideView:
    """One process under libmcr."""

    memory: Reader
    control: Control
    heap: HeapImage
    chunks: Chunks
    sites: tuple[Site, ...]
    executable: LoadedModule
    libraries: tuple[LoadedModule, ...]
    """Of this process."""
    modules: tuple[LoadedModule, ...]
    """Of all generations."""
    start: StartState

    @property
    def log(self) -> StartupLog:
        """The start-up log."""
        return self.start.log

    def side(self) -> Side:
        """For the state transfer."""
        return Side(
            self.executable, self.libraries, self.chunks, self.sites, self.modules, tuple(startup_mappings(self.log))
        )

    def live(self) -> LiveChunks:
        """For the placement plan."""
        return LiveChunks(self.chunks.addresses, self.chunks.capacities)

    def log_side(self, content: ContentReader | None) -> LogSide:
        """For the alignment. :param content: None = no bytes are compared."""
        return LogSide(
            self.log.allocations,
            self.log.threads,
            self.type_key(),
            content.content if content is not None else _no_content,
        )

    def base_memory(self) -> PiecewiseMemory:
        """Writable memory as it was at the end of start-up, by the base snapshot."""
        snapshot = self.start.base
        data = self.memory.read(snapshot.address, snapshot.size) if snapshot.size else b""
        return PiecewiseMemory([(place, data[offset : offset + place.size]) for place, offset in snapshot.regions])

    def live_memory(self) -> PiecewiseMemory:
        """The heap and the executable's writable memory as they are now."""
        ranges = [*heap_ranges(self.heap), *writable_areas(self.executable)]
        return PiecewiseMemory([(place, self.memory.read(place.start, place.size)) for place in ranges])

    def content(
        self, writable: PiecewiseMemory, text_fields: Mapping[Hashable, TextField] = _NO_FIELDS
    ) -> ContentReader:
        """The contents of start-up allocations in `writable`, with the texts that they point to.

        :param text_fields: by the key of a type with another layout on the other side: what its objects are known by.

        Texts count on the heap and in constants only: what stands in variables differs from start to start.
        """
        constants, heap, type_key = _constants(self.memory, self.executable), self.control.window, self.type_key()
        return ContentReader(
            self.log.allocations,
            lambda at, size: (writable if at in heap else constants).read(at, size),
            [heap, *(module.range for module in self.modules)],
            lambda one: text_fields.get(type_key(one)),
        )

    def origin_key(self) -> Callable[[Allocation], Hashable]:
        """Who allocated it: the type that the program allocated, or the place in a library's code."""
        resolver = SiteResolver(self.side(), Policy())
        return self._by_site(lambda site: _site_type(resolver, site) or _library_place(resolver, site))

    def type_key(self) -> Callable[[Allocation], Hashable]:
        """The type that it was allocated as, by name and file; None = unknown."""
        resolver = SiteResolver(self.side(), Policy())
        return self._by_site(lambda site: _site_type(resolver, site))

    def _by_site(self, answer: Callable[[Site], Hashable]) -> Callable[[Allocation], Hashable]:
        known: dict[int, Hashable] = {}

        def ask(one: Allocation) -> Hashable:
            if one.site not in known:
                known[one.site] = answer(self.sites[one.site]) if one.site < len(self.sites) else None
            return known[one.site]

        return ask


def view_side(
    memory: Reader, control_address: int, program: Program, loader: ModuleLoader, inputs: Sequence[InputRule] = ()
) -> SideView:
    """Reads everything that libmcr knows of a process.

    :param program: what its executable is.
    :param inputs: what is known of the files that it has read in its start-up.
    :raises UpdateFailed: its own modules are not what stands at their paths.
    """
    control = read_control(memory, control_address)
    start = read_start_state(memory, control, inputs)
    heap, chunks = _read_chunks(memory, control)
    loader.known.setdefault(program.build_id, program)
    modules = tuple(_loaded(start.log.modules, loader))
    own = [module for module in modules if module.generation == control.generation]
    executable = next((module for module in own if module.program.build_id == program.build_id), None)
    if executable is None:
        raise UpdateFailed(
            f"process {control.pid} does not run the program {program.path}",
            hint="the file was replaced while the server ran: name the build that it runs",
        )
    libraries = tuple(module for module in own if module is not executable)
    return SideView(memory, control, heap, chunks, sites_of(memory, control), executable, libraries, modules, start)


# A process that runs may change its tables between two reads; then they do not fit each other.
def _read_chunks(memory: Reader, control: Control) -> tuple[HeapImage, Chunks]:
    for _ in range(READS - 1):
        with suppress(EngineError, HeapDamaged, TransferError):
            heap = read_heap(memory, read_control(memory, control.address))
            return heap, chunks_of(heap)
    heap = read_heap(memory, read_control(memory, control.address))
    return heap, chunks_of(heap)


def startup_mappings(log: StartupLog) -> list[Range]:
    """Private writable memory that the program mapped itself in its start-up and has not unmapped in it."""
    found = []
    for one in log.operations:
        if one.kind is not OperationKind.MMAP or one.error:
            continue
        _, size, protection, flags, *_ = one.args
        if flags & MAP_ANONYMOUS and flags & MAP_PRIVATE and protection & PROT_WRITE:
            found.append(Range(one.result, one.result + size))
    return found


def shared_mappings(log: StartupLog) -> list[Range]:
    """Memory that the processes of a server share among themselves, mapped in start-up. N's stands at the same place.

    What has been unmapped since is among them.
    """
    return [_shared(one) for one in log.operations if one.kind is OperationKind.MMAP and _is_shared(one)]


def _is_shared(one: LoggedOperation) -> bool:
    flags = one.args[3]
    return not one.error and bool(flags & MAP_ANONYMOUS) and not flags & MAP_PRIVATE


def _shared(one: LoggedOperation) -> Range:
    return Range(one.result, align_up(one.result + one.args[1], PAGE))


def heap_ranges(heap: HeapImage) -> list[Range]:
    """The memory of all spans that hold chunks, joined where they touch."""
    return join_ranges(used_spans(heap.spans))


def join_ranges(ranges: Sequence[Range]) -> list[Range]:
    """Sorted ranges, those that touch joined."""
    joined: list[Range] = []
    for one in sorted(ranges):
        if joined and one.start <= joined[-1].end:
            joined[-1] = Range(joined[-1].start, max(joined[-1].end, one.end))
        else:
            joined.append(one)
    return joined


def by_build_id(modules: Sequence[LoadedModule]) -> Mapping[str, LoadedModule]:
    """Modules by what they are."""
    return {module.program.build_id: module for module in modules}


def _no_content(_: Allocation) -> Content:
    return Content()


def _loaded(entries: Sequence[ModuleEntry], loader: ModuleLoader) -> list[LoadedModule]:
    found = []
    for entry in entries:
        program = loader.program(entry)
        if program is not None:
            found.append(LoadedModule(program, entry.base, entry.generation))
    return found


def _library_place(resolver: SiteResolver, site: Site) -> Hashable:
    if not site.returns:
        return None
    module = resolver.module_of(site.generation, site.returns[0])
    if module is None or module.program.sites:
        return None
    return (module.program.build_id, site.returns[0] - module.bias)


def _site_type(resolver: SiteResolver, site: Site) -> Hashable:
    found = resolver.typed(site)
    if found is None:
        return None
    module, known = found
    one = module.program.types.strip(known.type)
    return key_of(one) if one is not None else None


def key_of(one: DataType) -> Hashable:
    """A type by what it has in all builds; None = it has no name."""
    return (one.kind, one.name, one.decl_file.rpartition("/")[2]) if one.name else None


def _constants(memory: Reader, module: LoadedModule) -> PiecewiseMemory:
    areas = [one.range for one in module.program.sections if not one.writable and not one.executable]
    ranges = [Range(module.bias + one.start, module.bias + one.end) for one in areas if one.size]
    return PiecewiseMemory([(one, memory.read(one.start, one.size)) for one in ranges])
