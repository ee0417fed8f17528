"""Gives a child GDB the symbols of a process before it stops it.

Left to itself GDB reads them while the process stands still (80 to 200 ms), and learns of a place for an internal
breakpoint on the way. Here each file is added at the address where the process has it; GDB's own search is off
(`gdb_setup.SETTINGS`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from gdb_mcr.debugger.gdb_setup import NOWHERE, console, quoted
from gdb_mcr.debugger.mi_records import MiError, text
from gdb_mcr.debugger.mi_transport import MiTransport
from gdb_mcr.debugger.modules import Module

SYMBOLS_S = 120.0
"""Seconds for reading the symbols of one file."""


class Symbols:
    """The symbol files of one child GDB's first inferior."""

    def __init__(self, mi: MiTransport) -> None:
        self._mi = mi
        self._placed: tuple[Module, ...] = ()
        self._debug_directory = text(mi.request("-gdb-show debug-file-directory").payload, "value")
        self._spare = ""

    def read_ahead(self, files: Sequence[Path]) -> None:
        """Makes GDB keep these files open and their symbol tables read; what is no ELF file is left out."""
        if not self._spare:
            self._spare = text(self._mi.request("-add-inferior").payload, "inferior").removeprefix("i")
        self._mi.request(console(f"inferior {self._spare}"))
        for file in files:
            with suppress(MiError):
                self._mi.request(f"-file-exec-and-symbols {quoted(str(file))}", SYMBOLS_S)
        self._mi.request(console("inferior 1"))

    def place(self, modules: tuple[Module, ...], executable: Path) -> None:
        """Symbol tables at the process's addresses. They outlast a detach, so that a second stop finds them."""
        if modules == self._placed:
            return
        if not set(self._placed) <= set(modules):
            self._remove_all()
        for module in modules:
            if module not in self._placed:
                self._add(module, executable)
        self._mi.request(console("maint expand-symtabs"), SYMBOLS_S)
        self._placed = modules

    def _remove_all(self) -> None:
        for module in self._placed:
            with suppress(MiError):  # it had no symbols
                self._mi.request(console(f"remove-symbol-file -a {module.code.start:#x}"))
        self._placed = ()

    # The executable's separate debug file is worth its time; those of libraries are not (libc's has 4 MB).
    def _add(self, module: Module, executable: Path) -> None:
        directory = self._debug_directory if Path(module.path) == executable else NOWHERE
        self._mi.request(f"-gdb-set debug-file-directory {directory}")
        with suppress(MiError):  # no symbols: its frames have no names
            self._mi.request(console(f"add-symbol-file {quoted(module.file)} -o {module.bias:#x}"), SYMBOLS_S)
