"""Two builds of one small made-up server, as values, for tests of what looks names up."""

from __future__ import annotations

from gdb_mcr.model.datatype import DataType, Member, TypeKind, TypeTable
from gdb_mcr.model.program import Program, Variable
from gdb_mcr.units import Range


class ProgramBuilder:
    """Collects types and variables. Sizes and offsets are those of a compiler that packs everything."""

    def __init__(self) -> None:
        self._types: list[DataType] = []
        self._variables: list[Variable] = []
        self.int = self._add(TypeKind.INTEGER, "int", 4, signed=True)
        self.long = self._add(TypeKind.INTEGER, "long", 8, signed=True)
        self.char = self._add(TypeKind.CHARACTER, "char", 1, signed=True)
        self.double = self._add(TypeKind.FLOAT, "double", 8)
        self.unsigned = self._add(TypeKind.INTEGER, "unsigned int", 4)
        self.short = self._add(TypeKind.INTEGER, "short", 2, signed=True)
        self.float = self._add(TypeKind.FLOAT, "float", 4)
        self.bool = self._add(TypeKind.BOOLEAN, "_Bool", 1)

    def struct(
        self, name: str, file: str, *fields: tuple[str, int], kind: TypeKind = TypeKind.STRUCT, own: str = ""
    ) -> int:
        """A struct or union of (name, type) fields.

        :param own: of a struct, the field that points to the struct itself; it comes first.
        """
        if own:
            fields = ((own, self._add(TypeKind.POINTER, "", 8, target=len(self._types) + 1)), *fields)
        members, offset = [], 0
        for field, one in fields:
            members.append(Member(field, offset, one))
            offset += self._types[one].size if kind is TypeKind.STRUCT else 0
        size = max([offset, *(self._types[one].size for _, one in fields)])
        return self._add(kind, name, size, decl_file=file, members=tuple(members))

    def declared(self, name: str) -> int:
        """A struct that is only declared."""
        return self._add(TypeKind.STRUCT, name, 0, complete=False)

    def enum(self, name: str, file: str, **constants: int) -> int:
        return self._add(TypeKind.ENUM, name, 4, decl_file=file, constants=tuple(constants.items()))

    def function(self) -> int:
        return self._add(TypeKind.FUNCTION, "", 1)

    def typedef(self, name: str, target: int, file: str = "") -> int:
        return self._add(TypeKind.TYPEDEF, name, self._types[target].size, target=target, decl_file=file)

    def pointer(self, target: int) -> int:
        return self._add(TypeKind.POINTER, "", 8, target=target)

    def array(self, target: int, count: int) -> int:
        return self._add(TypeKind.ARRAY, "", self._types[target].size * count, target=target, count=count)

    def variable(self, name: str, one: int, file: str, *, function: str = "", external: bool = False) -> None:
        size = self._types[one].size
        address = 0x4000 + 0x100 * len(self._variables)
        self._variables.append(Variable(name, address, size, one, file, function=function, external=external))

    def build(self, path: str, build_id: str) -> Program:
        return Program(
            path=path,
            build_id=build_id,
            soname=path.rpartition("/")[2],
            is_pie=True,
            has_debug_info=True,
            image=Range(0, 0x10000),
            sections=(),
            relocation_slots=(),
            relocated_words=(),
            types=TypeTable(self._types),
            functions=(),
            variables=tuple(self._variables),
            sites=(),
        )

    def _add(
        self,
        kind: TypeKind,
        name: str,
        size: int,
        *,
        target: int = -1,
        count: int = -1,
        decl_file: str = "",
        members: tuple[Member, ...] = (),
        complete: bool = True,
        signed: bool = False,
        constants: tuple[tuple[str, int], ...] = (),
    ) -> int:
        index = len(self._types)
        self._types.append(
            DataType(index, kind, name, size, decl_file, target, count, signed, members, constants, complete)
        )
        return index


