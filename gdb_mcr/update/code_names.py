"""From code addresses in a process to function names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gdb_mcr.dwarf.frames import FunctionIndex
from gdb_mcr.dwarf.identity import identify
from gdb_mcr.errors import AnalysisError
from gdb_mcr.model.startup_log import ModuleEntry

_LIBC = "libc.so.6+"  # its functions without a symbol


@dataclass
class CodeNames:
    """The functions of all modules that a process ever had loaded."""

    pid: int
    modules: Sequence[ModuleEntry]
    _indexes: dict[str, FunctionIndex | None] = field(default_factory=dict)

    def at(self, address: int) -> tuple[str, ...]:
        """The inline chain at an instruction, innermost first; the address itself where no name is known."""
        module = self.module(address)
        index = self._index(module) if module is not None else None
        names = index.at(address - module.base) if index is not None and module is not None else ()
        return names or (hex(address),)

    def chains(self, path: str) -> tuple[tuple[str, ...], ...]:
        """All inline chains of a file that is loaded, each once."""
        module = next((one for one in self.modules if one.path == path), None)
        index = self._index(module) if module is not None else None
        return tuple(filter(None, index.chains)) if index is not None else ()

    def module(self, address: int) -> ModuleEntry | None:
        """The file that has its code at an address."""
        return next((one for one in self.modules if one.start <= address < one.end), None)

    def function(self, address: int) -> str:
        """The function at an instruction."""
        return self.at(address)[-1]

    def prepare(self) -> None:
        """Reads all names now rather than at their first use."""
        for one in self.modules:
            self._index(one)

    def stack(self, returns: Iterable[int]) -> tuple[str, ...]:
        """The functions that call each other, innermost first, by their return addresses."""
        return without_start(tuple(name for address in returns for name in self.at(address - 1)))

    def _index(self, module: ModuleEntry) -> FunctionIndex | None:
        if module.build_id not in self._indexes:
            self._indexes[module.build_id] = next(self._candidates(module), None)
        return self._indexes[module.build_id]

    # A file that was replaced since is another one. The process still has its executable.
    def _candidates(self, module: ModuleEntry) -> Iterator[FunctionIndex]:
        for path in (module.path, f"/proc/{self.pid}/root{module.path}", f"/proc/{self.pid}/exe"):
            try:
                if identify(Path(path)).build_id == module.build_id:
                    yield FunctionIndex.of(Path(path))
            except AnalysisError:
                continue


def without_start(stack: tuple[str, ...]) -> tuple[str, ...]:
    """A stack (innermost first) without what calls `main` or a thread's first function: libc, the same everywhere."""
    if "main" in stack:
        return stack[: stack.index("main") + 1]
    end = len(stack)
    while end > 1 and stack[end - 1].startswith(_LIBC):
        end -= 1
    return stack[:end]
