"""Progress of a long verb, one line a phase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TextIO

from gdb_mcr.model.results import PhaseResult
from gdb_mcr.model.steps import Phase
from gdb_mcr.render.pieces import duration


@dataclass(slots=True)
class TerminalProgress:
    """Writes to a terminal; what it cannot write it leaves out."""

    stream: TextIO

    def started(self, phase: Phase) -> None:
        """Name the phase; its time follows on the same line."""
        self._write(f"{phase.value}…")

    def finished(self, result: PhaseResult) -> None:
        """How long it took."""
        self._write(f"\r{result.name.value:10}{duration(result.seconds)}\n")

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):
            return