def old_program() -> Program:
    """Version 1: `struct conn`, `struct stats`, two structs called dict, statics in files and functions."""
    c = ProgramBuilder()
    buffer = c.struct("buf", "conn.h", ("data", c.pointer(c.char)), ("used", c.long))
    retry = c.struct("", "conn.h", ("tries", c.int), ("delay", c.int))
    number = c.struct("", "conn.h", ("as_int", c.int), ("as_long", c.long), kind=TypeKind.UNION)
    rows = (("fd", c.int), ("rbuf", c.pointer(c.char)), ("rbytes", c.int), ("retry", retry), ("", number))
    conn = c.struct("conn", "conn.h", *rows, ("bufs", c.array(buffer, 4)), ("next", c.pointer(buffer)), ("type", c.int))
    c.typedef("conn", conn, "conn.h")
    stats = c.struct("stats", "stats.h", ("total", c.long), ("hits", c.array(c.long, 4)), ("rate", c.double))
    settings = c.struct("settings", "main.h", ("port", c.int), ("verbose", c.int), ("backlog", c.int))
    c.struct("item_v1", "item.h", ("refs", c.int), ("flags", c.int))
    session = c.struct("session", "session.h", ("id", c.int), ("note", c.pointer(c.char)))
    c.typedef("session_t", session, "session.h")
    c.struct("dict", "src/dict.h", ("size", c.long))
    c.struct("dict", "deps/hiredis/dict.h", ("count", c.long))
    log = c.struct("", "thread.h", ("text", c.pointer(c.char)), ("used", c.long))
    run = c.pointer(c.function())
    c.struct("thread", "thread.h", ("run", run), ("buffers", c.array(c.pointer(-1), 4)), ("log", log))
    c.struct("free_chunk", "cache.h", ("next", c.pointer(-1)))
    c.enum("color", "main.h")
    state = c.enum("state", "job.h", idle=0, reading=1, closing=2, lost=9)
    slot = c.struct("slot", "job.h", ("used", c.int), ("limit", c.long))
    job_rows = (("id", c.int), ("count", c.unsigned), ("ticks", c.long), ("small", c.short), ("ratio", c.double))
    more = (("state", state), ("slots", c.array(slot, 4)), ("bytes", c.array(c.char, 16)), ("data", c.pointer(-1)))
    calls = (("run", c.pointer(c.function())), ("conn", c.pointer(conn)), ("engine", c.pointer(c.declared("engine"))))
    job = c.struct("job", "job.h", *job_rows, *more, *calls, own="next")
    c.struct("unused", "job.h", ("size", c.long))
    choice = c.struct("", "value.h", ("text", c.pointer(c.char)), ("number", c.long), kind=TypeKind.UNION)
    parts = (("kind", c.int), ("used", c.int), ("as", choice), ("items", c.pointer(slot)), ("word", c.long))
    value = c.struct("value", "value.h", *parts, ("cells", c.array(slot, 2)), ("any", c.pointer(-1)))
    c.variable("values", c.array(value, 4), "value.c", external=True)
    c.typedef("queue", c.struct("queue", "queue.h", ("head", c.long)), "queue.h")
    c.variable("jobs", c.array(job, 8), "job.c", external=True)
    c.variable("started", c.long, "job.c", external=True)
    c.variable("settings", settings, "main.c", external=True)
    c.variable("stats", stats, "stats.c", external=True)
    c.variable("queue", c.long, "queue.c", external=True)
    c.variable("cur_time", c.int, "main.c", external=True)
    c.variable("lock", c.int, "a.c")
    c.variable("lock", c.int, "b.c")
    c.variable("port", c.int, "main.c", function="main")
    c.variable("old_only", c.int, "main.c", external=True)
    c.variable("log_line", c.pointer(c.char), "main.c", external=True)
    c.variable("line", c.pointer(c.char), "main.c", function="main")
    c.variable("environment", c.pointer(c.pointer(c.char)), "main.c", external=True)
    return c.build("/srv/old/small", "aa01")


def new_program() -> Program:
    """Version 2: fields and types renamed, one variable gone, one new."""
    c = ProgramBuilder()
    buffer = c.struct("buf", "conn.h", ("data", c.pointer(c.char)), ("used", c.long), ("size", c.long))
    retry = c.struct("retry", "conn.h", ("attempts", c.int), ("delay", c.int))
    rows = (("fd", c.int), ("read_buffer", c.pointer(c.char)), ("rbytes", c.int), ("retry", retry))
    tail = (("bufs", c.array(buffer, 4)), ("next", c.pointer(buffer)), ("type", c.int), ("tls", c.int))
    conn = c.struct("conn", "conn.h", *rows, *tail)
    c.typedef("conn", conn, "conn.h")
    stats = c.struct("stats", "stats.h", ("total", c.long), ("hits", c.array(c.long, 8)), ("rate", c.double))
    settings = c.struct("settings", "main.h", ("port", c.int), ("verbosity", c.int), ("backlog", c.int))
    c.struct("item", "item.h", ("refcount", c.int), ("flags", c.int))
    c.struct("dict", "src/dict.h", ("size", c.int))
    c.struct("dict", "deps/hiredis/dict.h", ("count", c.long))
    c.struct("tls_state", "tls.h", ("fd", c.int))
    state = c.enum("state", "job.h", idle=0, writing=1, reading=2, closing=3, fresh=4)
    slot = c.struct("slot", "job.h", ("used", c.long), ("room", c.long))
    job_rows = (
        ("id", c.long),
        ("total", c.int),
        ("ticks", c.int),
        ("small", c.char),
        ("ratio", c.float),
        ("busy", c.bool),
    )
    job_tail = (("state", state), ("slots", c.array(slot, 8)), ("bytes", c.array(c.char, 8)), ("data", c.pointer(-1)))
    ends = (("run", c.pointer(c.function())), ("conn", c.pointer(conn)), ("other", c.pointer(buffer)))
    job = c.struct("job", "job.h", *job_rows, *job_tail, *ends, own="next")
    c.struct("unused", "job.h", ("size", c.long))
    c.variable("jobs", c.array(job, 8), "job.c", external=True)
    c.variable("started", c.int, "job.c", external=True)
    c.variable("settings", settings, "main.c", external=True)
    c.variable("stats", stats, "stats.c", external=True)
    c.variable("current_time", c.int, "main.c", external=True)
    c.variable("lock", c.int, "a.c")
    c.variable("lock", c.int, "b.c")
    c.variable("listen_port", c.int, "main.c", function="main")
    c.variable("new_only", c.int, "main.c", external=True)
    return c.build("/srv/new/small", "bb02")
