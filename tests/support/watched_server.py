"""A server under libmcr whose interrupted calls are counted: what the program itself sees of EINTR.

with WatchedServer([binary, *arguments], directory) as server:
    …
    assert server.calls().interrupted == 0
"""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from gdb_mcr.dwarf.symbols import symbol_address
from gdb_mcr.engine.direct_memory import DirectMemory
from gdb_mcr.proc.mappings import mappings

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tests" / "targets" / "interrupted_calls.c"

_FLAGS = ("-std=gnu11", "-O2", "-g", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror")
_COUNTS = struct.Struct("<QQ32s")

# What the user preloads comes behind libmcr; the counter must come before it, to see what the program sees.
_RUN = """
import sys
from gdb_mcr.update import run
counter, *command = sys.argv[1:]
run.preloading = lambda environment, library: {**environment, "LD_PRELOAD": f"{counter}:{library}"}
run.prepare_run(command)()
"""


@dataclass(frozen=True, slots=True)
class CallCounts:
    """The program's calls that may block."""

    calls: int
    interrupted: int
    last: str
    """The one that was interrupted last."""


class WatchedServer:
    """A context manager; the server is killed at the end."""

    def __init__(self, command: Sequence[str], directory: Path) -> None:
        """:param directory: for the counter."""
        self._command = list(command)
        self._counter = directory / "interrupted_calls.so"
        if not self._counter.exists():
            subprocess.run(["gcc", *_FLAGS, "-o", str(self._counter), str(SOURCE)], check=True, timeout=60)

    def __enter__(self) -> Self:
        words = [sys.executable, "-c", _RUN, str(self._counter), *self._command]
        self._process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.pid = self._process.pid
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """SIGKILL, as a crash would end it."""
        self._process.kill()
        self._process.wait()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def calls(self) -> CallCounts:
        """What has been counted up to now."""
        base = next(one.range.start for one in mappings(self.pid) if one.path == str(self._counter))
        address = base + symbol_address(self._counter, "interrupted_calls")
        calls, interrupted, last = _COUNTS.unpack(DirectMemory(self.pid).read(address, _COUNTS.size))
        return CallCounts(calls, interrupted, last.rstrip(b"\0").decode())
