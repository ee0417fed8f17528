"""What stands at an address that is in no object, as a hint."""

from __future__ import annotations

from gdb_mcr.model.process import Mapping
from gdb_mcr.proc.mappings import mappings
from gdb_mcr.tracing.sides import LoadedModule
from gdb_mcr.update.traced_server import TracedServer


def describe_place(state: TracedServer, address: int) -> str:
    """One sentence in the user's terms."""
    executable = state.view.executable
    if address in executable.range:
        return _in_executable(executable, address)
    library = next((one for one in state.view.libraries if address in one.range), None)
    if library is not None:
        return f"{address:#x} is in {library.name}: its code and constants, or data of its own that it keeps"
    if address in state.view.control.window:
        return f"{address:#x} is heap memory that is free now"
    return _in_mapping(mappings(state.view.control.pid), address)


def _in_executable(module: LoadedModule, address: int) -> str:
    inside, program = address - module.bias, module.program
    function = next((one for one in program.functions if one.start <= inside < one.end), None)
    if function is not None:
        return f"{address:#x} is code of {function.name}; the new build brings its own"
    constants = (one for one in program.variables if not one.writable and not one.thread_local)
    constant = next((one for one in constants if one.address <= inside < one.address + one.size), None)
    if constant is not None:
        return f"{constant.name} is a constant; the new build brings its own"
    return f"{address:#x} is in {module.name}, but in no variable of it"


def _in_mapping(known: tuple[Mapping, ...], address: int) -> str:
    one = next((one for one in known if address in one.range), None)
    if one is None:
        return f"nothing is mapped at {address:#x}"
    what = one.path or "memory that was mapped after the start-up, or a thread's stack"
    return f"{address:#x} is in {what}, which is not traced"
