"""Names of frames for people: the inline chain at a return address."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from gdb_mcr.dwarf.load import NAMES, ensure_cached


class FunctionIndex:
    """From code addresses of one ELF file (virtual addresses, without load bias) to function names."""

    def __init__(self, starts: Sequence[int], numbers: Sequence[int], chains: Sequence[tuple[str, ...]]) -> None:
        self._starts = starts
        self._numbers = numbers
        self._chains = chains

    @staticmethod
    def of(path: Path) -> FunctionIndex:
        """The index of a file, cached.

        :raises AnalysisError: it is no ELF file for x86-64, or is damaged.
        """
        return FunctionIndex(*ensure_cached(path).read_value(NAMES))

    @property
    def chains(self) -> Sequence[tuple[str, ...]]:
        """All inline chains of the file, each once; the empty one may be among them."""
        return self._chains

    def at(self, pc: int) -> tuple[str, ...]:
        """The inline chain at an instruction, innermost first; empty outside of all functions."""
        index = bisect_right(self._starts, pc) - 1
        return self._chains[self._numbers[index]] if index >= 0 else ()

    def calling(self, return_address: int) -> tuple[str, ...]:
        """The inline chain of the call that returns to this address."""
        return self.at(return_address - 1)
