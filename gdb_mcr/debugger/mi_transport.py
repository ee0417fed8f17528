"""Owns one child GDB's pipes: commands out, records in, each answer matched to its command by token.

Of pygdbmi only the parser is used: its controller waits 200 ms for silence and never reads GDB's stderr, which blocks a
GDB that warns a lot.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count

from pygdbmi.gdbmiparser import parse_response

from gdb_mcr.debugger.mi_records import (
    Async,
    Record,
    Result,
    Stream,
    checked,
    from_parsed,
    memory_result,
)
from gdb_mcr.errors import DebuggerError

DEADLINE_S = 30.0
"""Seconds that a command may take unless its caller says otherwise."""

_KEPT_ASYNC = 4096
_KEPT_STDERR = 20
_CHUNK = 1 << 18


class DebuggerDied(DebuggerError):
    """The child GDB ended: ``status`` as `subprocess.Popen.returncode`, ``stderr`` its last lines."""

    hint = "the server runs on; try again, and report this with the lines above if it happens again"

    def __init__(self, pid: int, status: int | None, stderr: Sequence[str]) -> None:
        how = f"by signal {-status}" if status is not None and status < 0 else f"with status {status}"
        super().__init__("\n".join((f"the child GDB (process {pid}) ended {how}", *stderr)))
        self.pid = pid
        self.status = status
        self.stderr = tuple(stderr)


class DebuggerTimeout(DebuggerError):
    """The child GDB did not say ``awaited`` within ``timeout_s`` seconds."""

    def __init__(self, pid: int, awaited: str, timeout_s: float) -> None:
        super().__init__(f"the child GDB (process {pid}) did not answer within {timeout_s:g} s: {awaited}")
        self.pid = pid
        self.awaited = awaited
        self.timeout_s = timeout_s


def parse_line(line: str) -> Record:
    """One line of MI output, without its newline."""
    return memory_result(line) or from_parsed(parse_response(line))


class MiTransport:
    """A running GDB. Not for several threads at once."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Starts it in a session of its own, so that Ctrl-C in the user's terminal does not reach it.

        :raises DebuggerError: there is no such program.
        """
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment),
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise DebuggerError(f"cannot start {command[0]}: {error.strerror}", hint="install gdb") from error
        self._tokens = count(1)
        self._results: dict[int, Result] = {}
        self._unfinished = {"stdout": b"", "stderr": b""}
        self._poll = select.poll()
        self._names: dict[int, str] = {}
        for name, pipe in (("stdout", self._process.stdout), ("stderr", self._process.stderr)):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._poll.register(pipe.fileno(), select.POLLIN)
            self._names[pipe.fileno()] = name
        self.asynchronous: deque[Async] = deque(maxlen=_KEPT_ASYNC)
        """Async records that nobody has taken yet, oldest first."""
        self.streams: deque[Stream] = deque(maxlen=_KEPT_ASYNC)
        """What GDB said for people, oldest first."""
        self.stderr: deque[str] = deque(maxlen=_KEPT_STDERR)
        """The last lines of GDB's standard error."""

    @property
    def pid(self) -> int:
        """GDB's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether GDB has not ended."""
        return self._process.poll() is None

    def send(self, command: str) -> int:
        """Sends an MI command without waiting; `result` takes the token that this returns.

        :raises DebuggerDied: GDB has ended.
        """
        assert "\n" not in command, "a newline would be a second command"
        token = next(self._tokens)
        assert self._process.stdin is not None
        line = memoryview(f"{token}{command}\n".encode())
        try:
            while line:
                line = line[self._process.stdin.write(line) :]
        except (BrokenPipeError, ValueError) as error:
            raise self._died() from error
        return token

    def result(self, token: int, command: str, timeout_s: float = DEADLINE_S) -> Result:
        """The answer to the command sent as ``token``; ``command`` is for the message.

        :raises MiError: it is an error.
        :raises DebuggerDied, DebuggerTimeout: it never came.
        """
        end = time.monotonic() + timeout_s
        while token not in self._results:
            if not self._read(end):
                raise DebuggerTimeout(self.pid, command, timeout_s)
        return checked(self._results.pop(token), command)

    def request(self, command: str, timeout_s: float = DEADLINE_S) -> Result:
        """`send`, then `result`."""
        return self.result(self.send(command), command, timeout_s)

    def await_async(self, name: str, timeout_s: float = DEADLINE_S) -> Async:
        """Takes the oldest async record ``name``, waiting for it if need be; others stay.

        :raises DebuggerDied, DebuggerTimeout: it never came.
        """
        end = time.monotonic() + timeout_s
        while True:
            for record in self.asynchronous:
                if record.name == name:
                    self.asynchronous.remove(record)
                    return record
            if not self._read(end):
                raise DebuggerTimeout(self.pid, f"*{name}", timeout_s)

    def interrupt(self) -> None:
        """Asks GDB to give up what it is doing. It blocks MI input meanwhile, but heeds SIGINT."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def close(self, timeout_s: float = 5.0) -> None:
        """Lets GDB end by itself (at the end of its input it detaches), then by force."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        end = time.monotonic() + timeout_s
        try:
            while self.alive and self._read(end):
                pass
        except DebuggerDied:
            pass
        self.kill()

    def kill(self) -> None:
        """Ends GDB at once, if it has not ended, and reaps it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()

    # Waits for output until `end` and takes it in. False: the time is over.
    def _read(self, end: float) -> bool:
        left = end - time.monotonic()
        ready = self._poll.poll(max(0, left * 1000)) if left > 0 else []
        for descriptor, _ in ready:
            try:
                data = os.read(descriptor, _CHUNK)
            except BlockingIOError:
                continue
            if data:
                self._take(self._names[descriptor], data)
            else:
                self._poll.unregister(descriptor)
                if self._names[descriptor] == "stdout":
                    raise self._died()
        return bool(ready)

    def _take(self, name: str, data: bytes) -> None:
        *lines, self._unfinished[name] = (self._unfinished[name] + data).split(b"\n")
        for line in lines:
            if name == "stderr":
                self.stderr.append(line.decode(errors="replace"))
            else:
                self._keep(parse_line(line.decode(errors="replace")))

    def _keep(self, record: Record) -> None:
        match record:
            case Result(token=int() as token):
                self._results[token] = record
            case Async():
                self.asynchronous.append(record)
            case Stream():
                self.streams.append(record)
            case _:
                pass

    def _died(self) -> DebuggerDied:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        stderr = self._process.stderr
        if stderr is not None and not stderr.closed:
            with suppress(BlockingIOError):
                self._take("stderr", os.read(stderr.fileno(), _CHUNK) + b"\n")
        return DebuggerDied(self.pid, self._process.returncode, [line for line in self.stderr if line])
