"""The verb `object`: what stands at a name or an address in a server, how it is reached, what an update does to it.

The server is not stopped: values are those of one moment. N is not started: its own values are not known, and a
start-up allocation counts as one that N's start-up makes, too.
"""

from __future__ import annotations

from pathlib import Path

from gdb_mcr.annotations.names import Miss, ProgramNames
from gdb_mcr.errors import UsageError
from gdb_mcr.model.inspection import ObjectResult
from gdb_mcr.model.place import Side
from gdb_mcr.model.program import Program, Variable
from gdb_mcr.tracing.expressions import Expression, parse_expression
from gdb_mcr.tracing.navigation import Navigator, Spot
from gdb_mcr.update.analysis import analyse
from gdb_mcr.update.api import UpdateOptions
from gdb_mcr.update.object_answer import ObjectAnswer
from gdb_mcr.update.places import describe_place
from gdb_mcr.update.recorded import RecordedProcess, require_updatable
from gdb_mcr.update.traced_server import TracedServer, traced


def explain(server: RecordedProcess, expression: str, new: Path | None, options: UpdateOptions) -> ObjectResult:
    """As `update.api.LiveUpdater`."""
    wanted = parse_expression(expression)
    require_updatable(server)
    files = options.annotations if new is not None else ()
    analysis = analyse(server.executable, new or server.executable, files)
    root = _root(wanted, analysis.old)
    with traced(server, analysis) as state:
        start = _start(wanted, root, state)
        spot = Navigator(analysis.old.types, state.read, state.type_at).walk(start, wanted.steps)
        index = state.transfer.tracer.find(spot.address)
        if index is None:
            raise UsageError(f"`{expression}` is no object of the server", hint=describe_place(state, spot.address))
        return ObjectAnswer(state, index, spot, new is not None, analysis.findings).result()


def _root(wanted: Expression, program: Program) -> Variable | None:
    if isinstance(wanted.root, int):
        return None
    found = ProgramNames(program, Side.OLD).variable(wanted.root)
    if isinstance(found, Miss):
        raise UsageError(found.message.replace("the old program", "the server"), hint=found.hint)
    variable = program.variables[found]
    if variable.thread_local:
        raise UsageError(f"`{wanted.root}` is thread-local: each thread has one of its own", hint="name its address")
    return variable


def _start(wanted: Expression, root: Variable | None, state: TracedServer) -> Spot:
    if root is None:
        assert isinstance(wanted.root, int)
        return Spot(wanted.root, -1, hex(wanted.root))
    return Spot(state.view.executable.bias + root.address, root.type, str(wanted.root))
