"""A GDB that stays, driven through its pipes as a user drives it from a terminal, line by line."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

TIMEOUT_S = 60.0


@dataclass
class GdbSession:
    """``with GdbSession(["-p", str(pid)], directory) as gdb:`` answers commands until the block ends, then quits.

    Its standard error comes with its output. Prompts are taken out.
    """

    arguments: Sequence[str]
    directory: Path
    _unread: bytes = field(default=b"", init=False)
    _asked: int = field(default=0, init=False)

    def __enter__(self) -> Self:
        words = ["gdb", "--nx", "--quiet", "-iex", "set debuginfod enabled off", "-iex", "set pagination off"]
        self._process = subprocess.Popen(
            [*words, *self.arguments],
            cwd=self.directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self.quit()

    def run(self, line: str) -> str:
        """What GDB says to one command, when it is done with it."""
        self.send(line)
        return self.answer()

    def send(self, line: str) -> None:
        """One command, without waiting."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    def answer(self) -> str:
        """What it says until all that was sent is done."""
        self._asked += 1
        mark = f"done {self._asked}\n".encode()
        self.send(f"echo done {self._asked}\\n")
        deadline = time.monotonic() + TIMEOUT_S
        while mark not in self._unread:
            self._read(deadline)
        text, _, self._unread = self._unread.partition(mark)
        return text.decode().replace("(gdb) ", "")

    def verb(self, line: str, status: int = 0) -> str:
        """One verb, which must end with this exit status."""
        said = self.run(line)
        assert (line, self.value("$_mcr_status")) == (line, str(status)), said
        return said

    def value(self, expression: str) -> str:
        """What GDB prints for an expression."""
        return self.run(f"output {expression}")

    def pid(self) -> int:
        """The process that it is attached to; 0 if none."""
        return int(self.run("python print(gdb.selected_inferior().pid)"))

    def quit(self) -> None:
        """Ends it as Ctrl-D does; what it is attached to runs on."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(TIMEOUT_S)
        finally:
            self._kill()

    def _read(self, deadline: float) -> None:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        data = os.read(self._process.stdout.fileno(), 1 << 16) if ready else b""
        if not data:
            self._kill()
            raise AssertionError(f"GDB {'ended' if ready else 'hangs'}: {self._unread.decode()}")
        self._unread += data

    # Servers that it has started may hold its output open, so that there is no end to wait for.
    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
