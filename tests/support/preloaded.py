"""Small servers under libmcr.so, and the controller's part of what it needs, without a controller."""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from gdb_mcr import paths
from gdb_mcr.runtime_abi.control import SYMBOL, Control, read_control
from gdb_mcr.runtime_abi.layout import State
from gdb_mcr.runtime_abi.messages import CHANNEL_FD, SETTINGS_FD, Command, Message, RemoteSyscall

TARGETS = Path(__file__).parents[1] / "targets"
TIMEOUT_S = 20.0


def build_target(name: str, directory: Path) -> Path:
    """Compiles tests/targets/NAME.c."""
    binary = directory / name
    source = TARGETS / f"{name}.c"
    command = ["gcc", "-O2", "-g", "-D_GNU_SOURCE", "-pthread", "-o", str(binary), str(source)]
    subprocess.run(command, check=True, timeout=TIMEOUT_S)
    return binary


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """/proc/PID/mem."""

    pid: int

    def read(self, address: int, size: int) -> bytes:
        with Path(f"/proc/{self.pid}/mem").open("rb", buffering=0) as memory:
            memory.seek(address)
            data = memory.read(size)
        assert data is not None
        assert len(data) == size
        return data

    def write(self, address: int, data: bytes) -> None:
        with Path(f"/proc/{self.pid}/mem").open("r+b", buffering=0) as memory:
            memory.seek(address)
            assert memory.write(data) == len(data)


class Preloaded:
    """A program under libmcr.so; ended with the `with` block if it did not end before."""

    def __init__(self, argv: Sequence[str], settings: int | None = None, channel: socket.socket | None = None) -> None:
        moves = {
            number: fd for number, fd in ((SETTINGS_FD, settings), (CHANNEL_FD, channel and channel.fileno())) if fd
        }

        def place() -> None:
            for number, fd in moves.items():
                os.dup2(fd, number)

        library = paths.native_library("libmcr.so")
        self._library = str(library)
        self.process = subprocess.Popen(
            argv,
            env={**os.environ, "LD_PRELOAD": str(library)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            bufsize=0,  # what select() does not see is not there
            close_fds=False,  # Python's own are close-on-exec
            preexec_fn=place,
        )
        self.pid = self.process.pid
        self.memory = ProcessMemory(self.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def read_line(self) -> str:
        """The next line that the program prints; "" if it ended."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], TIMEOUT_S)[0]:
            raise TimeoutError(f"process {self.pid} printed nothing")
        return self.process.stdout.readline().decode().strip()

    def address_of(self, path: str, symbol: str) -> int:
        """Run-time address of a symbol of a mapped file."""
        with Path(path).open("rb") as file:
            tables = [one for one in ELFFile(file).iter_sections() if isinstance(one, SymbolTableSection)]
            values = [found[0]["st_value"] for table in tables if (found := table.get_symbol_by_name(symbol))]
        return self._base(path) + int(values[0])

    def control(self) -> Control:
        """libmcr's control block."""
        return read_control(self.memory, self.address_of(self._library, SYMBOL))

    def wait_for(self, *states: State) -> Control:
        """The control block once libmcr is in one of these states."""
        deadline = time.monotonic() + TIMEOUT_S
        while (control := self.control()).state not in states:
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} is {control.state.name}: {control.error_text}")
            time.sleep(0.005)  # nothing announces the end of O's start-up
        return control

    def _base(self, path: str) -> int:
        for line in Path(f"/proc/{self.pid}/maps").read_text().splitlines():
            if line.endswith(path):
                return int(line.split("-")[0], 16)
        raise LookupError(f"{path} is not mapped in process {self.pid}")


class Channel:
    """The controller's end of a channel."""

    def __init__(self) -> None:
        self._here, self.there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._here.settimeout(TIMEOUT_S)

    def close(self) -> None:
        self._here.close()
        self.there.close()

    def receive(self) -> tuple[int, int, bytes]:
        """(kind, status, payload) of the next message; kind is 0 at the end of the channel."""
        data = self._here.recv(1 << 17)
        if not data:
            return 0, 0, b""
        head = Message.from_buffer_copy(data)
        return head.kind, head.status, data[ctypes.sizeof(head) :]

    def send(self, kind: int, payload: bytes = b"", count: int = 0, fds: Sequence[int] = ()) -> None:
        socket.send_fds(self._here, [bytes(Message(kind=kind, count=count)) + payload], list(fds))

    def ask(self, kind: int, payload: bytes = b"", count: int = 0, fds: Sequence[int] = ()) -> tuple[int, bytes]:
        """One command; (status, payload) of its answer."""
        self.send(kind, payload, count, fds)
        answered, status, answer = self.receive()
        assert answered == kind
        return status, answer

    def call(self, *calls: RemoteSyscall, data: bytes = b"") -> tuple[int, list[int], bytes]:
        """System calls in N: (status, results, data part)."""
        status, answer = self.ask(Command.SYSCALLS, b"".join(map(bytes, calls)) + data, len(calls))
        size = ctypes.sizeof(RemoteSyscall)
        results = [RemoteSyscall.from_buffer_copy(answer, i * size).result for i in range(len(calls))]
        return status, results, answer[len(calls) * size :]


def inherited(*numbers: int) -> bytes:
    """The payload of MCR_CMD_FDS for these numbers."""
    return b"".join(struct.pack("<iI", number, 0) for number in numbers)
